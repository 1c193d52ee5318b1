//! What goes over an application's socket. The table is at [`Target::Socket`](super::Target::Socket).

use farlink_engine::bp::Transmission;
use farlink_units::Duration;
use farlink_wire::bpv7::{BundleFlags, Eid};
use serde::{Deserialize, Serialize};

/// Longest line, its end included.
pub(super) const LONGEST_LINE: usize = 64 << 10;

#[derive(Serialize)]
struct Deliver<'a> {
    deliver: &'a str,
    source: String,
    destination: String,
    creation: String,
    length: u64,
}

#[derive(Serialize)]
struct Sent<'a> {
    sent: &'a str,
}

#[derive(Serialize)]
struct Wrong<'a> {
    error: &'a str,
}

fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The line before a unit.
pub(super) fn deliver(name: &str, delivery: &crate::builtin::Delivery) -> Vec<u8> {
    let id = &delivery.id;
    line(&Deliver {
        deliver: name,
        source: id.source.to_string(),
        destination: delivery.destination.to_string(),
        creation: format!("{}-{}", id.creation.time_ms, id.creation.sequence),
        length: delivery.payload.iter().map(|piece| piece.len() as u64).sum(),
    })
}

pub(super) fn sent(bundle: &str) -> Vec<u8> {
    line(&Sent { sent: bundle })
}

pub(super) fn error(why: &str) -> Vec<u8> {
    line(&Wrong { error: why })
}

/// What an application sends.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Delivered(String),
    Send(Request),
}

/// A request to send, as it stands in the line.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    to: String,
    length: u64,
    lifetime: Option<String>,
    class: Option<String>,
    report_to: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
}

impl Request {
    /// The transmission that is asked for, without its payload.
    pub fn transmission(&self, source: &Eid) -> Result<Transmission, String> {
        let to: Eid = self.to.parse().map_err(|error| format!("to: {error}"))?;
        let mut transmission = Transmission::new(source.clone(), to, bytes::Bytes::new());
        if let Some(lifetime) = &self.lifetime {
            transmission.lifetime = lifetime.parse().map_err(|error| format!("lifetime: {error}"))?;
            if transmission.lifetime <= Duration::ZERO {
                return Err(format!("lifetime: {lifetime} leaves no time to arrive: write more, as in `1 h`"));
            }
        }
        if let Some(class) = &self.class {
            transmission.class = class.parse().map_err(|error| format!("class: {error}"))?;
        }
        for name in &self.flags {
            transmission.flags |= flag(name)?;
        }
        if let Some(to) = &self.report_to {
            transmission.report_to = to.parse().map_err(|error| format!("report_to: {error}"))?;
        } else if transmission.flags.intersects(BundleFlags::ALL_REPORTS) {
            transmission.report_to = source.node_id().unwrap_or(Eid::None);
        }
        Ok(transmission)
    }
}

fn flag(name: &str) -> Result<BundleFlags, String> {
    Ok(match name {
        "report-reception" => BundleFlags::REPORT_RECEPTION,
        "report-forwarding" => BundleFlags::REPORT_FORWARDING,
        "report-delivery" => BundleFlags::REPORT_DELIVERY,
        "report-deletion" => BundleFlags::REPORT_DELETION,
        "status-time" => BundleFlags::STATUS_TIME_REQUESTED,
        "must-not-fragment" => BundleFlags::MUST_NOT_FRAGMENT,
        "acknowledgment" => BundleFlags::ACK_REQUESTED,
        _ => {
            return Err(format!(
                "flags: `{}` is none: report-reception, report-forwarding, report-delivery, report-deletion, status-time, \
                 must-not-fragment and acknowledgment are",
                name.escape_debug()
            ));
        }
    })
}

/// Octets that have come and make no message yet.
#[derive(Debug)]
pub(super) struct Input {
    buffer: Vec<u8>,
    /// How much of the buffer is known to have no end of line.
    searched: usize,
    body: Option<Body>,
    longest_unit: u64,
}

#[derive(Debug)]
struct Body {
    /// The transmission so far, or what the answer will be when the rest has been skipped.
    request: Result<Transmission, String>,
    data: Vec<u8>,
    missing: u64,
}

/// What [`Input::next`] has found.
#[derive(Debug)]
pub(super) enum Found {
    /// The application has this unit.
    Delivered(String),
    /// It wants this sent.
    Send(Box<Transmission>),
    /// What it wants cannot be sent: this is the answer.
    Refused(String),
}

impl Input {
    pub fn new(longest_unit: u64) -> Self {
        Input { buffer: Vec::new(), searched: 0, body: None, longest_unit }
    }

    pub fn add(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// The next message, if it is whole. An error says what no application may send; nothing after it can be read.
    pub fn next(&mut self, source: &Eid) -> Result<Option<Found>, String> {
        loop {
            if let Some(body) = &mut self.body {
                let length = usize::try_from(body.missing).unwrap_or(usize::MAX).min(self.buffer.len());
                let part = self.buffer.drain(..length);
                if body.request.is_ok() {
                    body.data.extend(part);
                } else {
                    drop(part);
                }
                body.missing -= length as u64;
                if body.missing > 0 {
                    return Ok(None);
                }
                let Some(Body { request, data, .. }) = self.body.take() else { return Ok(None) };
                return Ok(Some(match request {
                    Ok(transmission) => Found::Send(Box::new(Transmission { payload: data.into(), ..transmission })),
                    Err(why) => Found::Refused(why),
                }));
            }
            let Some(end) = self.buffer[self.searched..].iter().position(|octet| *octet == b'\n') else {
                self.searched = self.buffer.len();
                if self.searched >= LONGEST_LINE {
                    return Err(too_long());
                }
                return Ok(None);
            };
            let end = self.searched + end;
            self.searched = 0;
            if end >= LONGEST_LINE {
                return Err(too_long());
            }
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(Line::Delivered(name)) => return Ok(Some(Found::Delivered(name))),
                Ok(Line::Send(request)) if request.length > self.longest_unit => {
                    return Err(format!(
                        "length: {} octets are more than this node takes, {}: send less, or raise its storage limit",
                        request.length, self.longest_unit
                    ));
                }
                Ok(Line::Send(request)) => {
                    let missing = request.length;
                    self.body = Some(Body { request: request.transmission(source), data: Vec::new(), missing });
                }
                Err(error) => {
                    return Err(format!(
                        "the line is no message ({error}): write {{\"delivered\": \"<unit>\"}} or \
                         {{\"send\": {{\"to\": \"ipn:20.1\", \"length\": 5}}}} and the data"
                    ));
                }
            }
        }
    }
}

fn too_long() -> String {
    format!("the line is longer than {LONGEST_LINE} octets: end it with a line feed, and put data after it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlink_engine::class::Class;

    fn read(input: &mut Input) -> Result<Option<Found>, String> {
        input.next(&Eid::ipn(30, 1))
    }

    fn all(text: &[u8], step: usize) -> Result<Vec<Found>, String> {
        let mut input = Input::new(100);
        let mut found = Vec::new();
        for part in text.chunks(step) {
            input.add(part);
            while let Some(message) = read(&mut input)? {
                found.push(message);
            }
        }
        Ok(found)
    }

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let text = b"{\"delivered\": \"a\"}\n{\"send\": {\"to\": \"ipn:20.1\", \"length\": 5, \"lifetime\": \"1 h\", \
            \"class\": \"bulk\", \"flags\": [\"report-delivery\"]}}\nab\ncd{\"delivered\":\"b\"}\n";
        for step in [1, 2, 7, 1000] {
            let found = all(text, step).unwrap();
            let [Found::Delivered(a), Found::Send(send), Found::Delivered(b)] = &found[..] else { panic!("{found:?}") };
            assert_eq!((a.as_str(), b.as_str()), ("a", "b"));
            assert_eq!(&send.payload[..], b"ab\ncd");
            assert_eq!((&send.source, &send.destination), (&Eid::ipn(30, 1), &Eid::ipn(20, 1)));
            assert_eq!((send.lifetime, send.class), (Duration::from_secs(3600), Class::Bulk));
            assert_eq!((send.flags, &send.report_to), (BundleFlags::REPORT_DELIVERY, &Eid::ipn(30, 0)));
        }
    }

    #[test]
    fn a_request_that_can_be_read_is_refused_after_its_data() {
        let cases = [
            ("\"to\": \"20.1\"", "to: "),
            ("\"to\": \"ipn:20.1\", \"lifetime\": \"3600\"", "lifetime: "),
            ("\"to\": \"ipn:20.1\", \"lifetime\": \"0 s\"", "lifetime: "),
            ("\"to\": \"ipn:20.1\", \"class\": \"urgent\"", "class: "),
            ("\"to\": \"ipn:20.1\", \"flags\": [\"is-fragment\"]", "flags: "),
            ("\"to\": \"ipn:20.1\", \"report_to\": \"me\"", "report_to: "),
        ];
        for (fields, expected) in cases {
            let text = format!("{{\"send\": {{{fields}, \"length\": 3}}}}\nabc{{\"delivered\": \"x\"}}\n");
            let found = all(text.as_bytes(), 4).unwrap();
            let [Found::Refused(why), Found::Delivered(_)] = &found[..] else { panic!("{found:?}") };
            assert!(why.starts_with(expected), "{why}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let long = vec![b'x'; LONGEST_LINE];
        let cases: [(&[u8], &str); 6] = [
            (b"hello\n", "no message"),
            (b"\xff\xfe\n", "no message"),
            (b"{\"send\": {\"to\": \"ipn:20.1\", \"length\": 101}}\n", "more than this node takes, 100"),
            (b"{\"send\": {\"to\": \"ipn:20.1\", \"length\": -1}}\n", "no message"),
            (b"{\"send\": {\"to\": \"ipn:20.1\", \"length\": 1, \"colour\": 2}}\n", "colour"),
            (&long, "longer than 65536"),
        ];
        for (text, expected) in cases {
            let why = all(text, 1000).unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
        // A line of the limit, with its end too far away, is refused whether the end came with it or not.
        assert!(all(&[&long[..], b"\n"].concat(), long.len() + 1).unwrap_err().contains("longer"));
    }
}
