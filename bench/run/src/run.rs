//! The run itself.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use farlink_link::clock::Clock;
use farlink_nodes::builtin::Delivery;
use farlink_record::capture::CaptureWriter;
use farlink_record::counters::RunCounters;
use farlink_record::recording::{RecordingDigest, RecordingWriter, hex};
use farlink_record::results::{Results, Timing};
use farlink_record::{BundleNotice, Event, Header, NodeId, Stamped};
use farlink_units::{Duration, Instant};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::folder::{FolderError, RunFolder};
use crate::prepare::{Prepared, Sending};
use crate::verdicts::{Fate, Outcome};

/// Which clock drives a run, as users write it: `virtual`, `wall`, `wall:600`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClockKind {
    /// Jump from event to event.
    Virtual,
    /// Real time, this many times as fast.
    Wall {
        /// Bench seconds per real second; above zero.
        speed: f64,
    },
}

impl fmt::Display for ClockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClockKind::Virtual => f.write_str("virtual"),
            ClockKind::Wall { speed } if *speed == 1.0 => f.write_str("wall"),
            ClockKind::Wall { speed } => write!(f, "wall:{speed}"),
        }
    }
}

impl FromStr for ClockKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let speed = |text: &str| text.parse().ok().filter(|s: &f64| *s >= 1e-3 && *s <= 1e6);
        match text.split_once(':') {
            None if text == "virtual" => Ok(ClockKind::Virtual),
            None if text == "wall" => Ok(ClockKind::Wall { speed: 1.0 }),
            Some(("wall", factor)) => speed(factor).map(|speed| ClockKind::Wall { speed }).ok_or_else(|| {
                format!("`{factor}` is no speed: write how many times as fast as real time, 0.001 to 1000000, as in `wall:600`")
            }),
            _ => Err(format!("`{text}` is no clock: write `virtual`, `wall` or `wall:600` (six hundred times as fast)")),
        }
    }
}

/// For how long a run in real time keeps events back from its recording: whoever reads it while it grows, or finds it after
/// the process was killed, sees all that has happened up to this long ago.
const HELD_BACK: std::time::Duration = std::time::Duration::from_millis(100);

/// Why a run stopped.
#[derive(Debug, Error)]
pub enum RunError {
    /// The run folder could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// A run that has ended, one way or the other.
#[derive(Debug)]
pub struct Finished {
    /// What it comes to. Where `error` is set these are the results up to then.
    pub results: Results,
    /// What went wrong with the bench itself.
    pub error: Option<RunError>,
}

struct Files {
    recording: RecordingWriter<File>,
    recording_path: PathBuf,
    capture: CaptureWriter<File>,
    capture_path: PathBuf,
}

/// What follows a run as it happens: the files, the counters, whoever watches.
struct Sinks<'a> {
    files: Files,
    counters: RunCounters,
    error: Option<FolderError>,
    observe: &'a mut dyn FnMut(&Stamped),
}

impl Sinks<'_> {
    fn event(&mut self, stamped: Stamped) {
        self.counters.apply(&stamped.event);
        if self.error.is_none() {
            let Files { recording, recording_path, capture, capture_path } = &mut self.files;
            let recorded = recording.event(&stamped).map_err(|source| FolderError::new(recording_path, source));
            let captured = capture.event(&stamped).map_err(|source| FolderError::new(capture_path, source));
            self.error = recorded.and(captured).err();
        }
        (self.observe)(&stamped);
    }

    /// Writes what is held back of the recording.
    fn flush(&mut self) {
        if self.error.is_none() {
            let Files { recording, recording_path, .. } = &mut self.files;
            self.error = recording.flush().map_err(|source| FolderError::new(recording_path, source)).err();
        }
    }
}

impl Prepared {
    /// Drives the bench to the end of the scenario, or until `stop` is set or the disk is full. Every event goes to
    /// `observe` as well.
    ///
    /// # Errors
    /// The files of the run cannot be opened. What goes wrong later is told in [`Finished::error`], since there are results
    /// by then.
    pub fn run(
        mut self,
        folder: &RunFolder,
        stop: &AtomicBool,
        observe: &mut dyn FnMut(&Stamped),
    ) -> Result<Finished, RunError> {
        let mut fates = vec![Fate::default(); self.sendings.len()];
        let counters = RunCounters::new(&self.header);
        // From here on the folder holds valid results, whatever happens to this process.
        folder.write_results(&self.outcome(&fates, &counters, None, true, Instant::ZERO, None))?;
        let files = open(folder, &self.header, self.epoch_unix_nanos)?;
        let mut sinks = Sinks { files, counters, error: None, observe };

        let mut clock = match self.clock {
            ClockKind::Virtual => Clock::Virtual,
            ClockKind::Wall { speed } => Clock::wall(speed),
        };
        let mut pending: Vec<usize> = (0..self.sendings.len()).collect();
        pending.sort_by_key(|index| std::cmp::Reverse((self.sendings[*index].at, *index)));
        let mut now = Instant::ZERO;
        let mut interrupted = false;
        let began = std::time::Instant::now();
        let mut flushed = began;
        loop {
            let sending = pending.last().map(|index| self.sendings[*index].at);
            let bench = self.bench.next_instant();
            let next = sending.into_iter().chain(bench).min().filter(|at| *at <= self.end).unwrap_or(self.end);
            if let ClockKind::Wall { speed } = self.clock
                && (flushed.elapsed() > HELD_BACK || (next - now).as_secs_f64() / speed > HELD_BACK.as_secs_f64())
            {
                sinks.flush();
                flushed = std::time::Instant::now();
            }
            if sinks.error.is_some() {
                interrupted = true;
                break;
            }
            if !clock.wait_until(next, stop) {
                if let ClockKind::Wall { speed } = self.clock {
                    let reached = Duration::from_secs_f64(began.elapsed().as_secs_f64() * speed);
                    now = now.max(next.min(Instant::ZERO + reached));
                }
                interrupted = true;
                break;
            }
            now = next;
            let node = if sending == Some(next) && bench.is_none_or(|b| next < b) {
                pending.pop().map(|index| self.start(now, index, &mut fates, &mut sinks))
            } else if bench == Some(next) {
                self.bench.step(&mut |stamped| sinks.event(stamped))
            } else {
                break;
            };
            if let Some(node) = node {
                self.collect(now, node, folder, &mut fates, &mut sinks);
            }
        }
        sinks.event(Stamped { at: now, event: Event::Ended { interrupted } });

        let timing = clock.lateness();
        let Sinks { files, counters, mut error, .. } = sinks;
        let digest = match close(files) {
            Ok(digest) => Some(digest),
            Err(problem) => {
                error.get_or_insert(problem);
                None
            }
        };
        let results = self.outcome(&fates, &counters, digest, interrupted || error.is_some(), now, timing);
        if let Err(problem) = folder.write_results(&results) {
            error.get_or_insert(problem);
        }
        Ok(Finished { results, error: error.map(RunError::from) })
    }

    fn outcome(
        &self,
        fates: &[Fate],
        counters: &RunCounters,
        digest: Option<RecordingDigest>,
        interrupted: bool,
        ended_at: Instant,
        timing: Option<Timing>,
    ) -> Results {
        let under_way: Vec<_> = self.bench.channels().map(|c| c.in_flight()).collect();
        let (header, sendings) = (&self.header, &self.sendings);
        Outcome { header, sendings, fates, counters, under_way: &under_way, digest, interrupted, ended_at, timing }
            .results()
    }

    /// Gives the sender what it shall send.
    fn start(&mut self, now: Instant, index: usize, fates: &mut [Fate], sinks: &mut Sinks<'_>) -> NodeId {
        let sending = &self.sendings[index];
        let (from, to) = (sending.from, sending.to);
        fates[index].started = Some(now);
        match self.bench.node_mut(from).transmit(now, sending.transmission.clone(), Some(sending.id)) {
            Ok(id) => {
                for node in 0..self.header.nodes.len() {
                    self.bench.node_mut(NodeId(node as u16)).know_traffic(&id, sending.id);
                }
            }
            Err(error) => {
                let reason = error.to_string();
                let notice = BundleNotice::Refused { reason: reason.clone() };
                let (traffic, bytes) = (Some(sending.id), sending.bytes);
                let event = Event::Bundle { node: from, bundle: String::new(), traffic, bytes, notice };
                sinks.event(Stamped { at: now, event });
                fates[index].refused = Some(reason);
            }
        }
        debug_assert_ne!(from, to, "a checked scenario sends nothing to its sender");
        self.bench.attend_to(now, from, &mut |stamped| sinks.event(stamped));
        from
    }

    /// Takes what has arrived at a node.
    fn collect(&mut self, now: Instant, node: NodeId, folder: &RunFolder, fates: &mut [Fate], sinks: &mut Sinks<'_>) {
        while let Some(Delivery { id, payload, .. }) = self.bench.node_mut(node).poll_delivery() {
            let Some(traffic) = self.bench.node_mut(node).traffic_of(&id) else { continue };
            let index = usize::from(traffic.0);
            let sending = &self.sendings[index];
            let (sha256, bytes) = (digest(&payload), payload.iter().map(|p| p.len() as u64).sum());
            let intact = sha256 == sending.sha256 && bytes == sending.bytes && node == sending.to;
            match folder.write_delivered(&sending.file_name, &payload) {
                Ok(file) => fates[index].file = Some(file),
                Err(error) => {
                    sinks.error.get_or_insert(error);
                }
            }
            let fate = &mut fates[index];
            fate.arrived = Some(now);
            fate.intact = intact;
            fate.sha256_received = Some(sha256.clone());
            sinks.event(Stamped { at: now, event: Event::Arrived { traffic, bytes, sha256, intact } });
        }
        while let Some(reported) = self.bench.node_mut(node).poll_report() {
            let Some(index) = self.reported_on(node, &reported.id) else { continue };
            let fate = &mut fates[index];
            if reported.report.delivered.asserted {
                fate.reported.get_or_insert(now);
            }
            fate.reports.push(format!(
                "{}: {} ({})",
                reported.by,
                reported.status.join(", "),
                reported.report.reason.as_str()
            ));
        }
    }

    fn reported_on(&mut self, node: NodeId, id: &farlink_engine::bp::BundleId) -> Option<usize> {
        let index = usize::from(self.bench.node_mut(node).traffic_of(id)?.0);
        // A report belongs to whoever asked for it.
        Some(index).filter(|i| self.sendings.get(*i).is_some_and(|s: &Sending| s.from == node))
    }
}

fn digest(pieces: &[Bytes]) -> String {
    let mut hash = Sha256::new();
    pieces.iter().for_each(|piece| hash.update(piece));
    hex(&hash.finalize())
}

fn open(folder: &RunFolder, header: &Header, epoch_unix_nanos: i64) -> Result<Files, FolderError> {
    let (recording_path, capture_path) = (folder.recording(), folder.capture());
    let recording = RecordingWriter::new(folder.open(&recording_path)?, header)
        .and_then(|mut recording| recording.flush().map(|()| recording))
        .map_err(|source| FolderError::new(&recording_path, source))?;
    let capture = CaptureWriter::new(folder.open(&capture_path)?, header, epoch_unix_nanos)
        .map_err(|source| FolderError::new(&capture_path, source))?;
    Ok(Files { recording, recording_path, capture, capture_path })
}

fn close(files: Files) -> Result<RecordingDigest, FolderError> {
    let Files { recording, recording_path, capture, capture_path } = files;
    let digest = recording.finish().map_err(|source| FolderError::new(&recording_path, source));
    let captured = capture.finish().map_err(|source| FolderError::new(&capture_path, source));
    captured.and(digest)
}
