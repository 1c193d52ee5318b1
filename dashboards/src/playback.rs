//! Which instant of the run is shown.
//!
//! With [`Pace::Follow`] it is the present, and events are let go once they are shown. With [`Pace::Play`] the events are
//! kept on a tape, and a playhead moves over it at a speed of its own: the simulation may be over before it has begun to
//! move, or lag behind it. Nothing here looks at a clock: [`Playback::advance`] is told how much time has gone by.

use std::time::Duration as Span;

use farlink_record::{Event, Header, Stamped};
use farlink_units::{Duration, Instant};

use crate::keys::Action;
use crate::model::Model;
use crate::tape::Tape;
use crate::tempo::Tempo;

/// How fast events are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Show what happens, as it happens: for a wall clock.
    Follow,
    /// Play the whole scenario back in `span`, however fast it was simulated: for the virtual clock. What happens gets half
    /// of it, even if it takes a minute of a day.
    Play {
        /// How long the whole scenario takes on the screen.
        span: Span,
    },
}

/// How long the end stays on the screen if nobody touches a key.
pub const FAREWELL: Span = Span::from_secs(5);
/// Seeking moves by this fraction of the scenario.
const SEEK_STEPS: i64 = 20;
/// How often the speed can be doubled or halved.
const SPEED_STEPS: i32 = 10;
/// How often clocks and countdowns are drawn anew.
const TICK: Span = Span::from_millis(100);
/// With a wall clock, silence longer than this is worth telling.
const QUIET: Span = Span::from_secs(2);

/// What the playback is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The present is shown.
    Live,
    /// The playhead moves.
    Playing,
    /// The playhead stands, or the view of the present is frozen.
    Paused,
    /// The playhead has caught up with a simulation that still runs.
    Waiting,
    /// The end of the run is shown.
    Ended,
}

/// The playhead and all that moves it.
#[derive(Clone, Debug)]
pub struct Playback {
    pace: Pace,
    duration: Duration,
    /// With [`Pace::Follow`], how fast the clock of the bench runs.
    clock_speed: f64,
    /// With [`Pace::Play`], how fast the playhead moves before `+` and `-`.
    tempo: Tempo,
    doublings: i32,
    paused: bool,
    tape: Tape,
    /// How many events of the tape the model has seen.
    shown: usize,
    head: Instant,
    /// Time of the last event that came in.
    known_to: Instant,
    /// Set by [`Event::Ended`], or when the events stop without one.
    end: Option<Instant>,
    /// The model as it was when the present was frozen.
    frozen: Option<Box<Model>>,
    quiet: Span,
    /// How long the view has been on the screen.
    on_screen: Span,
    touched: bool,
    farewell: Span,
    help: bool,
    scroll: usize,
}

impl Playback {
    /// The playhead at the start.
    pub fn new(header: &Header, pace: Pace) -> Self {
        let duration = Duration::from(header.duration);
        let span = match pace {
            Pace::Play { span } => span,
            Pace::Follow => Span::ZERO,
        };
        let clock_speed = header
            .clock
            .strip_prefix("wall:")
            .and_then(|speed| speed.trim_end_matches('x').parse().ok())
            .unwrap_or(1.0);
        Playback {
            pace,
            duration,
            clock_speed,
            tempo: Tempo::new(duration, span),
            doublings: 0,
            paused: false,
            tape: Tape::default(),
            shown: 0,
            head: Instant::ZERO,
            known_to: Instant::ZERO,
            end: None,
            frozen: None,
            quiet: Span::ZERO,
            on_screen: Span::ZERO,
            touched: false,
            farewell: FAREWELL,
            help: false,
            scroll: 0,
        }
    }

    /// Takes in an event that the run has just made.
    pub fn feed(&mut self, model: &mut Model, stamped: Stamped) {
        self.known_to = self.known_to.max(stamped.at);
        if let Event::Ended { .. } = stamped.event {
            self.end = Some(stamped.at);
        }
        match self.pace {
            Pace::Play { .. } => {
                self.tempo.feed(&stamped);
                self.tape.push(stamped);
            }
            Pace::Follow => {
                self.quiet = Span::ZERO;
                model.apply(&stamped);
                self.head = model.now();
            }
        }
    }

    /// Lets `elapsed` go by on the screen. True if what is shown has changed by it.
    pub fn advance(&mut self, model: &mut Model, elapsed: Span) -> bool {
        let before = self.head;
        let had_ended = self.state() == State::Ended;
        let ticks = |time: Span| time.as_nanos() / TICK.as_nanos();
        let ticked = ticks(self.on_screen + elapsed) > ticks(self.on_screen);
        self.on_screen += elapsed;
        match self.pace {
            Pace::Follow if self.end.is_none() => {
                self.quiet += elapsed;
                // Between events the clock goes on at the pace of the bench's own, so that it does not seem to hang.
                let on = Duration::from_secs_f64(elapsed.as_secs_f64() * self.clock_speed);
                self.head = (self.head + on).min((Instant::ZERO + self.duration).max(self.known_to));
                model.advance_to(self.head);
            }
            Pace::Play { .. } if !self.paused => {
                let to = self.tempo.walk(self.head, elapsed.as_secs_f64(), self.factor());
                self.move_to(model, to);
            }
            _ => {}
        }
        if had_ended && !self.touched {
            self.farewell = self.farewell.saturating_sub(elapsed);
        }
        match self.pace {
            // The present moves on its own; events are drawn when they come.
            Pace::Follow => ticked,
            Pace::Play { .. } => self.head != before || (ticked && self.is_moving()),
        }
    }

    /// Does what the user asks for, other than leaving.
    pub fn act(&mut self, model: &mut Model, action: Action) {
        self.touched = true;
        let step = Duration::from_nanos((self.duration.as_nanos() / SEEK_STEPS).max(1));
        match action {
            Action::Pause if self.state() == State::Ended => {}
            Action::Pause => self.toggle_pause(model),
            Action::Faster => self.doublings = (self.doublings + 1).min(SPEED_STEPS),
            Action::Slower => self.doublings = (self.doublings - 1).max(-SPEED_STEPS),
            Action::Back => self.seek(model, self.head - step),
            Action::Forward => self.seek(model, self.head + step),
            Action::Start => self.seek(model, Instant::ZERO),
            Action::End => self.seek(model, Instant::MAX),
            Action::ScrollUp => self.scroll = self.scroll.saturating_sub(1),
            Action::ScrollDown => {
                self.scroll = (self.scroll + 1).min(model.header().channels.len().saturating_sub(1));
            }
            Action::Help => self.help = !self.help,
            Action::Dismiss => self.help = false,
            Action::Quit | Action::Other => {}
        }
    }

    fn toggle_pause(&mut self, model: &Model) {
        self.paused = !self.paused;
        self.frozen = match self.pace {
            Pace::Follow if self.paused => Some(Box::new(model.clone())),
            _ => None,
        };
    }

    fn seek(&mut self, model: &mut Model, to: Instant) {
        if let Pace::Play { .. } = self.pace {
            self.move_to(model, to);
        }
    }

    /// Moves the playhead within what is known, and the model with it.
    fn move_to(&mut self, model: &mut Model, to: Instant) {
        let to = to.min(self.end.unwrap_or(self.known_to)).max(Instant::ZERO);
        if to < self.head {
            model.reset();
            self.shown = 0;
        }
        self.head = to;
        // Events at the playhead itself are shown, so that the end of the run is.
        while self.tape.time(self.shown).is_some_and(|at| at <= to) {
            if let Some(stamped) = self.tape.get(self.shown) {
                model.apply(&stamped);
            }
            self.shown += 1;
        }
        model.advance_to(to);
    }

    /// Takes note that no more events will come, whether or not the last one said so.
    pub fn close(&mut self) {
        self.end.get_or_insert(self.known_to);
    }

    /// What the playback is doing.
    pub fn state(&self) -> State {
        let all_shown = match self.pace {
            Pace::Follow => true,
            Pace::Play { .. } => self.shown == self.tape.len() && Some(self.head) == self.end,
        };
        match self.pace {
            _ if self.end.is_some() && all_shown => State::Ended,
            _ if self.paused => State::Paused,
            Pace::Follow => State::Live,
            Pace::Play { .. } if self.end.is_none() && self.head >= self.known_to => State::Waiting,
            Pace::Play { .. } => State::Playing,
        }
    }

    /// Whether the run has ended, shown or not.
    pub fn run_has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether the end has been on the screen long enough and nobody is there.
    pub fn wants_to_leave(&self) -> bool {
        self.state() == State::Ended && !self.touched && self.farewell.is_zero()
    }

    /// Whether the screen changes by itself.
    pub fn is_moving(&self) -> bool {
        match self.state() {
            State::Live | State::Playing => true,
            State::Ended => !self.touched,
            State::Paused | State::Waiting => false,
        }
    }

    /// Seconds of the scenario in a second of the screen, where the playhead is.
    pub fn speed(&self) -> f64 {
        match self.pace {
            Pace::Follow => self.clock_speed,
            Pace::Play { .. } => self.tempo.at(self.head).0 * self.factor(),
        }
    }

    /// What `+` and `-` have made of the speed.
    fn factor(&self) -> f64 {
        2_f64.powi(self.doublings)
    }

    /// How fast events are shown.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// How far the run is known: how far it has been simulated.
    pub fn known_to(&self) -> Instant {
        self.known_to
    }

    /// What to draw: the given model, or the one that was frozen.
    pub fn shown<'a>(&'a self, model: &'a Model) -> &'a Model {
        self.frozen.as_deref().filter(|_| self.state() == State::Paused).unwrap_or(model)
    }

    /// How much longer the end stays on the screen; `None` if someone has touched a key.
    pub fn farewell(&self) -> Option<Span> {
        (!self.touched).then_some(self.farewell)
    }

    /// With a wall clock, for how long no event has come, if that is worth telling.
    pub fn quiet(&self) -> Option<Span> {
        (self.pace == Pace::Follow && self.end.is_none() && self.quiet >= QUIET).then_some(self.quiet)
    }

    /// Whether the help is open.
    pub fn help(&self) -> bool {
        self.help
    }

    /// The first channel shown, if they do not all fit.
    pub fn scroll(&self) -> usize {
        self.scroll
    }
}
