//! A connection of a program to a served link.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use num_complex::Complex32;

use crate::end::{End, Half};
use crate::error::LinkError;
use crate::link::Link;
use crate::receive::Received;
use crate::server::{Served, Shared};
use crate::transmit::TransmitEvent;
use crate::wire::{Answer, Ask, Description, MAX_SAMPLES, VERSION, Wire};

/// How long a frame may take, and a stranger for the first.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest wait for samples, room or events; a program that wants to wait longer asks again.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What a connection is to the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Stranger,
    /// It opened the end, which is closed with it.
    Owner(End, u64),
    /// It belongs to the program that did.
    Member(End, u64),
}

/// Says that there is no room for another connection.
pub(crate) fn turn_away(stream: UnixStream) {
    let why = "the link has as many connections as it serves: close one".into();
    let _ = Wire::new(stream).send(&Answer::Refused { why }, &[], Duration::from_millis(100));
}

/// Serves a connection until it ends.
pub(crate) fn run(stream: UnixStream, shared: &Shared) {
    let mut wire = Wire::new(stream);
    let mut role = Role::Stranger;
    let _ = converse(&mut wire, &mut role, shared);
    if let Role::Owner(end, _) = role {
        close(end, shared);
    }
}

fn close(end: End, shared: &Shared) {
    let mut served = shared.served();
    served.link.close(end);
    served.tickets[end as usize] = None;
    served.set_clock();
    drop(served);
    shared.moved.notify_all();
}

fn converse(wire: &mut Wire, role: &mut Role, shared: &Shared) -> io::Result<()> {
    let mut received = Vec::new();
    loop {
        let first = if *role == Role::Stranger { Some(PATIENCE) } else { None };
        if !wire.take(first, PATIENCE)? || shared.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let ask = match wire.head::<Ask>() {
            Ok(ask) => ask,
            Err(error) => {
                let why = format!("not a request of version {VERSION} of the protocol: {error}");
                wire.send(&Answer::Refused { why }, &[], PATIENCE)?;
                if *role == Role::Stranger {
                    return Ok(());
                }
                continue;
            }
        };
        received.clear();
        let answer = answer(ask, &wire.samples, &mut received, role, shared);
        let answer = answer.unwrap_or_else(|why| Answer::Refused { why });
        wire.send(&answer, &received, PATIENCE)?;
    }
}

fn same_version(version: u32) -> Result<(), String> {
    if version == VERSION {
        return Ok(());
    }
    Err(format!(
        "version {version} of the protocol is not spoken here, but {VERSION}: use the driver that came with this link"
    ))
}

/// Does what is asked. Samples to be sent back are put into `received`.
fn answer(
    ask: Ask,
    samples: &[Complex32],
    received: &mut Vec<Complex32>,
    role: &mut Role,
    shared: &Shared,
) -> Result<Answer, String> {
    match (&ask, *role) {
        (Ask::Describe { version }, _) => {
            same_version(*version)?;
            return Ok(Answer::Description(describe(shared)));
        }
        (Ask::Open { version, end }, Role::Stranger) => {
            same_version(*version)?;
            let ticket = open(*end, shared)?;
            *role = Role::Owner(*end, ticket);
            return Ok(Answer::Opened { ticket });
        }
        (Ask::Join { version, ticket }, Role::Stranger) => {
            same_version(*version)?;
            let tickets = shared.served().tickets;
            let end = End::BOTH.into_iter().find(|end| tickets[*end as usize] == Some(*ticket));
            *role = Role::Member(end.ok_or("no end is open with this ticket")?, *ticket);
            return Ok(Answer::Done);
        }
        (Ask::Close, Role::Owner(end, _)) => {
            close(end, shared);
            *role = Role::Stranger;
            return Ok(Answer::Done);
        }
        _ => {}
    }
    let (Role::Owner(end, ticket) | Role::Member(end, ticket)) = *role else {
        return Err("open an end, or join the connection that did, first".into());
    };
    let done = use_end(ask, samples, received, (end, ticket), shared)?;
    shared.moved.notify_all();
    done.map_err(|error| error.to_string())
}

fn describe(shared: &Shared) -> Description {
    let served = shared.served();
    let config = served.link.config();
    Description {
        version: VERSION,
        name: shared.name.clone(),
        pace: config.pace,
        rate_range_hz: config.rate_range_hz,
        buffer_samples: config.buffer_samples,
        in_use: End::BOTH.map(|end| served.link.is_open(end)),
    }
}

fn open(end: End, shared: &Shared) -> Result<u64, String> {
    let mut served = shared.served();
    served.link.open(end).map_err(|error| error.to_string())?;
    // Only this user's processes come this far; the ticket keeps their connections apart.
    let ticket = RandomState::new().build_hasher().finish();
    served.tickets[end as usize] = Some(ticket);
    served.set_clock();
    drop(served);
    shared.moved.notify_all();
    Ok(ticket)
}

/// Why nothing more can be done for a connection.
fn still_open(served: &Served, (end, ticket): (End, u64), shared: &Shared) -> Result<(), String> {
    if shared.stop.load(Ordering::Relaxed) {
        return Err("the link ends".into());
    }
    if served.tickets[end as usize] != Some(ticket) {
        return Err(format!("end {end} has been closed"));
    }
    Ok(())
}

fn use_end(
    ask: Ask,
    samples: &[Complex32],
    received: &mut Vec<Complex32>,
    (end, ticket): (End, u64),
    shared: &Shared,
) -> Result<Result<Answer, LinkError>, String> {
    let waiting = |timeout_us, attempt: &mut dyn FnMut(&mut Link) -> Option<Result<Answer, LinkError>>| {
        wait(Duration::from_micros(timeout_us), (end, ticket), shared, attempt)
    };
    match ask {
        Ask::Transmit { mut at_ns, ends, timeout_us } => {
            let mut taken = 0;
            let all = waiting(timeout_us, &mut |link| {
                match link.transmit(end, &samples[taken..], at_ns, ends) {
                    Ok(count) => {
                        taken += count;
                        at_ns = at_ns.filter(|_| taken == 0);
                    }
                    Err(error) => return Some(Err(error)),
                }
                (taken == samples.len()).then_some(Ok(Answer::Done))
            })?;
            Ok(all.map(|_| Answer::Taken { count: taken }))
        }
        Ask::Receive { count, timeout_us } => {
            received.resize(count.min(MAX_SAMPLES), Complex32::ZERO);
            let mut got = 0;
            let answer = waiting(timeout_us, &mut |link| match link.receive(end, received) {
                Ok(Received::Nothing) => None,
                Ok(Received::Overflow) => Some(Ok(Answer::Overflow)),
                Ok(Received::Late) => Some(Ok(Answer::Late)),
                Err(LinkError::NotRunning { .. }) => Some(Ok(Answer::NotRunning)),
                Ok(Received::Samples { at, count, last }) => {
                    got = count;
                    Some(Ok(Answer::Samples { at_ns: link.time_ns(at), last }))
                }
                Err(error) => Some(Err(error)),
            });
            received.truncate(got);
            answer
        }
        Ask::Event { timeout_us } => waiting(timeout_us, &mut |link| {
            link.poll_event(end).map(|event| {
                Ok(match event {
                    TransmitEvent::Underflow { at } => Answer::Underflow { at_ns: link.time_ns(at) },
                    TransmitEvent::Late { at } => Answer::LateBurst { at_ns: link.time_before_ns(at) },
                })
            })
        }),
        ask => {
            let mut served = shared.served();
            still_open(&served, (end, ticket), shared)?;
            Ok(at_once(ask, &mut served.link, end))
        }
    }
}

/// Tries until there is an answer, or there is none in time.
fn wait(
    timeout: Duration,
    opened: (End, u64),
    shared: &Shared,
    attempt: &mut dyn FnMut(&mut Link) -> Option<Result<Answer, LinkError>>,
) -> Result<Result<Answer, LinkError>, String> {
    let deadline = Instant::now() + timeout.min(LONGEST_WAIT);
    let mut served = shared.served();
    loop {
        still_open(&served, opened, shared)?;
        let before = served.link.now();
        if let Some(answer) = attempt(&mut served.link) {
            return Ok(answer);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Ok(Answer::Nothing));
        }
        let more = served.link.move_on();
        // Only if something has happened: those who wait would wake each other for ever.
        if served.link.now() != before {
            shared.moved.notify_all();
        }
        if more {
            // Others come in between the parts of a long way.
            drop(served);
            thread::yield_now();
            served = shared.served();
        } else {
            served = shared.moved.wait_timeout(served, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn at_once(ask: Ask, link: &mut Link, end: End) -> Result<Answer, LinkError> {
    let done = |()| Answer::Done;
    match ask {
        Ask::Settings => Ok(Answer::Settings(link.settings(end))),
        Ask::SetRate { hz } => link.set_rate(end, hz).map(done),
        Ask::SetFrequency { half, hz } => link.set_frequency(end, half, hz).map(done),
        Ask::SetGain { half, db } => link.set_gain(end, half, db).map(done),
        Ask::Start { half: Half::Receiver, at_ns, count } => link.start_receiver(end, at_ns, count).map(done),
        Ask::Start { half: Half::Transmitter, .. } => link.start_transmitter(end).map(done),
        Ask::Stop { half } => {
            match half {
                Half::Receiver => link.stop_receiver(end),
                Half::Transmitter => link.stop_transmitter(end),
            }
            Ok(Answer::Done)
        }
        Ask::Time => Ok(Answer::Time { ns: link.now_ns() }),
        Ask::Losses => Ok(Answer::Losses(link.losses(end))),
        Ask::Describe { .. } | Ask::Open { .. } | Ask::Join { .. } | Ask::Close => {
            Ok(Answer::Refused { why: "not over this connection, which has an end already".into() })
        }
        Ask::Transmit { .. } | Ask::Receive { .. } | Ask::Event { .. } => Ok(Answer::Nothing),
    }
}
