//! PDUs over a chain: LTP segments and bundles in encapsulation packets, packets in AOS frames, and back.
//!
//! ```text
//!   PDU ─ encapsulation packet ─ packet zones ─ AOS frames ─ Chain ─ AOS frames ─ packets ─ PDU
//! ```
//!
//! A PDU arrives if all transfer frames that carry a part of it do; [`Stream::frames_of`] tells which those are.

use std::collections::VecDeque;

use farlink_wire::ccsds::{Agreed, AosFrame, CcsdsError, Encapsulation, Extractor, FirstHeader, Packer, Protocol};

use crate::chain::{Chain, ChainError, Decided, Outcome};
use crate::idle::IDLE_CHANNEL;

/// The most octets that the zone of a frame has: further the pointer to the first packet does not reach.
pub const LONGEST_ZONE_OCTETS: usize = 2046;
/// AOS frames of a virtual channel are counted modulo this.
const MODULUS: u32 = 1 << 24;
/// PDUs whose frames are remembered after they are decided.
const REMEMBERED: usize = 1 << 16;

/// What a stream is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamConfig {
    /// Spacecraft ID of the frames, 8 bits.
    pub spacecraft: u8,
    /// Virtual channel of the frames, 0 to 62.
    pub virtual_channel: u8,
    /// What the PDUs are.
    pub protocol: Protocol,
    /// Longest PDU, octets.
    pub longest_pdu_octets: usize,
}

impl Default for StreamConfig {
    /// LTP segments of at most 64 KiB on virtual channel 0 of spacecraft 0.
    fn default() -> Self {
        StreamConfig { spacecraft: 0, virtual_channel: 0, protocol: Protocol::LTP, longest_pdu_octets: 65_536 }
    }
}

/// Why there is no stream, or a PDU is not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A virtual channel that there is not, or that is for idle frames.
    #[error("`virtual_channel` is {0}: give 0 to 62")]
    VirtualChannel(u8),
    /// Frames too long for packets.
    #[error(
        "frames of {frame} octets have a packet zone of {zone}, more than {LONGEST_ZONE_OCTETS}: take a code or `frame_octets` with shorter frames"
    )]
    Zone {
        /// Octets of a frame.
        frame: usize,
        /// Octets of its packet zone.
        zone: usize,
    },
    /// A limit that packets do not have.
    #[error("`longest_pdu_octets` is {0}: give 1 to 16777216")]
    LongestPdu(usize),
    /// A PDU that is too long.
    #[error("a PDU of {found} octets: this stream takes 1 to {most}")]
    Pdu {
        /// Octets it has.
        found: usize,
        /// The most.
        most: usize,
    },
    /// A packet could not be made of it.
    #[error("PDU: {0}")]
    Packet(#[from] CcsdsError),
}

/// The frames of a chain that carry a part of a PDU, by their indices: from the first to the last, both among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// What became of a PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// What [`Stream::send`] gave.
    pub id: u64,
    /// The octets that came out, as the far end extracted them; `None` if it is lost. They are those that were sent unless a frame was
    /// wrong and nothing could tell.
    pub pdu: Option<Vec<u8>>,
}

/// A PDU under way.
#[derive(Debug, Clone, Copy)]
struct Sent {
    id: u64,
    /// Which of the stream's frames, from 0, has its first and its last octet.
    first: u64,
    last: u64,
    /// Octets of the PDU, and their check, by which it is known again.
    octets: usize,
    check: u64,
}

/// A chain with PDUs on it.
#[derive(Debug)]
pub struct Stream {
    chain: Chain,
    config: StreamConfig,
    zone: usize,
    packer: Packer,
    /// Octets of packets, fill among them, that went into the packer.
    packed: u64,
    /// Frames made so far, and their indices in the chain from `first_frame` on.
    frames: u64,
    first_frame: u64,
    indices: VecDeque<u64>,
    extractor: Extractor,
    sent: VecDeque<Sent>,
    /// The last frames of the stream that did not arrive, as far as PDUs under way begin before them.
    lost: VecDeque<u64>,
    arrivals: VecDeque<Arrival>,
    remembered: VecDeque<Sent>,
    next_id: u64,
    /// Frames that were pushed on the chain before.
    before: u64,
    strange: u64,
}

impl Stream {
    /// A stream on a new chain.
    ///
    /// # Errors
    /// A field that cannot be, by name, or a waveform whose frames are too long for packets.
    pub fn new(chain: Chain, config: StreamConfig) -> Result<Self, StreamError> {
        if config.virtual_channel >= IDLE_CHANNEL {
            return Err(StreamError::VirtualChannel(config.virtual_channel));
        }
        if !(1..=1 << 24).contains(&config.longest_pdu_octets) {
            return Err(StreamError::LongestPdu(config.longest_pdu_octets));
        }
        let frame = chain.waveform().frame_octets();
        let zone = frame - AosFrame::default().overhead(chain.waveform().frame_error_control);
        if zone > LONGEST_ZONE_OCTETS {
            return Err(StreamError::Zone { frame, zone });
        }
        Ok(Stream {
            before: chain.counts().pushed,
            chain,
            config,
            zone,
            packer: Packer::new(zone),
            packed: 0,
            frames: 0,
            first_frame: 0,
            indices: VecDeque::new(),
            // Headers of encapsulation packets have 8 octets at most.
            extractor: Extractor::new(MODULUS, config.longest_pdu_octets + 8),
            sent: VecDeque::new(),
            lost: VecDeque::new(),
            arrivals: VecDeque::new(),
            remembered: VecDeque::new(),
            next_id: 0,
            strange: 0,
        })
    }

    /// The chain below.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// As [`Chain::set_eb_n0_db`], for the frames that are sent from here on.
    ///
    /// # Errors
    /// As there.
    pub fn set_eb_n0_db(&mut self, eb_n0_db: f64) -> Result<(), StreamError> {
        Ok(self.chain.set_eb_n0_db(eb_n0_db)?)
    }

    /// Packs a PDU, and sends the frames that are full; gives its id, counted from 0. What does not fill a frame waits for the next PDU,
    /// [`fill`](Self::fill) or [`flush`](Self::flush).
    ///
    /// # Errors
    /// A PDU that is empty or too long, and a ring that fails.
    pub fn send(&mut self, pdu: &[u8]) -> Result<u64, StreamError> {
        let most = self.config.longest_pdu_octets;
        if pdu.is_empty() || pdu.len() > most {
            return Err(StreamError::Pdu { found: pdu.len(), most });
        }
        let mut packet = Vec::with_capacity(pdu.len() + 8);
        Encapsulation::new(self.config.protocol, pdu).emit(&mut packet)?;
        self.packer.push(&packet)?;
        let (begin, zone) = (self.packed, self.zone as u64);
        self.packed += packet.len() as u64;
        let id = self.next_id;
        self.next_id += 1;
        let last = (self.packed - 1) / zone;
        let sent = Sent { id, first: begin / zone, last, octets: pdu.len(), check: check(pdu) };
        self.sent.push_back(sent);
        self.remembered.push_back(sent);
        if self.remembered.len() > REMEMBERED {
            self.remembered.pop_front();
        }
        while let Some(zone) = self.packer.zone(false) {
            self.frame(zone.first_header, &zone.data)?;
        }
        self.digest();
        Ok(id)
    }

    /// Fills the frame that is begun with an idle packet, and sends it. Without one, nothing is sent.
    ///
    /// # Errors
    /// A ring that fails.
    pub fn fill(&mut self) -> Result<(), StreamError> {
        if !self.packer.is_empty()
            && let Some(zone) = self.packer.zone(true)
        {
            self.packed = self.packed.next_multiple_of(self.zone as u64);
            self.frame(zone.first_header, &zone.data)?;
        }
        self.digest();
        Ok(())
    }

    /// Fills the frame that is begun, and sends idle frames until all is decided.
    ///
    /// # Errors
    /// A ring that fails.
    pub fn flush(&mut self) -> Result<(), StreamError> {
        self.fill()?;
        self.chain.flush()?;
        self.digest();
        Ok(())
    }

    /// Fills the frame that is begun, and then is silent ([`Chain::gap`]): all is decided then, and the receiver begins from cold.
    ///
    /// # Errors
    /// A ring that fails.
    pub fn gap(&mut self, silence_s: f64) -> Result<(), StreamError> {
        self.fill()?;
        self.chain.gap(silence_s)?;
        self.digest();
        Ok(())
    }

    /// The next PDU that is decided, in the order of sending. Who does not poll lets them pile up.
    pub fn poll(&mut self) -> Option<Arrival> {
        self.arrivals.pop_front()
    }

    /// The frames of the chain that carry a part of a PDU; `None` before all of it is sent, and if it is forgotten (65536 PDUs).
    pub fn frames_of(&self, id: u64) -> Option<Frames> {
        let first = self.remembered.front()?.id;
        let sent = self.remembered.get(usize::try_from(id.checked_sub(first)?).ok()?)?;
        let index = |frame: u64| self.indices.get(usize::try_from(frame.checked_sub(self.first_frame)?).ok()?).copied();
        Some(Frames { first: index(sent.first)?, last: index(sent.last)? })
    }

    /// Packets that came out and were never sent, or not whole: what frames that are wrong, unnoticed, leave.
    pub fn strange_packets(&self) -> u64 {
        self.strange
    }

    fn frame(&mut self, first_header: FirstHeader, data: &[u8]) -> Result<(), StreamError> {
        let StreamConfig { spacecraft, virtual_channel, .. } = self.config;
        let count = (self.frames % u64::from(MODULUS)) as u32;
        let frame = AosFrame { spacecraft, virtual_channel, count, first_header, data, ..AosFrame::default() };
        let mut octets = Vec::with_capacity(self.chain.waveform().frame_octets());
        frame.emit(self.chain.waveform().frame_error_control, &mut octets);
        let index = self.chain.push(&octets)?;
        self.indices.push_back(index);
        self.frames += 1;
        // Those of PDUs that are remembered stay known.
        let oldest = self.remembered.front().map_or(self.frames, |sent| sent.first);
        while self.first_frame < oldest && !self.indices.is_empty() {
            self.indices.pop_front();
            self.first_frame += 1;
        }
        Ok(())
    }

    /// Takes the frames that are decided.
    fn digest(&mut self) {
        while let Some(decided) = self.chain.poll() {
            self.take(decided);
        }
    }

    fn take(&mut self, decided: Decided) {
        // From its beginning on, all frames of the chain are the stream's.
        let Some(number) = decided.index.checked_sub(self.before) else { return };
        let arrived = matches!(decided.outcome, Outcome::Delivered | Outcome::Undetected { .. });
        let mut packets = Vec::new();
        let error_control = self.chain.waveform().frame_error_control;
        let parsed =
            decided.received.as_ref().filter(|_| arrived).and_then(|received| {
                AosFrame::parse(&received.octets, Agreed { error_control, ..Agreed::default() }).ok()
            });
        match parsed {
            Some(frame) if frame.virtual_channel == self.config.virtual_channel => {
                self.extractor.take(frame.count, frame.first_header, frame.data, |packet| {
                    if let Ok((packet, _)) = Encapsulation::parse(packet)
                        && packet.protocol == self.config.protocol
                    {
                        packets.push(packet.data.to_vec());
                    } else {
                        self.strange += 1;
                    }
                });
            }
            _ => self.lost.push_back(number),
        }
        let mut packets = VecDeque::from(packets);
        while self.sent.front().is_some_and(|sent| sent.last <= number) {
            let Some(sent) = self.sent.pop_front() else { break };
            let whole = !self.lost.iter().any(|lost| (sent.first..=sent.last).contains(lost));
            let pdu = if whole { self.pick(&sent, &mut packets) } else { None };
            self.arrivals.push_back(Arrival { id: sent.id, pdu });
        }
        self.strange += packets.len() as u64;
        let under_way = self.sent.front().map_or(number + 1, |sent| sent.first);
        while self.lost.front().is_some_and(|lost| *lost < under_way) {
            self.lost.pop_front();
        }
    }

    /// Which of the packets that came out is this PDU.
    fn pick(&mut self, sent: &Sent, packets: &mut VecDeque<Vec<u8>>) -> Option<Vec<u8>> {
        let same = |pdu: &Vec<u8>| pdu.len() == sent.octets && check(pdu) == sent.check;
        let place = packets.iter().position(same);
        // If none is, the next of its length is it with errors that nothing could tell.
        let place = place.or_else(|| packets.iter().position(|pdu| pdu.len() == sent.octets))?;
        self.strange += place as u64;
        packets.drain(..place);
        packets.pop_front()
    }
}

/// FNV-1a of 64 bits: enough to know PDUs of one frame apart.
fn check(octets: &[u8]) -> u64 {
    octets.iter().fold(0xCBF2_9CE4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x100_0000_01B3))
}
