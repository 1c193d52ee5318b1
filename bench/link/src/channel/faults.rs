//! Faults by order: which frames they strike, and how.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use farlink_record::control::{Fault, FaultAction};
use farlink_wire::ltp::SessionId;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::content::Matcher;
use super::control::ControlError;

/// Most faults that a channel has at once.
pub const MAX_FAULTS: usize = 64;

/// Most copies that a fault makes of a frame.
pub const MAX_COPIES: u32 = 1000;

/// Most sessions that a fault remembers. Of more, the one that came first is forgotten, and counted anew if it comes again.
pub const MAX_SESSIONS: usize = 16_384;

/// What faults do to one frame.
#[derive(Debug, Default)]
pub(super) struct Mark {
    /// It does not arrive.
    pub(super) drop: bool,
    /// Bits to flip, and what their places are drawn from.
    pub(super) damage: Vec<(u32, u64)>,
    /// Copies that arrive after it.
    pub(super) copies: u32,
    /// Frames that arrive before it.
    pub(super) after: u32,
    /// Bytes of it that arrive.
    pub(super) keep: Option<usize>,
}

impl Mark {
    /// The places that faults damage in a frame of so many bytes: bits from 0, each once, rising.
    pub(super) fn damaged_bits(&self, bytes: usize) -> Vec<u64> {
        let mut damaged = BTreeSet::new();
        for (bits, seed) in &self.damage {
            for place in draw_places(bytes as u64 * 8, *bits, *seed) {
                // What two faults flip is right again.
                if !damaged.remove(&place) {
                    damaged.insert(place);
                }
            }
        }
        damaged.into_iter().collect()
    }
}

/// `count` different places below `below`, or all of them if that is fewer: Floyd's sampling.
fn draw_places(below: u64, count: u32, seed: u64) -> BTreeSet<u64> {
    let mut draws = ChaCha8Rng::seed_from_u64(seed);
    let mut places = BTreeSet::new();
    for last in below.saturating_sub(u64::from(count))..below {
        let place = ((u128::from(draws.next_u64()) * u128::from(last + 1)) >> 64) as u64;
        if !places.insert(place) {
            places.insert(last);
        }
    }
    places
}

/// How many frames of each session a fault has seen.
#[derive(Debug, Default)]
struct Sessions {
    seen: BTreeMap<SessionId, u64>,
    order: VecDeque<SessionId>,
}

impl Sessions {
    fn counter(&mut self, session: SessionId) -> &mut u64 {
        if !self.seen.contains_key(&session) {
            if self.order.len() >= MAX_SESSIONS
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
            self.order.push_back(session);
        }
        self.seen.entry(session).or_default()
    }
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    matcher: Matcher,
    seen: u64,
    sessions: Sessions,
    draws: ChaCha8Rng,
}

impl Armed {
    /// Whether the next of the frames that `seen` counts is struck; it is counted.
    fn turn(fault: &Fault, seen: &mut u64) -> bool {
        let place = *seen;
        *seen = seen.saturating_add(1);
        place.checked_sub(fault.skip).is_some_and(|place| fault.count.is_none_or(|count| place < count))
    }

    fn is_spent(&self) -> bool {
        let last = self.fault.count.map(|count| self.fault.skip.saturating_add(count));
        !self.fault.each_session && last.is_some_and(|last| self.seen >= last)
    }
}

/// The faults of a channel, in the order in which they were told.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: Vec<Armed>,
    /// Sessions of the frame that is looked at.
    sessions: Vec<SessionId>,
}

impl Faults {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.armed.iter().map(|armed| &armed.fault)
    }

    /// Whether a fault can be armed.
    pub(super) fn check(&self, fault: &Fault) -> Result<Matcher, ControlError> {
        if self.armed.len() >= MAX_FAULTS {
            return Err(ControlError::TooManyFaults);
        }
        if fault.count == Some(0) {
            return Err(ControlError::Nothing { what: "count" });
        }
        let (what, amount, most) = match fault.action {
            FaultAction::Drop => ("drop", 1, 1),
            FaultAction::Damage { bits } => ("bits", bits, u32::MAX),
            FaultAction::Duplicate { copies } => ("copies", copies, MAX_COPIES),
            FaultAction::Reorder { after } => ("after", after, u32::MAX),
            FaultAction::Truncate { bytes } => ("bytes", bytes, u32::MAX),
        };
        if amount == 0 {
            return Err(ControlError::Nothing { what });
        }
        if amount > most {
            return Err(ControlError::TooManyCopies { copies: amount });
        }
        Matcher::new(&fault.only, fault.each_session).map_err(ControlError::Endpoint)
    }

    pub(super) fn arm(&mut self, fault: &Fault, seed: u64) -> Result<(), ControlError> {
        let matcher = self.check(fault)?;
        self.armed.push(Armed {
            fault: fault.clone(),
            matcher,
            seen: 0,
            sessions: Sessions::default(),
            draws: ChaCha8Rng::seed_from_u64(seed),
        });
        Ok(())
    }

    pub(super) fn forget(&mut self) {
        self.armed.clear();
    }

    /// Lets the faults look at a frame; `can_hold` tells whether one more may be held back. What strikes is told to `struck`.
    /// A frame that one fault drops is not seen by those after it.
    pub(super) fn strike(
        &mut self,
        frame: &[u8],
        can_hold: bool,
        mut struck: impl FnMut(FaultAction),
    ) -> Option<Box<Mark>> {
        let mut mark: Option<Box<Mark>> = None;
        for armed in &mut self.armed {
            let action = armed.fault.action;
            let out_of_reach = match action {
                FaultAction::Truncate { bytes } => frame.len() <= bytes as usize,
                FaultAction::Reorder { .. } => !can_hold,
                _ => false,
            };
            if out_of_reach || !armed.matcher.matches(frame, &mut self.sessions) {
                continue;
            }
            let hit = if armed.fault.each_session {
                self.sessions.iter().fold(false, |hit, session| {
                    let turn = Armed::turn(&armed.fault, armed.sessions.counter(*session));
                    hit || turn
                })
            } else {
                Armed::turn(&armed.fault, &mut armed.seen)
            };
            if !hit {
                continue;
            }
            struck(action);
            let mark = mark.get_or_insert_default();
            match action {
                FaultAction::Drop => {
                    mark.drop = true;
                    break;
                }
                FaultAction::Damage { bits } => mark.damage.push((bits, armed.draws.next_u64())),
                FaultAction::Duplicate { copies } => mark.copies += copies,
                FaultAction::Reorder { after } => mark.after = mark.after.max(after),
                FaultAction::Truncate { bytes } => {
                    mark.keep = Some(mark.keep.map_or(bytes as usize, |keep| keep.min(bytes as usize)));
                }
            }
        }
        if mark.is_some() {
            self.armed.retain(|armed| !armed.is_spent());
        }
        mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_different_and_in_range() {
        assert_eq!(draw_places(8, 8, 1), (0..8).collect());
        assert_eq!(draw_places(8, 100, 1), (0..8).collect(), "no more than there are");
        let places = draw_places(8000, 3, 7);
        assert_eq!((places.len(), places.iter().all(|place| *place < 8000)), (3, true));
        assert_ne!(places, draw_places(8000, 3, 8), "drawn from the seed");
        assert_eq!(places, draw_places(8000, 3, 7));
        // Every place is as likely as any other: 64,000 draws of 8 of 64.
        let mut counts = [0u32; 64];
        (0..8000).for_each(|seed| draw_places(64, 8, seed).iter().for_each(|place| counts[*place as usize] += 1));
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn what_is_remembered_of_sessions_is_bounded() {
        let mut sessions = Sessions::default();
        let session = |number: usize| SessionId { originator: 1, number: number as u64 };
        for number in 0..MAX_SESSIONS + 10 {
            *sessions.counter(session(number)) += 1;
        }
        assert_eq!((sessions.seen.len(), sessions.order.len()), (MAX_SESSIONS, MAX_SESSIONS));
        assert_eq!(*sessions.counter(session(MAX_SESSIONS + 9)), 1);
        assert_eq!(*sessions.counter(session(0)), 0, "the first was forgotten");
    }
}
