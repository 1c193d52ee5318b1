//! The two ends and what is between them.

use std::collections::VecDeque;
use std::sync::Arc;

use num_complex::Complex32;

use crate::end::{End, EndSettings, Half, Losses};
use crate::error::LinkError;
use crate::medium::{Medium, MediumError};
use crate::receive::{Received, Receiver};
use crate::transmit::{TransmitEvent, Transmitter};
use crate::tuner::Tuner;

/// What moves the time of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// A clock: samples are due at the rate, as in a radio. [`Link::advance`] tells the time.
    Wall,
    /// The programs at the ends: time goes as far as readers have asked, and no further than open bursts have been written. Where nobody
    /// receives, it goes as far as has been written. Nothing overflows and no burst underflows; runs repeat exactly as far as the
    /// programs at the ends take turns in the same order.
    Samples,
}

/// Lowest and highest gain of a receiver or transmitter, in dB.
pub const GAIN_RANGE_DB: [f64; 2] = [-120.0, 120.0];

/// Highest frequency, in Hz.
pub const HIGHEST_FREQUENCY_HZ: f64 = 1e12;

/// Lowest and highest sample rate that a link may be offered with, in samples a second.
pub const RATE_LIMITS_HZ: [f64; 2] = [1.0, 1e9];

/// Samples that are carried at once.
const BLOCK: usize = 4096;

/// Samples after which a call returns though more is due, so that a time far ahead holds nobody up.
const AT_ONCE: u64 = 1 << 18;

/// Makes the medium from an end to the other, for a sample rate in Hz.
pub type MakeMedium = Arc<dyn Fn(End, f64) -> Result<Box<dyn Medium>, MediumError> + Send + Sync>;

/// What a link is.
#[derive(Clone)]
pub struct LinkConfig {
    /// What moves its time.
    pub pace: Pace,
    /// Lowest and highest sample rate, in samples a second.
    pub rate_range_hz: [f64; 2],
    /// The rate of both ends until they set another.
    pub rate_hz: f64,
    /// What both ends are tuned to until they set another frequency, in Hz.
    pub frequency_hz: f64,
    /// How many samples an end keeps for a reader, and how many of a writer.
    pub buffer_samples: usize,
    /// With [`Pace::Wall`]: how long a burst without a time waits from its first write, in seconds, so that more of it can come.
    pub lead_s: f64,
    /// What is between the ends.
    pub medium: MakeMedium,
}

impl std::fmt::Debug for LinkConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkConfig")
            .field("pace", &self.pace)
            .field("rate_range_hz", &self.rate_range_hz)
            .field("rate_hz", &self.rate_hz)
            .field("frequency_hz", &self.frequency_hz)
            .field("buffer_samples", &self.buffer_samples)
            .field("lead_s", &self.lead_s)
            .finish_non_exhaustive()
    }
}

impl LinkConfig {
    /// A link with a medium: `wall`, 1 Msample/s of 1 k to 64 M, at 2.2 GHz, 262144 samples kept at each end, bursts without a time
    /// 10 ms after their first samples.
    pub fn new(medium: MakeMedium) -> Self {
        LinkConfig {
            pace: Pace::Wall,
            rate_range_hz: [1e3, 64e6],
            rate_hz: 1e6,
            frequency_hz: 2.2e9,
            buffer_samples: 1 << 18,
            lead_s: 0.01,
            medium,
        }
    }
}

#[derive(Debug)]
struct EndState {
    open: bool,
    settings: EndSettings,
    transmitter: Transmitter,
    receiver: Receiver,
    /// Frequencies of the transmitter with the samples from which on they hold. The last is the present one.
    sent_at_hz: VecDeque<(u64, f64)>,
    tuner: Tuner,
    /// What was lost before it was opened last.
    lost_before: Losses,
}

impl EndState {
    fn losses(&self) -> Losses {
        let EndState { transmitter, receiver, .. } = self;
        Losses { overflows: receiver.overflows, underflows: transmitter.underflows, late: transmitter.late }
    }

    fn streams(&self) -> bool {
        self.transmitter.active || self.receiver.active
    }
}

/// Changes of the transmitter's frequency that are remembered while they are under way. With more, the oldest are forgotten.
const KEPT_RETUNINGS: usize = 1 << 16;

/// An emulated link. It has no clock: with [`Pace::Wall`] it is told the time by [`Link::advance`], with [`Pace::Samples`] its ends move it.
pub struct Link {
    config: LinkConfig,
    ends: [EndState; 2],
    /// From each end to the other.
    media: [Box<dyn Medium>; 2],
    rate_hz: f64,
    /// The next sample that is sent and received.
    now: u64,
    /// The link's time at sample 0, in nanoseconds. Samples are counted anew when the rate changes.
    origin_ns: i64,
    failed: Option<String>,
}

fn within(what: &'static str, value: f64, [lowest, highest]: [f64; 2]) -> Result<f64, LinkError> {
    if value.is_finite() && (lowest..=highest).contains(&value) {
        return Ok(value);
    }
    Err(LinkError::Range { what, value, lowest, highest })
}

fn amplitude(gain_db: f64) -> f32 {
    10f64.powf(gain_db / 20.0) as f32
}

fn scale(samples: &mut [Complex32], gain_db: f64) {
    if gain_db != 0.0 {
        let amplitude = amplitude(gain_db);
        samples.iter_mut().for_each(|sample| *sample *= amplitude);
    }
}

impl Link {
    /// A link at time 0, with both ends closed.
    ///
    /// # Errors
    /// A number in the configuration is out of its range, or the medium cannot be made.
    pub fn new(config: LinkConfig) -> Result<Self, LinkError> {
        let [lowest, highest] = config.rate_range_hz;
        within("the lowest sample rate", lowest, RATE_LIMITS_HZ)?;
        within("the highest sample rate", highest, [lowest, RATE_LIMITS_HZ[1]])?;
        within("the sample rate", config.rate_hz, config.rate_range_hz)?;
        within("the frequency", config.frequency_hz, [0.0, HIGHEST_FREQUENCY_HZ])?;
        within("the number of samples that an end keeps", config.buffer_samples as f64, [1.0, (1u32 << 28).into()])?;
        within("the time that a burst waits", config.lead_s, [0.0, 10.0])?;
        let settings = EndSettings {
            rate_hz: config.rate_hz,
            receive_hz: config.frequency_hz,
            transmit_hz: config.frequency_hz,
            receive_gain_db: 0.0,
            transmit_gain_db: 0.0,
        };
        let end = || EndState {
            open: false,
            settings,
            transmitter: Transmitter::new(config.buffer_samples),
            receiver: Receiver::new(config.buffer_samples),
            sent_at_hz: VecDeque::from([(0, settings.transmit_hz)]),
            tuner: Tuner::default(),
            lost_before: Losses::default(),
        };
        let media = [(config.medium)(End::A, config.rate_hz)?, (config.medium)(End::B, config.rate_hz)?];
        let (ends, rate_hz) = ([end(), end()], config.rate_hz);
        Ok(Link { config, ends, media, rate_hz, now: 0, origin_ns: 0, failed: None })
    }

    /// What it was made of.
    pub fn config(&self) -> &LinkConfig {
        &self.config
    }

    fn end(&mut self, end: End) -> &mut EndState {
        &mut self.ends[end as usize]
    }

    /// Opens an end. It has the settings of the configuration, and has lost nothing.
    ///
    /// # Errors
    /// It is open already.
    pub fn open(&mut self, end: End) -> Result<(), LinkError> {
        if self.ends[end as usize].open {
            return Err(LinkError::InUse { end });
        }
        self.close(end);
        let (now, capacity) = (self.now, self.config.buffer_samples);
        let settings = EndSettings {
            rate_hz: self.config.rate_hz,
            receive_hz: self.config.frequency_hz,
            transmit_hz: self.config.frequency_hz,
            receive_gain_db: 0.0,
            transmit_gain_db: 0.0,
        };
        let state = self.end(end);
        state.open = true;
        state.lost_before = state.lost_before + state.losses();
        state.transmitter = Transmitter::new(capacity);
        state.receiver = Receiver::new(capacity);
        state.settings = settings;
        state.retuned(now);
        Ok(())
    }

    /// Closes an end: nothing leaves it any more. What is under way arrives.
    pub fn close(&mut self, end: End) {
        let state = self.end(end);
        state.open = false;
        state.transmitter.halt();
        state.receiver.halt();
        self.move_on();
    }

    /// Whether an end is open.
    pub fn is_open(&self, end: End) -> bool {
        self.ends[end as usize].open
    }

    /// What an end is set to.
    pub fn settings(&self, end: End) -> EndSettings {
        self.ends[end as usize].settings
    }

    /// Sets the sample rate of an end, in samples a second.
    ///
    /// # Errors
    /// The rate is out of the link's range, or a stream of this end runs.
    pub fn set_rate(&mut self, end: End, rate_hz: f64) -> Result<(), LinkError> {
        let rate_hz = within("the sample rate", rate_hz, self.config.rate_range_hz)?;
        let state = self.end(end);
        if state.streams() && rate_hz != state.settings.rate_hz {
            return Err(LinkError::Streaming { end });
        }
        state.settings.rate_hz = rate_hz;
        Ok(())
    }

    /// Tunes an end, from the next sample on, in Hz.
    ///
    /// # Errors
    /// The frequency is negative, above [`HIGHEST_FREQUENCY_HZ`], or no number.
    pub fn set_frequency(&mut self, end: End, half: Half, frequency_hz: f64) -> Result<(), LinkError> {
        let frequency_hz = within("the frequency", frequency_hz, [0.0, HIGHEST_FREQUENCY_HZ])?;
        let now = self.now;
        let state = self.end(end);
        match half {
            Half::Receiver => state.settings.receive_hz = frequency_hz,
            Half::Transmitter => {
                state.settings.transmit_hz = frequency_hz;
                state.retuned(now);
            }
        }
        Ok(())
    }

    /// Sets a gain, from the next sample on, in dB.
    ///
    /// # Errors
    /// The gain is out of [`GAIN_RANGE_DB`].
    pub fn set_gain(&mut self, end: End, half: Half, gain_db: f64) -> Result<(), LinkError> {
        let gain_db = within("the gain", gain_db, GAIN_RANGE_DB)?;
        let settings = &mut self.end(end).settings;
        match half {
            Half::Receiver => settings.receive_gain_db = gain_db,
            Half::Transmitter => settings.transmit_gain_db = gain_db,
        }
        Ok(())
    }

    /// The link's time now, in nanoseconds.
    pub fn now_ns(&self) -> i64 {
        self.time_ns(self.now)
    }

    /// The next sample that is sent and received.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The time of a sample, in nanoseconds.
    pub fn time_ns(&self, sample: u64) -> i64 {
        self.origin_ns.saturating_add((sample as f64 * 1e9 / self.rate_hz).round() as i64)
    }

    /// The sample nearest to a time; below 0 if that was before samples were counted at this rate.
    pub fn sample_at(&self, time_ns: i64) -> i64 {
        (time_ns.saturating_sub(self.origin_ns) as f64 * self.rate_hz / 1e9).round() as i64
    }

    /// The time of what [`TransmitEvent::Late`] tells, in nanoseconds.
    pub fn time_before_ns(&self, sample: i64) -> i64 {
        self.origin_ns.saturating_add((sample as f64 * 1e9 / self.rate_hz).round() as i64)
    }

    /// Makes the rate of an end that of the link, if it may be.
    fn agree_on_rate(&mut self, end: End) -> Result<(), LinkError> {
        self.alive()?;
        let rate_hz = self.ends[end as usize].settings.rate_hz;
        let other = &self.ends[end.other() as usize];
        if other.streams() && other.settings.rate_hz != rate_hz {
            return Err(LinkError::Rates { end, rate_hz, other_hz: other.settings.rate_hz });
        }
        if rate_hz == self.rate_hz {
            return Ok(());
        }
        self.media = [(self.config.medium)(End::A, rate_hz)?, (self.config.medium)(End::B, rate_hz)?];
        self.origin_ns = self.now_ns();
        self.rate_hz = rate_hz;
        self.now = 0;
        for state in &mut self.ends {
            state.sent_at_hz.clear();
            state.retuned(0);
        }
        Ok(())
    }

    /// Why the link carries nothing any more, if its medium has failed.
    pub fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn alive(&self) -> Result<(), LinkError> {
        match &self.failed {
            Some(why) => Err(LinkError::Failed { why: why.clone() }),
            None => Ok(()),
        }
    }

    /// Starts the receiver of an end, at a time in nanoseconds or now, for so many samples or until it is stopped.
    ///
    /// # Errors
    /// The other end runs at another rate, the medium cannot be made for this one, or has failed.
    pub fn start_receiver(&mut self, end: End, at_ns: Option<i64>, count: Option<u64>) -> Result<(), LinkError> {
        self.agree_on_rate(end)?;
        let (now, at) = (self.now, at_ns.map(|at| self.sample_at(at)));
        self.end(end).receiver.start(now, at, count);
        Ok(())
    }

    /// Stops it. What was not read is gone.
    pub fn stop_receiver(&mut self, end: End) {
        self.end(end).receiver.halt();
        self.move_on();
    }

    /// Starts the transmitter of an end.
    ///
    /// # Errors
    /// As [`Link::start_receiver`].
    pub fn start_transmitter(&mut self, end: End) -> Result<(), LinkError> {
        self.agree_on_rate(end)?;
        self.end(end).transmitter.active = true;
        Ok(())
    }

    /// Stops it. What has not left by now never does.
    pub fn stop_transmitter(&mut self, end: End) {
        self.end(end).transmitter.halt();
        self.move_on();
    }

    /// Gives an end samples to transmit and tells how many it took; fewer, and maybe none, if it has no room for more. They leave at a time in
    /// nanoseconds, or follow on those before. With `ends` the last of them ends the burst, if all were taken.
    ///
    /// # Errors
    /// The transmitter does not run, or the medium has failed.
    pub fn transmit(
        &mut self,
        end: End,
        samples: &[Complex32],
        at_ns: Option<i64>,
        ends: bool,
    ) -> Result<usize, LinkError> {
        self.alive()?;
        if !self.ends[end as usize].transmitter.active {
            return Err(LinkError::NotRunning { end, half: Half::Transmitter });
        }
        let (now, at) = (self.now, at_ns.map(|at| self.sample_at(at)));
        let lead = match self.config.pace {
            Pace::Wall => (self.config.lead_s * self.rate_hz).round() as u64,
            Pace::Samples => 0,
        };
        let taken = self.end(end).transmitter.write(now, now + lead, at, samples, ends);
        self.move_on();
        self.alive()?;
        Ok(taken)
    }

    /// What has come for an end. With [`Pace::Samples`], asking is what moves the time.
    ///
    /// # Errors
    /// The receiver does not run and has nothing left, or the medium has failed.
    pub fn receive(&mut self, end: End, buffer: &mut [Complex32]) -> Result<Received, LinkError> {
        let now = self.now;
        let receiver = &mut self.end(end).receiver;
        if receiver.active {
            receiver.want(now, buffer.len());
            self.move_on();
        }
        let receiver = &mut self.end(end).receiver;
        match receiver.read(buffer) {
            Received::Nothing if !receiver.active => {
                self.alive()?;
                Err(LinkError::NotRunning { end, half: Half::Receiver })
            }
            Received::Nothing => self.alive().map(|()| Received::Nothing),
            received => Ok(received),
        }
    }

    /// The next thing that went wrong with what an end transmits. The counts of [`Link::losses`] are complete also if nobody asks here.
    pub fn poll_event(&mut self, end: End) -> Option<TransmitEvent> {
        self.end(end).transmitter.poll_event()
    }

    /// What an end has lost since it was opened.
    pub fn losses(&self, end: End) -> Losses {
        self.ends[end as usize].losses()
    }

    /// What an end has lost since the link was made, however often it was opened.
    pub fn lost_in_all(&self, end: End) -> Losses {
        let state = &self.ends[end as usize];
        state.lost_before + state.losses()
    }

    /// With [`Pace::Wall`]: the time is now `now_ns`, in nanoseconds since the link was made, and what is due happens. With a time that has
    /// passed, and with [`Pace::Samples`], nothing does. Tells whether more is due: a call does a bounded amount of work.
    #[must_use]
    pub fn advance(&mut self, now_ns: i64) -> bool {
        if self.config.pace == Pace::Samples {
            return false;
        }
        let due = now_ns.saturating_sub(self.origin_ns) as f64 * self.rate_hz / 1e9;
        self.carry_until(due.floor() as u64)
    }

    /// With [`Pace::Samples`]: goes as far as both ends allow, as transmitting and receiving do by themselves. Tells whether there is further to
    /// go: a call does a bounded amount of work.
    pub fn move_on(&mut self) -> bool {
        self.config.pace == Pace::Samples && self.carry_until(self.allowed_until())
    }

    fn allowed_until(&self) -> u64 {
        let receivers = || self.ends.iter().map(|end| &end.receiver).filter(|receiver| receiver.active);
        let transmitters = || self.ends.iter().map(|end| &end.transmitter);
        let wanted = receivers().map(|receiver| receiver.wanted_until).max();
        let written = transmitters().filter_map(Transmitter::waits_until).max();
        let known = transmitters().filter_map(Transmitter::known_until).min().unwrap_or(u64::MAX);
        let room = receivers().map(|receiver| receiver.room_until(self.now)).min().unwrap_or(u64::MAX);
        wanted.or(written).unwrap_or(self.now).min(known).min(room)
    }

    fn carry_until(&mut self, until: u64) -> bool {
        let mut block = [Complex32::ZERO; BLOCK];
        let here = until.min(self.now + AT_ONCE);
        while self.now < here && self.failed.is_none() {
            let count = (here - self.now).min(BLOCK as u64) as usize;
            for from in End::BOTH {
                let block = &mut block[..count];
                block.fill(Complex32::ZERO);
                if let Err(error) = self.carry(from, block) {
                    self.failed = Some(error.0);
                    return false;
                }
            }
            self.now += count as u64;
        }
        self.now < until && self.failed.is_none()
    }

    fn carry(&mut self, from: End, block: &mut [Complex32]) -> Result<(), MediumError> {
        let (now, rate_hz) = (self.now, self.rate_hz);
        let medium = &mut self.media[from as usize];
        let sender = &mut self.ends[from as usize];
        sender.transmitter.send(now, block);
        scale(block, sender.settings.transmit_gain_db);
        // What is no number would stay in the filters for good.
        block.iter_mut().filter(|sample| !sample.is_finite()).for_each(|sample| *sample = Complex32::ZERO);
        medium.carry(block)?;
        let delay = medium.delay_samples();
        let mut done = 0;
        while done < block.len() {
            // The frequency at which the next sample was sent, and for how many it was so.
            let sent = (now + done as u64).saturating_sub(delay);
            let sender = &mut self.ends[from as usize];
            while sender.sent_at_hz.len() > 1 && sender.sent_at_hz[1].0 <= sent {
                sender.sent_at_hz.pop_front();
            }
            let sent_hz = sender.sent_at_hz[0].1;
            let until = sender.sent_at_hz.get(1).map_or(u64::MAX, |next| next.0.saturating_add(delay) - now);
            let part = (until.min(block.len() as u64) as usize).max(done + 1);
            let receiver = &mut self.ends[from.other() as usize];
            receiver.tuner.tune((sent_hz - receiver.settings.receive_hz) / rate_hz);
            receiver.tuner.receive(&mut block[done..part]);
            done = part;
        }
        let receiver = &mut self.ends[from.other() as usize];
        scale(block, receiver.settings.receive_gain_db);
        receiver.receiver.take(now, block);
        Ok(())
    }
}

impl EndState {
    /// Remembers the transmitter's frequency from the sample `now` on.
    fn retuned(&mut self, now: u64) {
        if self.sent_at_hz.back().is_some_and(|last| last.0 == now) {
            self.sent_at_hz.pop_back();
        }
        self.sent_at_hz.push_back((now, self.settings.transmit_hz));
        if self.sent_at_hz.len() > KEPT_RETUNINGS {
            self.sent_at_hz.pop_front();
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("config", &self.config).field("now", &self.now).finish_non_exhaustive()
    }
}
