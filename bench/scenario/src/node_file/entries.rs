//! The shape of the node file, as serde reads it. The documentation of each field is what editors show for it.

use farlink_engine::bp::FailureAction;
use farlink_units::{BitRate, Duration, Ratio, Size};
use schemars::JsonSchema;
use serde::Deserialize;

use super::model::LtpCiphersuite;
use super::values::{Address, EndpointEid, Flag, NodeEid, Route, State, Tcp, Udp, Width};
use crate::located::{At, Keyed, Text};
use crate::values::{Count, When};
use crate::words::Choice;

/// A built-in node as a process: who it is, where it listens, whom it knows and how it routes.
///
/// Every quantity carries its unit: `256 kbit/s`, `4 s`, `64 KiB`. Paths are relative to the folder of this file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Farlink node")]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeFile {
    /// The node ID, as in `ipn:10.0` or `dtn://lander/`.
    #[schemars(required)]
    pub node: Option<Text<NodeEid>>,
    /// The ID of the LTP engine. Default the node number; a node of the `dtn` scheme that speaks LTP must give one.
    pub engine: Option<Text<Count>>,
    /// Whether the clock of the machine is right. With `false`, bundles have creation time 0 and tell their age instead.
    /// Default `true`.
    pub clock: Option<Text<Flag>>,
    /// Where bundles are kept, and how much of them. Default 1 GiB in memory.
    pub storage: Option<At<StorageEntry>>,
    /// Whether to send the status reports that bundles ask for. Default `false`.
    pub status_reports: Option<Text<Flag>>,
    /// The most hops for bundles of this node, 1 to 255. Default no limit.
    pub hop_limit: Option<Text<Count>>,
    /// What session numbers and the like are derived from. Default something new at each start.
    pub seed: Option<Text<Count>>,
    /// The endpoints of this node at which applications get data, by endpoint ID.
    #[serde(default)]
    pub endpoints: Keyed<EndpointEid, EndpointEntry>,
    /// Where the node listens.
    #[serde(default)]
    pub listen: Vec<At<ListenEntry>>,
    /// The nodes that this one exchanges bundles with, by node ID.
    #[serde(default)]
    pub neighbours: Keyed<NodeEid, NeighbourEntry>,
    /// Static routes, as in `ipn:30.* via ipn:20.0`: the most specific pattern wins, then the smaller metric.
    #[serde(default)]
    pub routes: Vec<Text<Route>>,
    /// The contact plan. With it, the node routes by when contacts take place.
    pub contacts: Option<At<Vec<At<ContactEntry>>>>,
    /// Whether nodes that are not listed may connect by TCPCL, and bundles be exchanged with them. Default `true`.
    pub opportunistic: Option<Text<Flag>>,
}

/// Where bundles are kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StorageEntry {
    /// How much bundle data. Default 1 GiB.
    pub limit: Option<Text<Size>>,
    /// The folder on disk, in which bundles outlive the process. Default none: they are kept in memory.
    pub folder: Option<At<String>>,
}

/// An endpoint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointEntry {
    /// What data goes to. Without it, the endpoint must be passive.
    pub deliver: Option<At<DeliverEntry>>,
    /// `active`: data is delivered as it comes; `passive`: it waits until it is asked for. Default `active`.
    pub state: Option<Text<Choice<State>>>,
    /// What becomes of data that cannot be delivered at once: `defer` lets it wait, `abandon` gives it up. Default `defer`.
    pub on_failure: Option<Text<Choice<FailureAction>>>,
}

/// What data goes to: one of these.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliverEntry {
    /// A directory, in which each piece of data becomes a file.
    pub directory: Option<At<String>>,
    /// A file, which always holds the latest piece of data.
    pub file: Option<At<String>>,
    /// A program with its arguments, as in `[./handle, --flag]`, which is started for each piece of data.
    #[schemars(length(min = 1))]
    pub program: Option<At<Vec<At<String>>>>,
    /// A local (Unix) socket that applications connect to.
    pub socket: Option<At<String>>,
}

/// A place to listen: one of the convergence layers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenEntry {
    /// LTP over UDP, as in `udp:1113`.
    pub ltp: Option<Text<Address<Udp>>>,
    /// TCPCL version 4, as in `tcp:4556`.
    pub tcpcl: Option<Text<Address<Tcp>>>,
    /// STCP, as in `tcp:4557`.
    pub stcp: Option<Text<Address<Tcp>>>,
    /// MTCP, as in `tcp:16162`.
    pub mtcp: Option<Text<Address<Tcp>>>,
    /// Bundles in UDP datagrams, as in `udp:4556`.
    pub udp: Option<Text<Address<Udp>>>,
    /// With `tcpcl`: how sessions are secured. Default not at all.
    pub tls: Option<At<ListenTlsEntry>>,
}

/// How sessions with those who connect are secured.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenTlsEntry {
    /// The file of our certificate chain, in PEM.
    #[schemars(required)]
    pub certificate: Option<At<String>>,
    /// The file of the key to our certificate, in PEM.
    #[schemars(required)]
    pub key: Option<At<String>>,
    /// The file of the certificates, in PEM, of those whose word on a peer is trusted.
    #[schemars(required)]
    pub trust: Option<At<String>>,
    /// Whether a session without TLS is refused. Default `true`.
    pub require: Option<Text<Flag>>,
}

/// A neighbour, reached by one of the convergence layers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NeighbourEntry {
    /// LTP over UDP.
    pub ltp: Option<At<LtpEntry>>,
    /// TCPCL version 4.
    pub tcpcl: Option<At<TcpclEntry>>,
    /// STCP: one way, from us to the neighbour.
    pub stcp: Option<At<TcpEntry>>,
    /// MTCP: one way, from us to the neighbour.
    pub mtcp: Option<At<TcpEntry>>,
    /// Bundles in UDP datagrams: nothing that is lost is sent again.
    pub udp: Option<At<UdpEntry>>,
}

/// A neighbour that is reached by LTP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LtpEntry {
    /// Its address, as in `udp:127.0.0.1:1114`.
    #[schemars(required)]
    pub to: Option<Text<Address<Udp>>>,
    /// Its LTP engine ID. Default its node number; needed for a node of the `dtn` scheme.
    pub engine: Option<Text<Count>>,
    /// The one-way light time. Default 0 s.
    pub light_time: Option<Text<Duration>>,
    /// How fast segments are sent. Default as fast as they go.
    pub rate: Option<Text<BitRate>>,
    /// How much longer than twice the light time an answer may take, for queueing and processing at both ends (RFC 5326
    /// section 6.5). Default 2 s.
    pub response_margin: Option<Text<Duration>>,
    /// The most bytes in one segment, its LTP header included: 128 B to 65507 B. Default 1400 B.
    pub segment_size: Option<Text<Size>>,
    /// Puts several bundles into one block. Default one bundle a block.
    pub aggregate: Option<At<AggregateEntry>>,
    /// How many bits session numbers have, 32 or 64. Default 32.
    pub session_numbers: Option<Text<Width>>,
    /// Sends a checkpoint after so many bytes, and not only at the end of a block. Default none.
    pub checkpoint_every: Option<Text<Size>>,
    /// How often a checkpoint or report is retransmitted before the session is given up. Default 20.
    pub retransmission_limit: Option<Text<Count>>,
    /// Authenticates segments both ways (RFC 5327). Default not.
    pub authentication: Option<At<AuthenticationEntry>>,
}

/// When bundles that wait become a block: as soon as either limit is reached.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AggregateEntry {
    /// So many bytes wait.
    #[schemars(required)]
    pub size: Option<Text<Size>>,
    /// The first bundle has waited for so long.
    #[schemars(required)]
    pub time: Option<Text<Duration>>,
}

/// How segments are authenticated.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthenticationEntry {
    /// The ciphersuite. `null-key`, the NULL ciphersuite of the RFC, is a checksum that protects against accidents only.
    #[schemars(required)]
    pub suite: Option<Text<Choice<LtpCiphersuite>>>,
    /// Tells the receiver which key it is. Default none.
    pub key_id: Option<Text<Count>>,
    /// The file of the key. Needed unless the ciphersuite is `null-key`.
    pub key_file: Option<At<String>>,
}

/// A neighbour that is reached by TCPCL.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TcpclEntry {
    /// Its address, as in `tcp:127.0.0.1:4556`. Without it, the neighbour connects to us.
    pub to: Option<Text<Address<Tcp>>>,
    /// The keepalive interval that we propose, in whole seconds; 0 s for none. Default 15 s.
    pub keepalive: Option<Text<Duration>>,
    /// The most data in one segment that we send. Default 64 KiB.
    pub segment_size: Option<Text<Size>>,
    /// How the session is secured. Default not at all.
    pub tls: Option<At<NeighbourTlsEntry>>,
}

/// How the session with a neighbour is secured.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NeighbourTlsEntry {
    /// The file of the certificates, in PEM, of those whose word on the neighbour is trusted.
    #[schemars(required)]
    pub trust: Option<At<String>>,
    /// The DNS name that its certificate must bear. Default none: its node ID is what it must bear.
    pub name: Option<At<String>>,
    /// Whether a session without TLS is refused. Default `true`.
    pub require: Option<Text<Flag>>,
    /// The file of our certificate chain, in PEM. Default we show none.
    pub certificate: Option<At<String>>,
    /// The file of the key to our certificate, in PEM.
    pub key: Option<At<String>>,
}

/// A neighbour that is reached by a protocol over TCP without settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TcpEntry {
    /// Its address, as in `tcp:127.0.0.1:4557`.
    #[schemars(required)]
    pub to: Option<Text<Address<Tcp>>>,
}

/// A neighbour that is reached by bundles in UDP datagrams.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UdpEntry {
    /// Its address, as in `udp:127.0.0.1:4556`.
    #[schemars(required)]
    pub to: Option<Text<Address<Udp>>>,
    /// How fast datagrams are sent: nothing else holds them back. Default as fast as they go.
    pub rate: Option<Text<BitRate>>,
}

/// A contact of the plan: when one node can send to another.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactEntry {
    /// The node that sends.
    #[schemars(required)]
    pub from: Option<Text<NodeEid>>,
    /// The node that it is sent to.
    #[schemars(required)]
    pub to: Option<Text<NodeEid>>,
    /// When it starts: since the start of the node, as in `600 s`, or in UTC.
    #[schemars(required)]
    pub start: Option<Text<When>>,
    /// When it ends, told like the start. Default never.
    pub end: Option<Text<When>>,
    /// The data rate. Default no limit.
    pub rate: Option<Text<BitRate>>,
    /// The one-way light time. Default 0 s.
    pub light_time: Option<Text<Duration>>,
    /// The probability that it takes place, above 0 and at most 1. Default 1.
    pub confidence: Option<Text<Ratio>>,
}
