//! Nodes that are described in a file: how they are started, where their doors are, what they offer.
//!
//! [`Description::load`] reads a file; [`Real`] is the target that it describes. In every text of the file these words are
//! replaced when the node is started:
//!
//! | word | by |
//! |---|---|
//! | `{<door>.node}`, `{<door>.tester}` | the address of the node or of the tester at a door: `127.0.0.1:4556` |
//! | `{<door>.node.port}`, `{<door>.tester.port}` | its port alone |
//! | `{port.<name>}` | another port that is free |
//! | `{folder}` | the folder of the node, in which its commands run |
//! | `{farlink}` | the `farlink` program itself |

mod real;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use farlink_units::Duration;
use farlink_wire::bpv7::Eid;
use serde::Deserialize;
use thiserror::Error;

pub use real::Real;

use crate::medium::Door;
use crate::profile::{BundleProfile, ContactProfile, LtpProfile, Originate, Profile, TcpclProfile};

/// A node, as its file describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// What it is and where it comes from.
    #[serde(default)]
    pub about: String,
    /// How it is started; a node without it runs already.
    #[serde(default)]
    pub start: Option<Start>,
    /// How its version is asked for.
    #[serde(default)]
    pub version: Option<Vec<String>>,
    /// Its doors.
    pub doors: BTreeMap<DoorName, DoorAddresses>,
    /// What it may take to answer.
    #[serde(default = "response")]
    pub response: Duration,
    /// From the tester to the node and back, where something in between takes time.
    #[serde(default)]
    pub round_trip: Duration,
    /// What it offers, by the names that the catalogue gives to needs.
    #[serde(default)]
    pub offers: BTreeSet<String>,
    /// How it is made to send bundles.
    #[serde(default)]
    pub originate: OriginateBy,
    /// Commands that make it do something.
    #[serde(default)]
    pub commands: Commands,
    /// The folder into which it writes what it delivers, one file each.
    #[serde(default)]
    pub deliveries: Option<String>,
    /// Its LTP engine.
    #[serde(default)]
    pub ltp: Option<LtpDescription>,
    /// Its bundle agent.
    #[serde(default)]
    pub bundles: Option<BundleDescription>,
    /// Its TCPCL.
    #[serde(default)]
    pub tcpcl: Option<TcpclDescription>,
    /// The endpoint that the tester has behind each door, for bundles that the node sends there.
    #[serde(default)]
    pub endpoints: BTreeMap<DoorName, String>,
    /// When the link to it is open, counted from its start.
    #[serde(default)]
    pub contacts: Vec<ContactDescription>,
}

/// The name of a door in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorName {
    /// LTP over UDP.
    Ltp,
    /// The same for the second engine ID of the tester.
    #[serde(rename = "ltp-2")]
    SecondLtp,
    /// Bundles in UDP datagrams.
    Udp,
    /// TCPCL version 4.
    Tcpcl,
    /// STCP.
    Stcp,
    /// MTCP.
    Mtcp,
}

impl DoorName {
    /// The door.
    pub const fn door(self) -> Door {
        match self {
            DoorName::Ltp => Door::Ltp,
            DoorName::SecondLtp => Door::SecondLtp,
            DoorName::Udp => Door::Udp,
            DoorName::Tcpcl => Door::Tcpcl,
            DoorName::Stcp => Door::Stcp,
            DoorName::Mtcp => Door::Mtcp,
        }
    }
}

/// Where a door is. Port 0 stands for one that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorAddresses {
    /// Where the node listens.
    #[serde(default)]
    pub node: Option<SocketAddr>,
    /// Where the tester listens.
    #[serde(default)]
    pub tester: Option<SocketAddr>,
}

/// How a node is started.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Programs that must be on the PATH; without them the node is skipped.
    #[serde(default)]
    pub requires: Vec<String>,
    /// How to get them.
    #[serde(default)]
    pub hint: String,
    /// Files that are written into its folder.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Added to its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Commands before it.
    #[serde(default)]
    pub before: Vec<Vec<String>>,
    /// The node itself.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// When it is ready.
    #[serde(default)]
    pub ready: ReadyWhen,
    /// Commands once it is ready.
    #[serde(default)]
    pub after: Vec<Vec<String>>,
    /// Commands that end it.
    #[serde(default)]
    pub stop: Vec<Vec<String>>,
    /// How long each of these may take.
    #[serde(default = "patience")]
    pub patience: Duration,
    /// Whether each case gets a node that was just started: what a node could not send in one case, it sends in the next. The node must be one
    /// that answers when it is asked whether it is alive; that is not tried out before the first case then.
    #[serde(default)]
    pub each_case: bool,
}

/// When a node is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyWhen {
    /// At once.
    #[default]
    AtOnce,
    /// When a connection to this address is taken.
    Tcp(String),
    /// When this UDP address is in use.
    Udp(String),
    /// When it has printed this.
    Line(String),
    /// After a fixed time.
    After(Duration),
}

/// How a node is made to send bundles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OriginateBy {
    /// By `commands.originate`.
    Command,
    /// By a bundle whose way leads back to the tester.
    #[default]
    Relay,
    /// Not at all.
    Passive,
}

/// Commands that make a node do something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// Sends the file `{payload}` to the tester over `{door}`; `{lifetime_ms}` and `{flags}` say how.
    #[serde(default)]
    pub originate: Option<Vec<String>>,
    /// Cancels what is being sent.
    #[serde(default)]
    pub cancel_sending: Option<Vec<String>>,
    /// Cancels what is being received.
    #[serde(default)]
    pub cancel_receiving: Option<Vec<String>>,
    /// Cancels the bundle that it was made to send last.
    #[serde(default)]
    pub cancel_bundle: Option<Vec<String>>,
    /// Ends it and starts it again, with what it keeps over a restart.
    #[serde(default)]
    pub restart: Option<Vec<String>>,
    /// Ends TCPCL sessions.
    #[serde(default)]
    pub terminate: Option<Vec<String>>,
    /// Closes the way to the tester over `{door}`.
    #[serde(default)]
    pub close_route: Option<Vec<String>>,
    /// Opens it again.
    #[serde(default)]
    pub open_route: Option<Vec<String>>,
    /// Has the passive endpoint asked.
    #[serde(default)]
    pub poll: Option<Vec<String>>,
}

/// An LTP engine; see [`LtpProfile`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as in the profile")]
pub struct LtpDescription {
    pub engine: u64,
    pub tester: u64,
    #[serde(default)]
    pub second_tester: Option<u64>,
    #[serde(default = "bundle_service")]
    pub service: u64,
    #[serde(default = "unused_service")]
    pub unused_service: u64,
    #[serde(default)]
    pub defer: Duration,
    pub checkpoint_timer: Duration,
    #[serde(default)]
    pub report_timer: Option<Duration>,
    #[serde(default)]
    pub cancel_timer: Option<Duration>,
    pub retransmission_limit: u32,
    #[serde(default)]
    pub problem_limit: Option<u32>,
    #[serde(default)]
    pub cycle_limit: Option<u32>,
    #[serde(default = "segment_size")]
    pub segment_size: usize,
}

impl Default for LtpDescription {
    fn default() -> Self {
        LtpDescription {
            engine: 0,
            tester: 0,
            second_tester: None,
            service: bundle_service(),
            unused_service: unused_service(),
            defer: Duration::ZERO,
            checkpoint_timer: seconds_5(),
            report_timer: None,
            cancel_timer: None,
            retransmission_limit: 20,
            problem_limit: None,
            cycle_limit: None,
            segment_size: segment_size(),
        }
    }
}

/// A bundle agent; see [`BundleProfile`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as in the profile")]
pub struct BundleDescription {
    pub carrier: DoorName,
    pub node: String,
    pub tester: String,
    pub forward: String,
    pub local: String,
    #[serde(default)]
    pub passive: Option<String>,
    #[serde(default = "unroutable")]
    pub unroutable: String,
    pub report_to: String,
    pub other_report_to: String,
    #[serde(default)]
    pub dtn_forward: Option<String>,
    #[serde(default = "seconds_5")]
    pub forwarding: Duration,
    #[serde(default = "seconds_5")]
    pub reporting: Duration,
    #[serde(default = "seconds_5")]
    pub expiry: Duration,
    #[serde(default = "response")]
    pub skew: Duration,
    #[serde(default = "unknown_blocks")]
    pub unknown_blocks: [u64; 3],
    #[serde(default)]
    pub longest_bundle: Option<usize>,
    #[serde(default = "longest_taken")]
    pub longest_taken: usize,
    #[serde(default = "path_mtu")]
    pub path_mtu: usize,
    #[serde(default)]
    pub names_itself: bool,
}

/// A TCP convergence layer; see [`TcpclProfile`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as in the profile")]
pub struct TcpclDescription {
    pub tester: String,
    #[serde(default = "yes")]
    pub listens: bool,
    #[serde(default)]
    pub connects: bool,
    #[serde(default)]
    pub on_demand: bool,
    #[serde(default)]
    pub keepalive_s: Option<u16>,
    #[serde(default = "minute")]
    pub contact_timeout: Duration,
    #[serde(default = "minute")]
    pub init_timeout: Duration,
    #[serde(default)]
    pub idle_timeout: Option<Duration>,
    #[serde(default = "seconds_10")]
    pub close_timeout: Duration,
    #[serde(default)]
    pub pause: Duration,
}

/// A time in which the link is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactDescription {
    /// Its start, from the start of the node on.
    pub start: Duration,
    /// Its end.
    pub end: Duration,
}

fn response() -> Duration {
    Duration::from_secs(2)
}

fn patience() -> Duration {
    Duration::from_secs(20)
}

fn seconds_5() -> Duration {
    Duration::from_secs(5)
}

fn seconds_10() -> Duration {
    Duration::from_secs(10)
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

fn yes() -> bool {
    true
}

fn bundle_service() -> u64 {
    1
}

fn unused_service() -> u64 {
    4093
}

fn segment_size() -> usize {
    1400
}

fn unroutable() -> String {
    "ipn:99999.1".to_owned()
}

fn path_mtu() -> usize {
    1500
}

fn longest_taken() -> usize {
    4 << 20
}

fn unknown_blocks() -> [u64; 3] {
    [251, 252, 253]
}

/// Why a description was refused.
#[derive(Debug, Error)]
pub enum DescriptionError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no description.
    #[error("{}: {text}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong, and where.
        text: String,
    },
}

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// The file cannot be read, or says something that makes no sense: where, and what would.
    pub fn load(path: &Path) -> Result<Self, DescriptionError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| DescriptionError::Io { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|text| DescriptionError::Content { path: path.to_owned(), text })
    }

    /// Reads the text of a description.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let this: Description = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        this.check()?;
        Ok(this)
    }

    fn check(&self) -> Result<(), String> {
        if self.name.trim().is_empty() {
            return Err("name: give the node a name".to_owned());
        }
        if self.doors.is_empty() {
            return Err(
                "doors: a node without a door cannot be judged; give it one, as in `ltp: {node: 127.0.0.1:1113, \
                        tester: 127.0.0.1:1114}`"
                    .to_owned(),
            );
        }
        if let Some((name, _)) = self.doors.iter().find(|(_, d)| d.node.is_none() && d.tester.is_none()) {
            return Err(format!(
                "doors.{}: give the address of the node, of the tester, or both",
                name.door().as_str()
            ));
        }
        if self.ltp.is_some() && !self.doors.contains_key(&DoorName::Ltp) {
            return Err("ltp: the node has no door `ltp`; add its address under `doors`".to_owned());
        }
        if self.tcpcl.is_some() && !self.doors.contains_key(&DoorName::Tcpcl) {
            return Err("tcpcl: the node has no door `tcpcl`; add its address under `doors`".to_owned());
        }
        if let Some(bundles) = &self.bundles
            && !self.doors.contains_key(&bundles.carrier)
        {
            let carrier = bundles.carrier.door().as_str();
            return Err(format!("bundles.carrier: the node has no door `{carrier}`; add its address under `doors`"));
        }
        if self.originate == OriginateBy::Command && self.commands.originate.is_none() {
            return Err("originate: `command` needs `commands.originate`".to_owned());
        }
        let known: BTreeSet<&str> =
            crate::catalogue::files().iter().flat_map(|(_, file)| file.needs.keys()).map(String::as_str).collect();
        if let Some(word) = self.offers.iter().find(|word| !known.contains(word.as_str())) {
            let known: Vec<&str> = known.into_iter().collect();
            return Err(format!("offers: nothing needs `{word}`; it is one of {}", known.join(", ")));
        }
        words::check(self)?;
        self.profile(0).map(drop)
    }

    /// What the tester knows of the node. `dtn_time_at_zero_ms` is the DTN time of the tester's instant zero.
    ///
    /// # Errors
    /// A text that is no endpoint ID.
    pub fn profile(&self, dtn_time_at_zero_ms: u64) -> Result<Profile, String> {
        let any = |field: &str, text: &str| -> Result<Eid, String> {
            text.parse().map_err(|error| format!("{field}: {text:?} is no endpoint ID: {error}"))
        };
        let eid = |field: &str, text: &str| any(&format!("bundles.{field}"), text);
        let some = |field: &str, text: &Option<String>| text.as_deref().map(|text| eid(field, text)).transpose();
        let bundles = self.bundles.as_ref().map(|told| -> Result<BundleProfile, String> {
            Ok(BundleProfile {
                carrier: told.carrier.door(),
                node: eid("node", &told.node)?,
                tester: eid("tester", &told.tester)?,
                forward: eid("forward", &told.forward)?,
                local: eid("local", &told.local)?,
                passive: some("passive", &told.passive)?,
                unroutable: eid("unroutable", &told.unroutable)?,
                report_to: eid("report_to", &told.report_to)?,
                other_report_to: eid("other_report_to", &told.other_report_to)?,
                dtn_forward: some("dtn_forward", &told.dtn_forward)?,
                dtn_time_at_zero_ms,
                forwarding: told.forwarding,
                reporting: told.reporting,
                expiry: told.expiry,
                skew: told.skew,
                unknown_blocks: told.unknown_blocks,
                longest_bundle: told.longest_bundle,
                longest_taken: told.longest_taken,
                path_mtu: told.path_mtu,
                names_itself: told.names_itself,
            })
        });
        let relay = self.endpoints.get(&DoorName::Ltp).map(|text| any("endpoints.ltp", text)).transpose()?;
        let ltp = self.ltp.as_ref().map(|told| LtpProfile {
            engine: told.engine,
            tester: told.tester,
            second_tester: told.second_tester,
            service: told.service,
            unused_service: told.unused_service,
            defer: told.defer,
            checkpoint_timer: told.checkpoint_timer,
            report_timer: told.report_timer.unwrap_or(told.checkpoint_timer),
            cancel_timer: told.cancel_timer.unwrap_or(told.checkpoint_timer),
            checkpoint_limit: told.retransmission_limit,
            report_limit: told.retransmission_limit,
            cancel_limit: told.retransmission_limit,
            problem_limit: told.problem_limit,
            cycle_limit: told.cycle_limit,
            segment_size: told.segment_size,
            relay: relay.clone(),
            authentication: None,
        });
        let tcpcl = self.tcpcl.as_ref().map(|told| -> Result<TcpclProfile, String> {
            Ok(TcpclProfile {
                tls: None,
                tester: any("tcpcl.tester", &told.tester)?,
                listens: told.listens,
                connects: told.connects,
                on_demand: told.on_demand,
                keepalive_s: told.keepalive_s,
                contact_timeout: told.contact_timeout,
                init_timeout: told.init_timeout,
                idle_timeout: told.idle_timeout,
                close_timeout: told.close_timeout,
                pause: told.pause,
            })
        });
        let endpoints = self
            .endpoints
            .iter()
            .map(|(door, text)| Ok((door.door(), any(&format!("endpoints.{}", door.door().as_str()), text)?)));
        let contacts = self.contacts.iter().map(|c| ContactProfile { start: c.start, end: c.end });
        Ok(Profile {
            name: self.name.clone(),
            round_trip: self.round_trip,
            response: self.response,
            offers: self.offers.clone(),
            originate: match self.originate {
                OriginateBy::Command => Originate::Ordered,
                OriginateBy::Relay => Originate::Relayed,
                OriginateBy::Passive => Originate::Passive,
            },
            ltp,
            bundles: bundles.transpose()?,
            tcpcl: tcpcl.transpose()?,
            endpoints: endpoints.collect::<Result<_, String>>()?,
            contacts: contacts.collect(),
        })
    }
}
