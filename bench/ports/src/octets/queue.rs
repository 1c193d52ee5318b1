//! What the owner of a port and the thread that has its line share.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::Notify;

use crate::framing::{Decoded, Framing};
use crate::port::{Notice, Received, Sent, Stopped};

/// How much may wait to be taken, in bytes of content, before no more is read from the line; a frame counts as at least
/// [`FRAME_BYTES`].
const RECEIVED_BYTES: usize = 1 << 20;

/// What keeping a frame costs, in bytes, besides its content.
const FRAME_BYTES: usize = 128;

/// How much may wait to be written, in bytes of content, before no more frames are taken. Little, because what waits here
/// has left the emulator but not this machine.
const OUTGOING_BYTES: usize = 4096;

/// How many notices are kept apart; past that they are summed up.
const NOTICES: usize = 256;

/// Both ways between the owner and the thread.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the thread.
    wake: Notify,
    /// Readable while the owner has something to take, or has room again that it asked for.
    ready: OwnedFd,
}

#[derive(Debug, Default)]
struct State {
    up: bool,
    /// The owner wants the thread to end.
    stop: bool,
    /// The thread has ended.
    ended: bool,
    signalled: bool,
    received: VecDeque<Received>,
    received_bytes: usize,
    /// The thread reads no more until the owner has taken what is there.
    full: bool,
    notices: VecDeque<Notice>,
    outgoing: VecDeque<Bytes>,
    /// Content of frames that have been taken and not written, also of those that the thread is writing.
    outgoing_bytes: usize,
    wants_room: bool,
}

impl Shared {
    pub(super) fn new() -> io::Result<Self> {
        let ready = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Shared { state: Mutex::default(), wake: Notify::new(), ready })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole after each change, so that a panic elsewhere leaves nothing half done in it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, state: &mut State) {
        if !state.signalled {
            state.signalled = true;
            // It cannot fail: the counter is 0, and the descriptor is open.
            let _ = rustix::io::write(&self.ready, &1_u64.to_ne_bytes());
        }
    }

    // The owner's side.

    pub(super) fn ready_fd(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    pub(super) fn take_received(&self, frames: &mut Vec<Received>) -> io::Result<()> {
        let mut state = self.state();
        if state.signalled {
            state.signalled = false;
            let _ = rustix::io::read(&self.ready, &mut [0; 8]);
        }
        frames.extend(state.received.drain(..));
        state.received_bytes = 0;
        if std::mem::take(&mut state.full) {
            self.wake.notify_one();
        }
        if state.ended { Err(io::Error::other("the thread that has the line has ended by itself")) } else { Ok(()) }
    }

    pub(super) fn give_outgoing(&self, framing: &Framing, frames: &[Bytes]) -> Sent {
        let mut state = self.state();
        let mut taken = 0;
        let mut stopped = None;
        for frame in frames {
            if !state.up || state.ended {
                stopped = Some(Stopped::Down);
            } else if let Err(error) = framing.check(frame.len()) {
                stopped = Some(Stopped::Refused(error.to_string()));
            } else if state.outgoing_bytes >= OUTGOING_BYTES {
                state.wants_room = true;
                stopped = Some(Stopped::Busy);
            } else {
                state.outgoing_bytes += frame.len();
                state.outgoing.push_back(frame.clone());
                taken += 1;
                continue;
            }
            break;
        }
        if taken > 0 {
            self.wake.notify_one();
        }
        Sent { taken, stopped }
    }

    pub(super) fn take_notice(&self) -> Option<Notice> {
        self.state().notices.pop_front()
    }

    pub(super) fn stop(&self) {
        self.state().stop = true;
        self.wake.notify_one();
    }

    // The thread's side.

    /// Waits until the owner has done something that concerns the thread.
    pub(super) fn woken(&self) -> impl Future<Output = ()> + '_ {
        self.wake.notified()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state().stop
    }

    /// Waits for `other`, or until the owner stops the thread; whether it was that.
    pub(super) async fn stopped_before(&self, other: impl Future<Output = ()>) -> bool {
        let mut other = pin!(other);
        let mut woken = pin!(self.wake.notified());
        poll_fn(|context| {
            loop {
                if self.is_stopped() {
                    return Poll::Ready(true);
                }
                if woken.as_mut().poll(context).is_pending() {
                    return other.as_mut().poll(context).map(|()| false);
                }
                woken.set(self.wake.notified());
            }
        })
        .await
    }

    pub(super) fn up(&self, detail: String) {
        let mut state = self.state();
        state.up = true;
        tell(&mut state.notices, Notice::Up { detail });
        self.signal(&mut state);
    }

    /// Does not carry any more, or still not. Frames that wait to be written are lost with the line, besides those that were cut
    /// off while they were written; how many is told.
    pub(super) fn down(&self, mut detail: String, cut: usize) {
        let mut state = self.state();
        state.up = false;
        state.outgoing_bytes = 0;
        let lost = state.outgoing.len();
        state.outgoing.clear();
        if lost > 0 {
            detail = format!("{detail}; {lost} frames that waited to be written are lost");
        }
        tell(&mut state.notices, Notice::Down { detail, lost_frames: (cut + lost) as u64 });
        self.signal(&mut state);
    }

    pub(super) fn ended(&self) {
        let mut state = self.state();
        if !state.stop {
            state.ended = true;
            self.signal(&mut state);
        }
    }

    /// Whether there is room for more of what comes in. If not, the thread is woken once there is.
    pub(super) fn has_room(&self) -> bool {
        let mut state = self.state();
        state.full = state.received_bytes >= RECEIVED_BYTES;
        !state.full
    }

    /// Hands over what has been found, in its order.
    pub(super) fn deliver(&self, at: farlink_units::Instant, found: &mut Vec<Decoded>) {
        if found.is_empty() {
            return;
        }
        let mut state = self.state();
        for decoded in found.drain(..) {
            match decoded {
                Decoded::Frame(content) => {
                    state.received_bytes += content.len().max(FRAME_BYTES);
                    state.received.push_back(Received { at, content });
                }
                Decoded::LeftOut { why, octets } => {
                    tell(&mut state.notices, Notice::Unreadable { detail: why.to_string(), bytes: octets });
                }
            }
        }
        self.signal(&mut state);
    }

    /// The frames that wait to be written. They still count as waiting until [`Shared::written`] is told of them.
    pub(super) fn take_outgoing(&self) -> VecDeque<Bytes> {
        std::mem::take(&mut self.state().outgoing)
    }

    /// So many bytes of content have been written.
    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.state();
        state.outgoing_bytes -= bytes;
        // Not at once, so that the owner is not woken for every single frame.
        if state.wants_room && state.outgoing_bytes <= OUTGOING_BYTES / 2 {
            state.wants_room = false;
            self.signal(&mut state);
        }
    }
}

/// Keeps a notice. Where there are too many, what was left out and what was lost is added up, and of going up and down only the
/// last is kept.
fn tell(notices: &mut VecDeque<Notice>, mut notice: Notice) {
    if notices.len() >= NOTICES {
        let same =
            |known: &Notice| matches!(known, Notice::Unreadable { .. }) == matches!(notice, Notice::Unreadable { .. });
        let last = notices.iter().rposition(same);
        if let (Notice::Unreadable { bytes, .. }, Some(at)) = (&notice, last) {
            if let Notice::Unreadable { bytes: known, .. } = &mut notices[at] {
                *known += bytes;
            }
            return;
        }
        let removed = notices.remove(last.unwrap_or(notices.len() - 1));
        if let Some(Notice::Down { detail, lost_frames: lost @ 1.. }) = removed {
            let also_down = std::iter::once(&mut notice).chain(notices.iter_mut().rev());
            match also_down.filter_map(lost_frames).next() {
                Some(count) => *count += lost,
                // One more than there should be; the next has this one to be added to.
                None => notices.push_back(Notice::Down { detail, lost_frames: lost }),
            }
        }
    }
    notices.push_back(notice);
}

/// Where a notice of going down counts what was lost.
fn lost_frames(notice: &mut Notice) -> Option<&mut u64> {
    if let Notice::Down { lost_frames, .. } = notice { Some(lost_frames) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable(bytes: u64) -> Notice {
        Notice::Unreadable { detail: "noise".to_owned(), bytes }
    }

    #[test]
    fn notices_that_nobody_takes_are_bounded_and_keep_their_sum_and_the_last_state() {
        let mut notices = VecDeque::new();
        for number in 0..10_000 {
            tell(&mut notices, unreadable(3));
            if number % 10 == 0 {
                tell(&mut notices, Notice::Down { detail: number.to_string(), lost_frames: 2 });
                tell(&mut notices, Notice::Up { detail: number.to_string() });
            }
        }
        assert_eq!(notices.len(), NOTICES);
        let bytes: u64 =
            notices.iter().map(|n| if let Notice::Unreadable { bytes, .. } = n { *bytes } else { 0 }).sum();
        assert_eq!(bytes, 30_000);
        let lost: u64 = notices.iter_mut().filter_map(lost_frames).map(|lost| *lost).sum();
        assert_eq!(lost, 2000);
        let last = notices.iter().rfind(|n| !matches!(n, Notice::Unreadable { .. }));
        assert_eq!(last, Some(&Notice::Up { detail: "9990".to_owned() }));

        let mut flapping = VecDeque::new();
        for number in 0..1000 {
            tell(&mut flapping, Notice::Down { detail: number.to_string(), lost_frames: 1 });
        }
        assert_eq!(flapping.len(), NOTICES);
        tell(&mut flapping, unreadable(1));
        assert_eq!(flapping.back(), Some(&unreadable(1)));

        // The only word of a loss stays, whatever there is too much of.
        let mut noisy: VecDeque<Notice> = (1..NOTICES).map(|_| unreadable(1)).collect();
        for number in 0..1000 {
            tell(&mut noisy, Notice::Down { detail: number.to_string(), lost_frames: 3 });
            tell(&mut noisy, Notice::Up { detail: number.to_string() });
        }
        assert!(noisy.len() <= NOTICES + 1, "{}", noisy.len());
        assert_eq!(noisy.back(), Some(&Notice::Up { detail: "999".to_owned() }));
        assert_eq!(noisy.iter_mut().filter_map(lost_frames).map(|lost| *lost).sum::<u64>(), 3000);
    }
}
