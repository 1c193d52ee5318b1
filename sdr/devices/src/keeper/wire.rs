//! What the program and its keeper say to each other: frames of a header in JSON and samples.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use num_complex::Complex32;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::KeeperError;
use crate::device::{Burst, DeviceError, Direction, Losses, Received, Settings};
use crate::file::SampleFormat;
use crate::safety::{Rules, State};

/// The longest header, in octets.
const HEADER: usize = 64 * 1024;
/// The most samples in a frame.
pub(super) const SAMPLES: usize = 64 * 1024;
/// How long a wait on the socket is, before it is looked whether to go on.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// What the program asks. All but the first are answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    /// First: under which rules.
    Hold {
        rules: Option<Rules>,
    },
    Set {
        direction: Direction,
        wanted: Settings,
    },
    Settings {
        direction: Direction,
    },
    GainRange {
        direction: Direction,
    },
    SetGain {
        direction: Direction,
        gain_db: f64,
    },
    Run {
        direction: Direction,
        runs: bool,
    },
    /// For this many samples at most.
    Receive {
        most: usize,
        timeout: Duration,
    },
    /// The samples follow.
    Transmit {
        burst: Burst,
        timeout: Duration,
    },
    Time,
    /// Control is there.
    Control,
    /// Silence the device and end.
    Close,
}

/// What the keeper answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    pub(super) answer: Result<Answer, DeviceError>,
    pub(super) losses: Losses,
    /// Whether each direction tells of its losses: some drivers show only once they run that they do not.
    pub(super) tells_losses: [bool; 2],
    pub(super) runs: [bool; 2],
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Answer {
    /// To [`Request::Hold`].
    Held {
        name: String,
        has: [bool; 2],
    },
    Settings(Settings),
    Range([f64; 2]),
    Gain(f64),
    Done,
    /// The samples follow.
    Received(Received),
    Taken(usize),
    Time(Option<i64>),
    /// The keeper ends: what became of the device. Also without being asked.
    Ended(State),
}

/// Writes a frame.
pub(super) fn send(
    stream: &mut UnixStream,
    header: &impl Serialize,
    samples: &[Complex32],
    go_on: &mut dyn FnMut() -> bool,
) -> Result<(), KeeperError> {
    let header = serde_json::to_vec(header).map_err(|error| KeeperError::Malformed(error.to_string()))?;
    let mut octets = Vec::with_capacity(8 + header.len() + samples.len() * 8);
    octets.extend((header.len() as u32).to_le_bytes());
    octets.extend((samples.len() as u32).to_le_bytes());
    octets.extend(header);
    SampleFormat::Cf32Le.encode(samples, &mut octets);
    let mut rest = octets.as_slice();
    while !rest.is_empty() {
        match stream.write(rest) {
            Ok(0) => return Err(KeeperError::Gone),
            Ok(count) => rest = &rest[count..],
            Err(error) => wait(&error, go_on)?,
        }
    }
    Ok(())
}

/// Reads a frame; its samples replace those given.
pub(super) fn take<T: DeserializeOwned>(
    stream: &mut UnixStream,
    samples: &mut Vec<Complex32>,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<T, KeeperError> {
    let mut lengths = [0; 8];
    fill(stream, &mut lengths, go_on)?;
    let [a, b, c, d, e, f, g, h] = lengths;
    let (header_length, count) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize);
    if header_length > HEADER || count > SAMPLES {
        return Err(KeeperError::Malformed(format!("a header of {header_length} octets and {count} samples")));
    }
    let mut octets = vec![0; header_length];
    fill(stream, &mut octets, go_on)?;
    let header = serde_json::from_slice(&octets).map_err(|error| KeeperError::Malformed(error.to_string()))?;
    octets.resize(count * SampleFormat::Cf32Le.sample_octets(), 0);
    fill(stream, &mut octets, go_on)?;
    samples.resize(count, Complex32::default());
    SampleFormat::Cf32Le.decode(&octets, samples);
    Ok(header)
}

fn fill(stream: &mut UnixStream, octets: &mut [u8], go_on: &mut dyn FnMut() -> bool) -> Result<(), KeeperError> {
    let mut had = 0;
    while had < octets.len() {
        match stream.read(&mut octets[had..]) {
            Ok(0) => return Err(KeeperError::Gone),
            Ok(count) => had += count,
            Err(error) => wait(&error, go_on)?,
        }
    }
    Ok(())
}

fn wait(error: &io::Error, go_on: &mut dyn FnMut() -> bool) -> Result<(), KeeperError> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted if go_on() => Ok(()),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Err(KeeperError::System {
            what: "wait for the other end any longer",
            source: io::ErrorKind::TimedOut.into(),
        }),
        // The other end was killed, with something unread or not.
        _ => Err(KeeperError::Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (UnixStream, UnixStream) {
        let (one, other) = UnixStream::pair().unwrap();
        one.set_read_timeout(Some(LOOK)).unwrap();
        (one, other)
    }

    #[test]
    fn frames_come_back_whole() {
        let (mut one, mut other) = pair();
        let sent = [Complex32::new(0.25, -1.0), Complex32::new(0.0, 3.0)];
        let request = Request::Transmit { burst: Burst { at_ns: Some(-1), ends: true }, timeout: LOOK };
        send(&mut other, &request, &sent, &mut || true).unwrap();
        let mut samples = Vec::new();
        let got: Request = take(&mut one, &mut samples, &mut || true).unwrap();
        assert_eq!(format!("{got:?}"), format!("{request:?}"));
        assert_eq!(samples, sent);
    }

    #[test]
    fn nonsense_is_an_error_and_takes_no_memory() {
        for octets in [
            &[255; 8][..],
            &[0, 0, 0, 0, 1, 0, 1, 0],
            &[2, 0, 0, 0, 0, 0, 0, 0, b'{', b'}'],
            &[2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
        ] {
            let (mut one, mut other) = pair();
            other.write_all(octets).unwrap();
            let error = take::<Request>(&mut one, &mut Vec::new(), &mut || true).unwrap_err();
            assert!(matches!(error, KeeperError::Malformed(_)), "{error}");
        }
    }

    #[test]
    fn an_end_and_a_pause_within_a_frame_are_seen() {
        let (mut one, mut other) = pair();
        other.write_all(&[9, 0, 0]).unwrap();
        let mut looks = 0;
        let mut go_on = || {
            looks += 1;
            looks < 3
        };
        let error = take::<Request>(&mut one, &mut Vec::new(), &mut go_on).unwrap_err();
        assert!(matches!(error, KeeperError::System { .. }), "{error}");
        drop(other);
        let error = take::<Request>(&mut one, &mut Vec::new(), &mut || true).unwrap_err();
        assert!(matches!(error, KeeperError::Gone), "{error}");
    }
}
