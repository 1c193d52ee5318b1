//! A channel does what it is told while it runs.

use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_record::Event;
use farlink_record::control::{Control, Fault, ForcedContact, Restorable};
use farlink_units::{BitRate, Duration, Instant};
use farlink_wire::bpv7::EidSyntaxError;
use rand_chacha::rand_core::Rng;
use thiserror::Error;

use super::faults::{MAX_COPIES, MAX_FAULTS, matcher};
use super::{Channel, Contacts};

/// Longest light time that can be ordered: a year, which no store holds but every instant can bear.
pub const MAX_LIGHT_TIME: Duration = Duration::from_secs(366 * 86_400);

/// Why a channel does not do what it is told. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ControlError {
    /// A rate of zero.
    #[error("a rate of 0 bit/s sends no bit: say `rate none` for silence")]
    ZeroRate,
    /// A bit error ratio out of range.
    #[error("a bit error ratio of {ber} is none: give one from 0 to 0.5, as in `ber 1e-5`")]
    BitErrorRatio {
        /// What was given.
        ber: f64,
    },
    /// A light time out of range.
    #[error("a light time of {light_time} is none: give one from 0 to 366 days, as in `delay 4s`")]
    LightTime {
        /// What was given.
        light_time: Duration,
    },
    /// A fault that would do nothing.
    #[error("a fault with {what} 0 does nothing: {what} is at least 1")]
    Nothing {
        /// Which number of the fault is zero.
        what: &'static str,
    },
    /// More copies than a fault makes.
    #[error("{copies} copies of a frame are too many: at most {MAX_COPIES}")]
    TooManyCopies {
        /// What was given.
        copies: u32,
    },
    /// The channel has as many faults as it can.
    #[error(
        "the channel waits to strike with {MAX_FAULTS} faults already: take them back first, with `restore faults`"
    )]
    TooManyFaults,
    /// The source or destination of a fault is no endpoint ID.
    #[error("{0}; `ipn:10.0` or `ipn:10.*` stand for all of a node's endpoints")]
    Endpoint(#[source] EidSyntaxError),
    /// Pause and resume are for the clock, which no channel has.
    #[error("`{what}` stops or starts the clock of all channels: give it without a channel")]
    OfTheClock {
        /// Which of the two.
        what: &'static str,
    },
    /// Symbols leave a radio at the rate that it was made for.
    #[error(
        "the channel's frames go through a radio, which has one rate: change `rate` in the scenario, or remove its `waveform`"
    )]
    RateOfRadio,
    /// There is no such channel.
    #[error("there is no channel {channel}: there are {channels}, counted from 0")]
    NoChannel {
        /// Which was named.
        channel: u16,
        /// How many there are.
        channels: usize,
    },
}

/// Whether there is a channel, or a clock, that can do it.
///
/// # Errors
/// A number or an endpoint in it is none; see [`ControlError`].
pub fn check(control: &Control) -> Result<(), ControlError> {
    match control {
        Control::Rate { bps: Some(0) } => Err(ControlError::ZeroRate),
        Control::Ber { ber } if !(0.0..=0.5).contains(ber) => Err(ControlError::BitErrorRatio { ber: *ber }),
        Control::Delay { light_time } if !(Duration::ZERO..=MAX_LIGHT_TIME).contains(&Duration::from(*light_time)) => {
            Err(ControlError::LightTime { light_time: (*light_time).into() })
        }
        Control::Fault(fault) => matcher(fault).map(|_| ()),
        _ => Ok(()),
    }
}

/// What a channel would do had nobody told it otherwise, as far as somebody has.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) rate: Option<Rate>,
    pub(super) errors: Option<Errors>,
    light_time: Option<LightTime>,
    contacts: Option<Contacts>,
}

impl Channel {
    /// Does what a person or a script says, from `now` on. What that does to frames is told; that it was said is for the
    /// caller to tell.
    ///
    /// A frame that straddles a forced contact needs the channel open for all of its airtime, as ever: what was sent into a
    /// closed channel before it was forced open is lost, and so is what is being sent when it is forced closed. Frames that wait
    /// are judged anew, but one that has been told to be lost stays so.
    ///
    /// What comes back with [`Control::Restore`] are the models that the channel was made with or that [`Channel::set_rate`]
    /// and [`Channel::set_errors`] gave it last; an error process goes on where it stood when it was replaced.
    ///
    /// # Errors
    /// It cannot be done; see [`ControlError`]. Nothing has changed then.
    pub fn control(
        &mut self,
        now: Instant,
        control: &Control,
        mut emit: impl FnMut(Event),
    ) -> Result<(), ControlError> {
        self.check(control)?;
        // What has left by now has left under what held until now.
        self.settle(now);
        match control {
            Control::Rate { bps } => {
                self.planned.rate.get_or_insert_with(|| self.config.rate.clone());
                let rate = bps.and_then(BitRate::from_bps).map_or_else(Rate::silent, Rate::constant);
                self.change_rate(now, &rate, &mut emit);
            }
            Control::Ber { ber } => {
                let errors = Errors::independent(*ber, self.draws.next_u64());
                let before = std::mem::replace(&mut self.config.errors, errors);
                self.planned.errors.get_or_insert(before);
            }
            Control::Delay { light_time } => {
                let before = self.config.light_time.clone();
                self.planned.light_time.get_or_insert(before);
                self.config.light_time = LightTime::Constant((*light_time).into());
                self.reschedule(now, &mut emit);
            }
            Control::Contact { state } => {
                let forced = match state {
                    ForcedContact::Open => Contacts::Always,
                    ForcedContact::Closed => Contacts::During(Vec::new()),
                };
                let before = self.config.contacts.clone();
                self.change_contacts(now, &forced, &mut emit);
                self.planned.contacts.get_or_insert(before);
            }
            Control::Fault(fault) => {
                let seed = self.draws.next_u64();
                self.faults.arm(fault, seed)?;
            }
            Control::Restore { what } => self.restore(now, *what, &mut emit),
            Control::Pause | Control::Resume => {}
        }
        Ok(())
    }

    /// Whether [`Channel::control`] would do it.
    ///
    /// # Errors
    /// As that.
    pub fn check(&self, control: &Control) -> Result<(), ControlError> {
        check(control)?;
        match control {
            Control::Rate { .. } if self.has_radio() => Err(ControlError::RateOfRadio),
            Control::Fault(_) if self.faults.is_full() => Err(ControlError::TooManyFaults),
            Control::Pause => Err(ControlError::OfTheClock { what: "pause" }),
            Control::Resume => Err(ControlError::OfTheClock { what: "resume" }),
            _ => Ok(()),
        }
    }

    /// The faults that may still strike, in the order in which they were told.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }

    /// What of the channel is not as planned, since somebody said so.
    pub fn overridden(&self) -> Vec<Restorable> {
        let planned = &self.planned;
        let all = [
            (planned.rate.is_some(), Restorable::Rate),
            (planned.errors.is_some(), Restorable::Errors),
            (planned.light_time.is_some(), Restorable::Delay),
            (planned.contacts.is_some(), Restorable::Contact),
            (!self.faults.is_empty(), Restorable::Faults),
        ];
        all.into_iter().filter_map(|(is, what)| is.then_some(what)).collect()
    }

    fn restore(&mut self, now: Instant, what: Restorable, emit: &mut dyn FnMut(Event)) {
        let wanted = |one: Restorable| what == one || what == Restorable::All;
        if wanted(Restorable::Errors)
            && let Some(errors) = self.planned.errors.take()
        {
            self.config.errors = errors;
        }
        if wanted(Restorable::Faults) {
            self.faults.forget();
        }
        let mut moved = false;
        if wanted(Restorable::Delay)
            && let Some(light_time) = self.planned.light_time.take()
        {
            self.config.light_time = light_time;
            moved = true;
        }
        if wanted(Restorable::Contact)
            && let Some(contacts) = self.planned.contacts.take()
        {
            let since = self.since(now);
            self.config.contacts.replace_from(since, now, &contacts);
            moved = true;
        }
        if wanted(Restorable::Rate)
            && let Some(rate) = self.planned.rate.take()
        {
            let since = self.since(now);
            self.config.rate.replace_from(since, now, &rate);
            moved = true;
        }
        if moved {
            // Once all of it is as it was: a frame is not lost by what holds for no time.
            self.reschedule(now, emit);
        }
    }

    fn change_contacts(&mut self, now: Instant, contacts: &Contacts, emit: &mut dyn FnMut(Event)) {
        let since = self.since(now);
        self.config.contacts.replace_from(since, now, contacts);
        self.reschedule(now, emit);
    }
}
