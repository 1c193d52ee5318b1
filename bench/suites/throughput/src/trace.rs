//! What one run looked like: its first frames and its sessions, for pictures.

use std::collections::HashMap;

use farlink_record::{LtpNotice, Session};
use farlink_units::Instant;
use farlink_wire::ltp::{Content, Segment};
use serde::{Deserialize, Serialize};

/// Most frames that are kept.
const FRAMES: usize = 40;
/// Most sessions that are kept.
const SESSIONS: usize = 40;

/// What is kept of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The first frames of the first session, in the order in which they left.
    pub frames: Vec<Frame>,
    /// The first sessions, in the order in which they began.
    pub sessions: Vec<SessionSpan>,
    #[serde(skip)]
    under_way: HashMap<(bool, u64), usize>,
    #[serde(skip)]
    first: Option<u64>,
}

/// A frame on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Whether the sender of the block sent it.
    pub out: bool,
    /// When its first bit left, in seconds.
    pub left_s: f64,
    /// When its last bit arrived or would have; `None` if the run was over by then.
    pub arrived_s: Option<f64>,
    /// Whether it was lost.
    pub lost: bool,
    /// What it is.
    pub label: String,
}

/// A session of the sender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSpan {
    /// Its number.
    pub number: u64,
    /// When its first bit left, in seconds.
    pub from_s: f64,
    /// When the sender knew that all had arrived; `None` if the run was over by then.
    pub to_s: Option<f64>,
}

impl Trace {
    pub(crate) fn sent(&mut self, out: bool, frame: u64, at: Instant, content: &[u8]) {
        let Ok((segment, _)) = Segment::parse(content) else { return };
        let first = *self.first.get_or_insert(segment.session.number);
        if segment.session.number != first || self.frames.len() >= FRAMES {
            return;
        }
        let label = match &segment.content {
            Content::Data(data) => {
                let end = data.offset + data.data.len() as u64;
                let what = if data.kind.checkpoint().is_some() { "checkpoint" } else { "data" };
                format!("{what} {}–{end}", data.offset)
            }
            Content::Report(report) => {
                let pieces = report.claims.len();
                let noun = if pieces == 1 { "claim" } else { "claims" };
                format!("report {}–{}, {pieces} {noun}", report.lower_bound, report.upper_bound)
            }
            Content::ReportAck { .. } => "report acknowledged".to_owned(),
            Content::Cancel { reason, .. } => format!("cancelled: {}", reason.mnemonic()),
            Content::CancelAck { .. } => "cancellation acknowledged".to_owned(),
        };
        self.under_way.insert((out, frame), self.frames.len());
        self.frames.push(Frame { out, left_s: at.as_secs_f64(), arrived_s: None, lost: false, label });
    }

    pub(crate) fn arrived(&mut self, out: bool, frame: u64, at: Instant, delivered: bool) {
        if let Some(place) = self.under_way.remove(&(out, frame)) {
            self.frames[place].arrived_s = Some(at.as_secs_f64());
            self.frames[place].lost = !delivered;
        }
    }

    pub(crate) fn notice(&mut self, at: Instant, session: Session, notice: &LtpNotice) {
        match notice {
            LtpNotice::BlockStarted { .. } if self.sessions.len() < SESSIONS => {
                self.sessions.push(SessionSpan { number: session.number, from_s: at.as_secs_f64(), to_s: None });
            }
            LtpNotice::BlockAcknowledged | LtpNotice::Cancelled { .. } => {
                if let Some(span) = self.sessions.iter_mut().find(|span| span.number == session.number) {
                    span.to_s = Some(at.as_secs_f64());
                }
            }
            _ => {}
        }
    }
}
