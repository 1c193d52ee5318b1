//! A capture from end to end: LTP segments, the sessions they make, and every bundle inside.

use std::io::Read;

use farlink_wire::bpv7::{Bundle, BundleError};
use farlink_wire::ltp::{LtpError, Segment, SessionId, segments};
use serde::Serialize;

use crate::bundle::{BundleView, SHOWN};
use crate::capture::{CaptureError, CaptureFile, Ends, Network, Totals, Transport};
use crate::ltp::{Arrived, Found, SessionView, Sessions};
use crate::streams::Streams;
use crate::time;

/// The registered port of LTP over UDP (RFC 7122 section 3.2.1).
pub const LTP_PORT: u16 = 1113;
/// The registered port of bundles in UDP datagrams (RFC 7122 section 3.2.2).
pub const UDPCL_PORT: u16 = 4556;

/// What to look for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Datagrams to these ports hold LTP segments. Replies from them to other ports are not read, since a capture around
    /// an emulator has each of them twice.
    pub ltp_ports: Vec<u16>,
    /// How many octets of payloads and unknown blocks to show.
    pub shown: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { ltp_ports: vec![LTP_PORT], shown: SHOWN }
    }
}

/// Where a bundle was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// First octet in the input; in a capture, in the LTP block, datagram or frame that carried it.
    pub octet: usize,
    /// `LTP`, `UDP`, `TCPCL`, `MTCP` or `STCP`; `null` in an input that is no capture.
    pub carrier: Option<&'static str>,
    /// Packet that completed it.
    pub packet: Option<u64>,
    /// When that was captured, RFC 3339.
    pub time: Option<String>,
    /// `address → address` of that packet.
    pub path: Option<String>,
    /// LTP session, `originator:number`.
    pub session: Option<String>,
}

/// What is found on the way.
pub enum Sight<'a> {
    /// A segment.
    Segment {
        /// The segment.
        segment: &'a Segment<'a>,
        /// Its octets in the datagram.
        octets: (usize, usize),
        /// When and where.
        arrived: Arrived,
    },
    /// Octets on a port of LTP that are no segment.
    Refused {
        /// The datagram.
        datagram: &'a [u8],
        /// Where the segment begins.
        start: usize,
        /// Why.
        error: &'a LtpError,
        /// When and where.
        arrived: Arrived,
    },
    /// A bundle, or octets where one should be.
    Bundle(Origin, Box<BundleView>),
    /// A session that has ended, or at the end of the capture. Comes after its bundles.
    Session(Box<SessionView>),
    /// Something that a person should know.
    Note(String),
}

/// What a capture came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Packets and ports.
    pub totals: Totals,
    /// LTP segments.
    pub segments: u64,
    /// Datagrams on a port of LTP that held something else.
    pub refused: u64,
    /// Bundles, also those that are not valid.
    pub bundles: u64,
}

/// The bundles of octets, one after the other. After one whose end cannot be found, nothing says where the next begins.
pub fn bundles(octets: &[u8], shown: usize) -> impl Iterator<Item = (usize, BundleView)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= octets.len() {
            return None;
        }
        let view = BundleView::read(&octets[at..], shown);
        let start = at;
        at = if view.ended { at + view.length } else { octets.len() };
        Some((start, view))
    })
}

/// Reads a capture to its end; what is found is handed to `each` in the order of the capture.
///
/// # Errors
/// See [`CaptureError`]. Everything before has been handed over, and so have the sessions and blocks as they stood.
pub fn survey(
    input: impl Read,
    options: &Options,
    each: &mut dyn FnMut(Sight<'_>),
) -> Result<Summary, Box<(Summary, CaptureError)>> {
    let mut survey = Survey {
        options,
        sessions: Sessions::default(),
        streams: Streams::default(),
        summary: Summary::default(),
        late: Vec::new(),
    };
    let mut network = Network::default();
    let mut file = CaptureFile::open(input).map_err(|error| Box::new((Summary::default(), error)))?;
    let ended = loop {
        let packet = match file.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        let Some(payload) = network.payload(&packet) else { continue };
        let arrived = Arrived { packet: packet.number, unix_ns: packet.unix_ns, ends: payload.ends };
        survey.payload(payload.transport, &payload.octets, arrived, each);
    };
    for note in network.totals().notes(network.incomplete_fragments()) {
        each(Sight::Note(note));
    }
    survey.end(each);
    let mut summary = survey.summary;
    summary.totals = network.totals().clone();
    match ended {
        Ok(()) => Ok(summary),
        Err(error) => Err(Box::new((summary, error))),
    }
}

struct Survey<'o> {
    options: &'o Options,
    sessions: Sessions,
    streams: Streams,
    summary: Summary,
    /// Bundles of sessions that are being given out.
    late: Vec<(SessionId, String)>,
}

impl Survey<'_> {
    fn payload(&mut self, transport: Transport, octets: &[u8], arrived: Arrived, each: &mut dyn FnMut(Sight<'_>)) {
        let port = arrived.ends.destination.port();
        match transport {
            Transport::Udp if self.options.ltp_ports.contains(&port) => self.ltp(octets, arrived, each),
            // Four zero octets keep a path alive (RFC 7122 section 3.2.2).
            Transport::Udp if port == UDPCL_PORT && *octets != [0; 4] && !octets.is_empty() => {
                self.octets("UDP", None, octets, true, arrived, each);
            }
            Transport::Udp => {}
            Transport::Tcp { sequence, syn } => {
                for (carrier, octets) in self.streams.segment(arrived.ends, sequence, syn, octets) {
                    self.octets(carrier, None, &octets, true, arrived, each);
                }
            }
        }
    }

    fn ltp(&mut self, datagram: &[u8], arrived: Arrived, each: &mut dyn FnMut(Sight<'_>)) {
        let mut start = 0;
        for segment in segments(datagram) {
            let segment = match segment {
                Ok(segment) => segment,
                Err(error) => {
                    self.summary.refused += 1;
                    each(Sight::Refused { datagram, start, error: &error, arrived });
                    return;
                }
            };
            // Segments may be written wider than they need to be, so their length is what parsing took.
            let end = Segment::parse(&datagram[start..]).map_or(datagram.len(), |(_, octets)| start + octets);
            self.summary.segments += 1;
            each(Sight::Segment { segment: &segment, octets: (start, end), arrived });
            start = end;
            let mut found = Vec::new();
            self.sessions.segment(&segment, arrived, &mut |one| found.push(one));
            self.found(found, each);
        }
    }

    fn found(&mut self, found: Vec<Found>, each: &mut dyn FnMut(Sight<'_>)) {
        for one in found {
            match one {
                Found::Block { session, arrived, octets, whole } => {
                    self.octets("LTP", Some(session), &octets, whole, arrived, each);
                }
                Found::Session(mut view) => {
                    let id = SessionId { originator: view.originator, number: view.number };
                    let bundles = self.late.extract_if(.., |(session, _)| *session == id);
                    view.bundles.extend(bundles.map(|(_, line)| line));
                    each(Sight::Session(view));
                }
            }
        }
    }

    /// Octets that are bundles, or the first ones of such.
    fn octets(
        &mut self,
        carrier: &'static str,
        session: Option<SessionId>,
        octets: &[u8],
        whole: bool,
        arrived: Arrived,
        each: &mut dyn FnMut(Sight<'_>),
    ) {
        for (start, view) in bundles(octets, self.options.shown) {
            let is_cut = !whole
                && !view.ended
                && matches!(Bundle::parse_prefix(&octets[start..]), Err(BundleError::Truncated { .. }));
            if is_cut && let Some(session) = session {
                let missing = "the block is not whole, so it cannot be read to its end";
                self.sessions
                    .note_on_bundles(session, format!("a bundle begins at octet {start} of the block; {missing}"));
                each(Sight::Note(format!(
                    "LTP session {session}: octets from {} on are missing in the capture, so a bundle that begins at octet \
                     {start} of the block cannot be read: {}",
                    octets.len(),
                    view.title()
                )));
                continue;
            }
            self.summary.bundles += 1;
            if let Some(session) = session {
                let verdict = match view.problems.first() {
                    None => String::new(),
                    Some(problem) => format!(", INVALID at its octet {}: {}", problem.octet, problem.message),
                };
                let line = format!("octets {start}..{} of the block: {}{verdict}", start + view.length, view.title());
                if !self.sessions.add_bundle(session, line.clone()) {
                    self.late.push((session, line));
                }
            }
            let origin = Origin {
                octet: start,
                carrier: Some(carrier),
                packet: Some(arrived.packet),
                time: arrived.unix_ns.map(time::unix_rfc3339),
                path: Some(path(arrived.ends)),
                session: session.map(|session| session.to_string()),
            };
            each(Sight::Bundle(origin, Box::new(view)));
        }
        if let Some(session) = session.filter(|_| octets.is_empty() && !whole) {
            each(Sight::Note(format!("LTP session {session}: the block's first octet is missing in the capture")));
        }
    }

    fn end(&mut self, each: &mut dyn FnMut(Sight<'_>)) {
        let mut found = Vec::new();
        self.sessions.end_blocks(&mut |one| found.push(one));
        self.found(found, each);
        let mut found = Vec::new();
        std::mem::take(&mut self.sessions).end(&mut |one| found.push(one));
        self.found(found, each);
        let streams = [
            (
                self.streams.dark,
                "TCP streams of TCPCL were not read to their end: secured by TLS, of another version, or malformed",
            ),
            (self.streams.incomplete(), "TCP streams of bundles lack octets in the capture, or end within a bundle"),
            (self.streams.given_up, "TCP segments or streams were left out: too many streams, or too long a gap"),
        ];
        for (number, what) in streams.into_iter().filter(|(number, _)| *number > 0) {
            each(Sight::Note(format!("{number} {what}")));
        }
    }
}

fn path(ends: Ends) -> String {
    ends.to_string()
}
