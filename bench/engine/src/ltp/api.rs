//! What an engine is told.

use std::collections::BTreeSet;

use farlink_units::Duration;
use farlink_wire::ltp::security::AuthKey;
use thiserror::Error;

/// What an engine is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// This engine's ID.
    pub engine_id: u64,
    /// The client services that exist here; data for any other is cancelled with UNREACH (§6).
    pub client_services: BTreeSet<u64>,
    /// How many bytes may be held for reception in all: data that waits for the rest of its block, with 64 bytes for each
    /// separate piece, and reports with what it takes to repeat them. Data beyond that is not accepted and so not claimed;
    /// the sender sends it again later.
    pub receive_limit: u64,
    /// How many sessions of one peer may be open at this receiver at once, and how many of them may be in cancellation; data
    /// of further ones is not accepted.
    pub max_receiving_sessions: usize,
    /// The width of the session numbers that this engine draws. It takes any width from its peers.
    pub session_numbers: SessionNumbers,
    /// How long a green part is waited for from its first segment on, not counting times in which the peer does not
    /// transmit. Zero puts no green parts together; their segments are told one by one in any case.
    pub green_patience: Duration,
    /// Longest green part that is put together, in bytes.
    pub max_green_part: u64,
    /// Seed for session numbers, for first checkpoint and report serial numbers, and for cookies.
    pub seed: u64,
    /// What the engine does wrong on purpose, so that a test bench can show that it notices. `None` for an engine that is meant
    /// to work.
    pub misbehaviour: Option<Misbehaviour>,
}

/// A way to break RFC 5326 or RFC 5327 that cannot be brought about from outside the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Session numbers count up from 1, against §9.1.
    CountedSessions,
    /// Any acknowledgment stops every report of the session, against §6.14.
    AnyReportAck,
    /// The authentication of what comes is not checked, against RFC 5327 section 2.1.
    AnyAuthentication,
    /// The cookies of what comes are not checked, against RFC 5327 section 2.2.
    AnyCookie,
}

impl Config {
    /// An engine with the Bundle Protocol as its only client service, 1 GiB for blocks that arrive, session numbers of 32
    /// bits, and a minute for green parts of up to 64 MiB.
    pub fn new(engine_id: u64, seed: u64) -> Self {
        Config {
            engine_id,
            client_services: BTreeSet::from([BUNDLE_PROTOCOL]),
            receive_limit: 1 << 30,
            max_receiving_sessions: 100_000,
            session_numbers: SessionNumbers::Bits32,
            green_patience: Duration::from_secs(60),
            max_green_part: 64 << 20,
            seed,
            misbehaviour: None,
        }
    }
}

/// The width of session numbers (RFC 5326 §9.1 wants them partly random, §9.3 long enough not to collide).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionNumbers {
    /// Up to 32 bits: ION refuses longer ones.
    Bits32,
    /// Up to 64 bits.
    Bits64,
}

/// Client service number of the Bundle Protocol (IANA, LTP Client Service Identifiers).
pub const BUNDLE_PROTOCOL: u64 = 1;

/// What an engine is told of one peer.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// Longest LTP segment, header and extensions included, in bytes. At least [`PeerConfig::MIN_SEGMENT_SIZE`] and what
    /// authentication adds.
    pub segment_size: usize,
    /// "Additional anticipated latency" of §6.5: what the peer needs to answer beyond light time.
    pub response_margin: Duration,
    /// How often one checkpoint, one report or one cancellation is sent again before the session is given up (§6.7, §6.8,
    /// §6.16).
    pub retransmission_limit: u32,
    /// How many rounds of report and retransmission one part of a block may need before the session is given up with RLEXC
    /// (§6.11, §6.13).
    pub problem_limit: u32,
    /// How many retransmission cycles a session may need before its sender gives it up with RXMTCYCEXC (§6.22): how often
    /// all its checkpoints have been answered and yet data is missing.
    pub cycle_limit: u32,
    /// Marks a red segment as a discretionary checkpoint whenever this many bytes have gone since the last one (§4.1).
    pub checkpoint_every: Option<u64>,
    /// Most bytes of red data that may be under way without a report that claims them, though always one segment; what is new
    /// waits meanwhile, and the last segment before that is a checkpoint. LTP has no flow control: where this finds room in the
    /// peer's buffers, nothing is lost there. It costs throughput where it is less than rate times round-trip time.
    pub unclaimed_limit: Option<u64>,
    /// What becomes of a checkpoint whose report would have no scope (§6.11).
    pub report_scope: ReportScope,
    /// Most claims in one report segment; more make further segments (§6.11). At least one.
    pub max_claims: usize,
    /// Nothing can be sent to this peer: there is "no transmission queue-set bound for" it (§4.2, §6, §6.17, §6.21). Nothing is
    /// reported, acknowledged or cancelled; sessions are simply closed.
    pub receive_only: bool,
    /// Authenticates what is sent, and discards what is received without a right authentication (RFC 5327 section 2.1).
    /// Without it authentication extensions are ignored, as that section demands of who does not support them.
    pub security: Option<Authentication>,
    /// What is done with cookies (RFC 5327 section 2.2).
    pub cookies: Cookies,
    /// Most blocks that may be on their way to this peer: sent or waiting, and not known to be received.
    pub max_blocks: usize,
    /// Most bytes that these may have together. A single longer block is taken when no other is on its way.
    pub max_block_bytes: u64,
    /// Most bytes held for reception from this peer, counted as in [`Config::receive_limit`].
    pub receive_limit: u64,
    /// Most separate ranges of data in one session; a segment that would begin a further one is not accepted.
    pub max_ranges: usize,
}

impl PeerConfig {
    /// Room for the longest header and some data.
    pub const MIN_SEGMENT_SIZE: usize = 128;

    /// The least segment size with this authentication.
    pub(super) fn least_segment_size(&self) -> usize {
        Self::MIN_SEGMENT_SIZE + self.security.as_ref().map_or(0, |s| s.sign.overhead())
    }
}

impl Default for PeerConfig {
    fn default() -> Self {
        PeerConfig {
            segment_size: 1360,
            response_margin: Duration::from_secs(2),
            retransmission_limit: 20,
            problem_limit: 200,
            cycle_limit: 1000,
            checkpoint_every: None,
            unclaimed_limit: None,
            report_scope: ReportScope::Widened,
            max_claims: usize::MAX,
            receive_only: false,
            security: None,
            cookies: Cookies::Follow { extend: 0 },
            max_blocks: 1 << 20,
            max_block_bytes: u64::MAX,
            receive_limit: u64::MAX,
            max_ranges: 1 << 16,
        }
    }
}

/// What becomes of a checkpoint whose report would have a lower bound that is not below its upper bound, because discretionary
/// checkpoints came out of order (§6.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportScope {
    /// The report begins at zero: "the lower bound of every primary reception report MAY be zero". The checkpoint is answered
    /// instead of being sent again and again.
    Widened,
    /// The report "MUST NOT be issued", with every lower bound the one that §6.11 recommends. The checkpoint comes again until
    /// the block is complete or its retransmission limit is reached.
    Withheld,
}

/// How segments to and from a peer are authenticated (RFC 5327 section 2.1).
///
/// Every segment that is sent has both parts of the extension; the header part could be left out after the first segment of
/// a session, but segments get lost. A received segment may lack the header part, since the keys are known from here.
#[derive(Clone, Debug)]
pub struct Authentication {
    /// Signs what is sent, and is accepted.
    pub sign: AuthKey,
    /// Further keys that are accepted, as while keys are being changed.
    pub also_accept: Vec<AuthKey>,
}

impl From<AuthKey> for Authentication {
    fn from(sign: AuthKey) -> Self {
        Authentication { sign, also_accept: Vec::new() }
    }
}

/// What is done with cookies (RFC 5327 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookies {
    /// They are skipped, in what is received, and never sent.
    Ignore,
    /// A peer's cookie is kept, sent in every later segment of its session, and demanded in what comes.
    Follow {
        /// Random octets that this engine adds to the cookie of a session in which it receives the block.
        extend: usize,
    },
    /// As `Follow`, and every session that this engine originates has a cookie from its first segment on.
    Initiate {
        /// Octets of that cookie, 1 to 32.
        length: usize,
        /// As in `Follow`.
        extend: usize,
    },
}

/// The path to a peer and back, as the environment knows it now (§5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathInfo {
    /// One-way light time to the peer.
    pub light_time_out: Duration,
    /// One-way light time from the peer.
    pub light_time_back: Duration,
    /// Data rate to the peer in bits per second; 0 if it need not be counted.
    pub rate_out_bps: u64,
    /// Data rate from the peer in bits per second; 0 if it need not be counted.
    pub rate_back_bps: u64,
    /// Bits that the link layer adds to each frame.
    pub overhead_bits: u64,
}

/// A link state cue about a peer's transmission to this engine (§6.5, §6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cue {
    /// The peer begins to transmit towards this engine.
    PeerStarts,
    /// The peer ceases to transmit towards this engine.
    PeerStops,
}

/// Why a transmission request was refused (§4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// No such peer has been added.
    #[error("engine {0} is not a peer of this engine: add it first")]
    UnknownPeer(u64),
    /// §4.1: the red part is at most the whole block.
    #[error("the red part of {red} bytes is longer than the block of {block} bytes")]
    RedPartTooLong {
        /// Length of the red part.
        red: u64,
        /// Length of the block.
        block: u64,
    },
    /// A block needs at least one byte, since some receivers refuse empty data segments.
    #[error("the block is empty")]
    EmptyBlock,
    /// The peer has as much on its way as its configuration allows. Try again after a session to it has ended.
    #[error(
        "{blocks} blocks with {bytes} bytes are on their way to engine {peer}, and {block_limit} blocks with {byte_limit} \
         bytes are the limit: try again when one has arrived"
    )]
    Full {
        /// To whom.
        peer: u64,
        /// Blocks on their way.
        blocks: usize,
        /// The limit, [`PeerConfig::max_blocks`].
        block_limit: usize,
        /// Bytes on their way.
        bytes: u64,
        /// The limit, [`PeerConfig::max_block_bytes`].
        byte_limit: u64,
    },
}

/// Why no asynchronous report was issued (§6.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReportError {
    /// No such session is open here as receiver.
    #[error("no session of that name is being received")]
    UnknownSession,
    /// §6.11: asynchronous reports are for sessions whose end of red part has not arrived.
    #[error("the end of the red part has arrived, so the next report answers a checkpoint (RFC 5326 section 6.11)")]
    EndOfRedPart,
    /// §6.11: a report with a lower bound that is not below its upper bound must not be issued.
    #[error("there is no red data beyond byte {0}, up to which a report has told already (RFC 5326 section 6.11)")]
    NothingNew(u64),
    /// A limit on reports or on the bytes held for reception is reached, or nothing can be sent to the peer.
    #[error("there is no room for a further report, or nothing can be sent to the peer")]
    NoRoom,
}
