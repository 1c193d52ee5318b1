//! A scenario as the bench takes it: names resolved to indices, quantities checked.

use std::path::PathBuf;
use std::sync::Arc;

use farlink_channel_models::errors::{Band, Code, ErrorModel, Fading};
use farlink_channel_models::radio::Budget;
use farlink_channel_models::{HorizonTable, Place, RangeTable, Rate, Visibility};
use farlink_units::{BitRate, Duration, Instant, Ratio, Size};
use hifitime::Epoch;

use crate::problem::{Problem, ScenarioWarnings};

/// A checked scenario. Nodes, links and traffic stand in the order of the file and refer to one another by index.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Its name, fit for a file name.
    pub name: String,
    /// What it is for, in the author's words; empty if the file does not say.
    pub description: String,
    /// What all randomness of the run is derived from.
    pub seed: u64,
    /// The calendar time at [`Instant::ZERO`].
    pub epoch: Epoch,
    /// How long the run lasts at most.
    pub duration: Duration,
    /// What places and turns the bodies and is read with its trajectories; without it the built-in series do that.
    #[cfg(feature = "spice")]
    pub kernels: Option<Arc<farlink_channel_models::Kernels>>,
    /// The places, in the order of the file.
    pub places: Vec<NamedPlace>,
    /// How late the bench may be in real time; `None` if the file does not say.
    pub tolerance: Option<Tolerance>,
    /// The nodes; at least one link joins two of them.
    pub nodes: Vec<Node>,
    /// The links between them, at most one for each pair.
    pub links: Vec<Link>,
    /// What is sent. A scenario that sends nothing can be planned, but not run.
    pub traffic: Vec<Traffic>,
    /// The file this was read from.
    pub source: SourceText,
    pub(crate) warnings: Vec<Problem>,
}

impl Scenario {
    /// What is allowed but probably not meant, ready to be shown; `None` if there is nothing to say.
    pub fn warnings(&self) -> Option<ScenarioWarnings> {
        (!self.warnings.is_empty()).then(|| ScenarioWarnings::new(&self.source, self.warnings.clone()))
    }

    /// The index of the node with this name.
    pub fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }
}

/// How late the bench may be in real time before its verdicts are inconclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// For 99 of 100 things that it has to do at an instant.
    pub p99: Option<Duration>,
    /// For each of them.
    pub max: Option<Duration>,
}

/// The text a scenario was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// The path as the caller gave it.
    pub path: PathBuf,
    /// The whole file.
    pub text: Arc<str>,
}

/// One node: an LTP engine and a bundle agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name in the file.
    pub name: String,
    /// The number in its node ID `ipn:NUMBER.0` (RFC 9758), 1 … 2^32 - 2. It is also its LTP engine number.
    pub node_number: u64,
    /// Where it is. Present at both ends of every link with [`Path::Geometry`].
    pub place: Option<Place>,
    /// How much bundle data it can keep.
    pub storage: Size,
}

/// A place that the file names.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPlace {
    /// Its name in the file.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// The height of the land about it, at a site.
    pub horizon: Option<HorizonTable>,
}

/// A link between two nodes: a channel in each direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Its name in the file.
    pub name: String,
    /// The first channel.
    pub forward: Channel,
    /// The channel back: it has the ends of `forward` the other way round.
    pub return_: Channel,
    /// When the link carries, and its light time. The same for both channels.
    pub path: Path,
    /// The bit error ratio, 0 … 0.5, that both channels have in addition while the Sun is too near in the sky of the node that
    /// transmits forward, and of the other: below [`SunLimit::degraded_below_deg`](farlink_channel_models::SunLimit).
    pub degraded_ber: [Ratio; 2],
    /// What becomes of a frame with flipped bits.
    pub damaged: DamagedFrames,
    /// The link-layer header and check around each LTP segment, counted in its serialisation and exposed to bit errors.
    pub frame_overhead: Size,
    /// What the transmit queue of each channel holds.
    pub queue: Size,
    /// The LTP settings of the two engines for this link.
    pub ltp: LtpSettings,
}

/// One direction of a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// The node that transmits, as an index into [`Scenario::nodes`].
    pub from: usize,
    /// The node that receives.
    pub to: usize,
    /// The rate at which frames are serialised.
    pub rate: RateSource,
    /// The probability that a bit is flipped, 0 … 0.5; these flips are independent.
    pub ber: Ratio,
    /// What else goes wrong, whatever the signal.
    pub errors: Vec<ErrorModel>,
    /// What decoding leaves of the errors of the signal.
    pub coding: Option<Coding>,
    /// The radio. Present where `rate` or `coding` follow it. Its tables by elevation have more than one row only where the path
    /// is [`Path::Geometry`] and an end is a site.
    pub radio: Option<Budget>,
    /// How its frames go through samples, if they do. Then there is a `radio` and a `coding`, and `rate` is constant.
    pub waveform: Option<Waveform>,
}

/// How the frames of a channel go through samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waveform {
    /// Modulation, code and symbol rate. At that rate the channel's rate is what transfer frames have room for.
    pub signal: farlink_radio::waveform::Waveform,
    /// How far the receiver's oscillator is above the carrier, in hertz.
    pub frequency_offset_hz: f64,
    /// Whether transfer frames go through samples, and not through what is known of how often the code fails.
    pub through_samples: bool,
}

/// Where the rate of a channel comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum RateSource {
    /// The file.
    Given(Rate),
    /// The highest of these rates that the link budget holds.
    Highest {
        /// The rates to choose from.
        of: Vec<BitRate>,
        /// How far Eb/N0 must stay above what the decoder needs, in dB.
        margin_db: f64,
    },
}

impl RateSource {
    /// Whether there is no rate from [`Instant::ZERO`] until `end`. What follows a link budget may have one.
    pub fn is_silent(&self, end: Instant) -> bool {
        match self {
            RateSource::Given(rate) => {
                let later = rate.changes().iter().filter(|(at, _)| (Instant::ZERO..end).contains(at));
                rate.at(Instant::ZERO).is_none() && later.into_iter().all(|(_, rate)| rate.is_none())
            }
            RateSource::Highest { .. } => false,
        }
    }
}

/// A code, and how well its signal arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct Coding {
    /// The code.
    pub code: Code,
    /// Eb/N0 at the decoder in dB; without it, what the link budget gives.
    pub eb_n0_db: Option<f64>,
    /// How the signal fades near the Sun.
    pub scintillation: Option<Scintillation>,
}

/// Amplitude scintillation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scintillation {
    /// How deep it is.
    pub depth: Depth,
    /// The law of the power.
    pub fading: Fading,
    /// The lag at which the correlation has fallen to 1/e.
    pub correlation_time: Duration,
}

/// How deep a signal scintillates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Depth {
    /// By this index m, 0 … 1, at all times.
    Index(f64),
    /// By the index of this band at the angle between the Sun and the other end in the sky of the end on the Earth, or of the
    /// receiver if no end or both are there. Only with [`Path::Geometry`].
    Sun(Band),
}

/// What decides on contacts and light time.
#[derive(Clone, Debug, PartialEq)]
pub enum Path {
    /// The places of the two nodes.
    Geometry(Visibility),
    /// The file.
    Fixed {
        /// How far it is.
        distance: Distance,
        /// When the link carries: start and end of each contact, in order, without overlap. A link that always carries has
        /// the one contact from [`Instant::ZERO`] to [`Instant::MAX`].
        contacts: Vec<(Instant, Instant)>,
    },
}

/// How far the ends of a link are from each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Distance {
    /// This one-way light time.
    LightTime(Duration),
    /// What a table of ranges says. Outside of what it covers the link is closed.
    Table(RangeTable),
}

/// What the receiver's link layer does with a frame in which bits have flipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DamagedFrames {
    /// Its frame check fails and the frame is dropped.
    #[default]
    Drop,
    /// It has no frame check: the damaged frame is handed to the node.
    Deliver,
}

/// LTP settings of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LtpSettings {
    /// The most bytes in one segment, LTP header included.
    pub segment_size: Size,
    /// What is added to twice the light time before a segment counts as unanswered: the queueing and processing delay of
    /// both ends ("additional anticipated latency", RFC 5326 section 6.5).
    pub response_margin: Duration,
    /// How often a checkpoint or report is retransmitted before the session is cancelled.
    pub retransmission_limit: u32,
}

/// One thing that is sent, as one or more bundles.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// Its name in the file.
    pub name: String,
    /// The node that sends, as an index into [`Scenario::nodes`].
    pub from: usize,
    /// The node that it is for.
    pub to: usize,
    /// What is sent.
    pub content: Content,
    /// When, counted from the epoch.
    pub at: Duration,
    /// The most payload bytes in one bundle.
    pub bundle_size: Size,
    /// The lifetime of each bundle.
    pub lifetime: Duration,
    /// Whether each bundle asks for a delivery report, which the run then expects back.
    pub report_delivery: bool,
    /// When all of it must have arrived, counted from the epoch; without it, by the end of the run.
    pub arrives_by: Option<Duration>,
}

/// What a traffic item carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The bytes of a file, which could be opened and was not empty when the scenario was read.
    File(PathBuf),
    /// A text, as UTF-8.
    Text(String),
}
