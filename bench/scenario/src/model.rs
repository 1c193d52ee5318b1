//! A scenario as the bench takes it: names resolved to indices, quantities checked.

use std::path::PathBuf;
use std::sync::Arc;

use farlink_channel_models::{Place, Visibility};
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
    /// The places, in the order of the file.
    pub places: Vec<NamedPlace>,
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channel {
    /// The node that transmits, as an index into [`Scenario::nodes`].
    pub from: usize,
    /// The node that receives.
    pub to: usize,
    /// The rate at which frames are serialised.
    pub rate: BitRate,
    /// The probability that a bit is flipped, 0 … 0.5; flips are independent.
    pub ber: Ratio,
}

/// What decides on contacts and light time.
#[derive(Clone, Debug, PartialEq)]
pub enum Path {
    /// The places of the two nodes.
    Geometry(Visibility),
    /// The file.
    Fixed {
        /// The one-way light time.
        light_time: Duration,
        /// When the link carries: start and end of each contact, in order, without overlap. A link that always carries has
        /// the one contact from [`Instant::ZERO`] to [`Instant::MAX`].
        contacts: Vec<(Instant, Instant)>,
    },
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
