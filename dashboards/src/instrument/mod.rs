//! The view of `farlink emulate`: how a running emulator stands, and a line to tell it what to do.
//!
//! At 100,000 frames a second nothing can be drawn from events of single frames. This view is drawn from [`Snapshot`]s, taken
//! some times a second, and from the notices of ports, contacts, controls and disturbances, which are few.
//!
//! | module | what it does |
//! |---|---|
//! | [`model`] | the last snapshot, rates from the differences between snapshots, the log of notices |
//! | [`notices`] | brings notices to the view without ever holding up whoever has them |
//! | [`prompt`] | the line in which an order is typed |
//! | [`screen`] | draws it; holds no state |
//! | [`live`] | keys, snapshots and notices at the terminal |
//!
//! [`Snapshot`]: farlink_record::instrument::Snapshot

pub mod live;
pub mod model;
pub mod notices;
pub mod prompt;
pub mod screen;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use farlink_control::words;
use farlink_record::ChannelId;
use farlink_record::control::{Control, Restorable};
use farlink_units::{Duration, Instant};

use crate::live::Flow;
use model::Model;
use prompt::{Edit, Prompt};

pub use live::run;

/// What does not change while the emulator runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// What runs.
    pub name: String,
    /// When it ends by itself.
    pub until: Option<Instant>,
    /// How late 99 of 100 frames may leave.
    pub tolerated_p99: Option<Duration>,
    /// How late any frame may leave.
    pub tolerated_max: Option<Duration>,
}

/// The keys as the help lists them.
pub const HELP: [(&str, &str); 12] = [
    ("up  down", "choose a channel"),
    ("a", "all channels, or the chosen one again"),
    ("r", "data rate: 256kbit/s, or none"),
    ("b", "bit error ratio: 1e-5"),
    ("d", "one-way light time: 4s"),
    ("c", "contact: open, closed or planned"),
    ("f", "fault: drop 2 report, damage 3 --bits 8, …"),
    (":", "any order, as `farlink ctl` takes it"),
    ("x", "restore all that was done by hand"),
    ("space", "pause, resume; always for all channels"),
    ("?  Esc", "this help; hide it"),
    ("q  Ctrl-C", "stop the emulator and leave"),
];

/// How an order reaches the emulator: the channel, or all of them, and what it is to do. The error is for people.
pub type Obey<'a> = dyn FnMut(Option<ChannelId>, &Control) -> Result<(), String> + 'a;

/// The state of the view: everything but the terminal.
#[derive(Clone, Debug)]
pub struct InstrumentView {
    facts: Facts,
    model: Model,
    /// The place of the chosen channel.
    chosen: usize,
    /// Whether orders are for all channels.
    all: bool,
    prompt: Option<Prompt>,
    /// Why an order that was not typed could not be done.
    complaint: Option<String>,
    help: bool,
}

impl InstrumentView {
    /// A view that has seen nothing yet.
    pub fn new(facts: Facts) -> Self {
        InstrumentView {
            facts,
            model: Model::default(),
            chosen: 0,
            all: false,
            prompt: None,
            complaint: None,
            help: false,
        }
    }

    /// What does not change.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What is known of the emulator.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What is known of the emulator, to be told more.
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// The place of the chosen channel; 0 if there is none.
    pub fn chosen(&self) -> usize {
        self.chosen.min(self.model.snapshot().channels.len().saturating_sub(1))
    }

    /// Whether orders are for all channels.
    pub fn all(&self) -> bool {
        self.all
    }

    /// The line in which an order is being typed.
    pub fn prompt(&self) -> Option<&Prompt> {
        self.prompt.as_ref()
    }

    /// Why the last order that was not typed could not be done.
    pub fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// Whether the help is shown.
    pub fn help(&self) -> bool {
        self.help
    }

    /// Whom an order is for, by name.
    pub fn addressee(&self) -> &str {
        let channels = &self.model.snapshot().channels;
        match channels.get(self.chosen()) {
            Some(channel) if !self.all => &channel.name,
            _ => "all channels",
        }
    }

    /// Does what a key asks for.
    pub fn press(&mut self, key: KeyEvent, obey: &mut Obey<'_>) -> Flow {
        if key.kind == KeyEventKind::Release {
            return Flow::Stay;
        }
        // Raw mode keeps the terminal from turning Ctrl-C into a signal.
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Flow::Leave;
        }
        self.complaint = None;
        if self.prompt.is_some() {
            self.type_on(key, obey);
            return Flow::Stay;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return Flow::Stay;
        }
        match key.code {
            KeyCode::Up => self.choose(self.chosen().saturating_sub(1)),
            KeyCode::Down => self.choose(self.chosen() + 1),
            KeyCode::Char('a') => self.all = !self.all,
            KeyCode::Char('r') => self.ask("rate "),
            KeyCode::Char('b') => self.ask("ber "),
            KeyCode::Char('d') => self.ask("delay "),
            KeyCode::Char('c') => self.ask("contact "),
            KeyCode::Char('f' | ':') => self.ask(""),
            KeyCode::Char('x') => self.order(&Control::Restore { what: Restorable::All }, obey),
            KeyCode::Char(' ') => {
                let paused = self.model.snapshot().paused;
                self.order(if paused { &Control::Resume } else { &Control::Pause }, obey);
            }
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.help = !self.help,
            KeyCode::Esc => self.help = false,
            KeyCode::Char('q' | 'Q') => return Flow::Leave,
            _ => {}
        }
        Flow::Stay
    }

    fn choose(&mut self, place: usize) {
        self.all = false;
        self.chosen = place;
        self.chosen = self.chosen();
    }

    fn ask(&mut self, begun: &str) {
        self.help = false;
        self.prompt = Some(Prompt::new(begun));
    }

    fn type_on(&mut self, key: KeyEvent, obey: &mut Obey<'_>) {
        let Some(prompt) = &mut self.prompt else { return };
        match prompt.press(key) {
            Edit::Going => {}
            Edit::GivenUp => self.prompt = None,
            Edit::Said => {
                let said = words::parse(prompt.text()).map_err(|error| error.to_string());
                match said.and_then(|control| self.tell(&control, obey)) {
                    Ok(()) => self.prompt = None,
                    Err(why) => {
                        if let Some(prompt) = &mut self.prompt {
                            prompt.refuse(why);
                        }
                    }
                }
            }
        }
    }

    /// Does what was asked for without a prompt.
    fn order(&mut self, control: &Control, obey: &mut Obey<'_>) {
        self.complaint = self.tell(control, obey).err();
    }

    fn tell(&mut self, control: &Control, obey: &mut Obey<'_>) -> Result<(), String> {
        let for_all = self.all || matches!(control, Control::Pause | Control::Resume);
        let channel = u16::try_from(self.chosen()).map_err(|_| "there are too many channels".to_owned())?;
        obey((!for_all).then_some(ChannelId(channel)), control)
    }
}
