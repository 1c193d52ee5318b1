//! The texts inside a node file: endpoint IDs, addresses, routes, yes and no.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use farlink_engine::bp::FailureAction;
use farlink_engine::routing::StaticRoute;
use farlink_wire::bpv7::Eid;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::model::{LtpCiphersuite, SessionNumberWidth};
use crate::located::Wrong;
use crate::words::Word;

const IPN_NODE: &str = "^(ipn:[0-9]+(\\.[0-9]+)?\\.0|dtn://[^/]+/)$";
const ENDPOINT: &str = "^(ipn:[0-9]+(\\.[0-9]+)?\\.[0-9]+|dtn://[^/]+/.+)$";

/// The ID of a node: that of its administrative endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeEid(pub Eid);

/// The ID of an endpoint at one node that applications can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndpointEid(pub Eid);

/// An endpoint at one node, and that node.
fn at_a_node(text: &str, example: &str) -> Result<(Eid, Eid), Wrong> {
    let refuse = |why: String| Err(Wrong::new(why, format!("write it as in {example}")));
    let eid: Eid = match text.parse() {
        Ok(eid) => eid,
        Err(_) => return refuse(format!("`{text}` is no endpoint ID of the `ipn` or the `dtn` scheme")),
    };
    let Some(node) = eid.node_id() else {
        return refuse(format!("`{text}` is an endpoint of no one node"));
    };
    match &node {
        Eid::Ipn { node: 0, .. } => refuse("no node has the number 0".to_owned()),
        // RFC 9758, section 3.4.2.
        Eid::Ipn { node: 0xFFFF_FFFF, .. } => {
            refuse("the node number 4294967295 stands for \"this node\" wherever it is read".to_owned())
        }
        Eid::Dtn(ssp) if ssp == "///" => refuse(format!("`{text}` has no node name")),
        _ => Ok((eid, node)),
    }
}

impl FromStr for NodeEid {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let (eid, node) = at_a_node(text, "`ipn:10.0` or `dtn://lander/`")?;
        if eid != node {
            return Err(Wrong::new(
                format!("`{text}` is an endpoint of a node, not a node"),
                format!("the ID of the node is `{node}`"),
            ));
        }
        Ok(NodeEid(node))
    }
}

impl FromStr for EndpointEid {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let (eid, node) = at_a_node(text, "`ipn:10.1` or `dtn://lander/inbox`")?;
        if eid == node {
            return Err(Wrong::new(
                format!("`{text}` is the administrative endpoint of the node, which it keeps for itself"),
                match eid {
                    Eid::Ipn { .. } => "give it a service number above 0",
                    _ => "write a name after the last `/`",
                },
            ));
        }
        Ok(EndpointEid(eid))
    }
}

macro_rules! text_schema {
    ($type:ty, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

text_schema!(NodeEid, "NodeId", {"type": "string", "pattern": IPN_NODE, "examples": ["ipn:10.0", "dtn://lander/"]});
text_schema!(EndpointEid, "Eid", {"type": "string", "pattern": ENDPOINT, "examples": ["ipn:10.1", "dtn://lander/inbox"]});

/// A transport below convergence layers.
pub(crate) trait Transport {
    /// As it begins an address.
    const SCHEME: &'static str;
    /// As people call it.
    const NAME: &'static str;
}

/// UDP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Udp;

impl Transport for Udp {
    const SCHEME: &'static str = "udp";
    const NAME: &'static str = "UDP";
}

/// TCP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tcp;

impl Transport for Tcp {
    const SCHEME: &'static str = "tcp";
    const NAME: &'static str = "TCP";
}

/// Where a port is: `udp:1113`, `udp:127.0.0.1:1113`, `udp:[::1]:1113`; without an address it is on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address<T>(pub SocketAddr, PhantomData<T>);

impl<T: Transport> FromStr for Address<T> {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let port = |text: &str| {
            let digits = text.bytes().all(|octet| octet.is_ascii_digit());
            text.parse::<u16>().ok().filter(|_| digits)
        };
        let scheme = T::SCHEME;
        text.strip_prefix(scheme)
            .and_then(|rest| rest.strip_prefix(':'))
            .and_then(|rest| rest.parse().ok().or_else(|| Some((Ipv4Addr::LOCALHOST, port(rest)?).into())))
            .map(|address| Address(address, PhantomData))
            .ok_or_else(|| {
                Wrong::new(
                    format!("`{text}` is not a {} address", T::NAME),
                    format!("write `{scheme}:4556`, `{scheme}:127.0.0.1:4556` or `{scheme}:[::1]:4556`"),
                )
            })
    }
}

impl<T: Transport> JsonSchema for Address<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Address", T::NAME).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let scheme = T::SCHEME;
        json_schema!({
            "type": "string",
            "pattern": format!("^{scheme}:([0-9.]+:|\\[[0-9a-fA-F:.%]+\\]:)?[0-9]{{1,5}}$"),
            "examples": [format!("{scheme}:4556"), format!("{scheme}:127.0.0.1:4556")],
        })
    }
}

/// A static route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route(pub StaticRoute);

impl FromStr for Route {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let help = "write it as in `ipn:30.* via ipn:20.0` or `\"* via ipn:20.0 metric 10\"`";
        text.parse().map(Route).map_err(|error| Wrong::new(format!("{error}"), help))
    }
}

text_schema!(Route, "Route", {
    "type": "string",
    "pattern": "^\\s*\\S+\\s+via\\s+\\S+(\\s+metric\\s+[0-9]+)?\\s*$",
    "examples": ["ipn:30.* via ipn:20.0", "* via ipn:20.0 metric 10"],
});

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flag(pub bool);

impl FromStr for Flag {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        text.parse()
            .map(Flag)
            .map_err(|_| Wrong::new(format!("`{text}` is neither yes nor no"), "write `true` or `false`"))
    }
}

text_schema!(Flag, "Flag", {"type": "boolean"});

/// Whether an endpoint takes data as it comes (RFC 9171 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    Passive,
}

impl Word for State {
    const KIND: &'static str = "state";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] =
        &[("active", Ok(State::Active)), ("passive", Ok(State::Passive))];
}

impl Word for FailureAction {
    const KIND: &'static str = "delivery failure action";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] =
        &[("defer", Ok(FailureAction::Defer)), ("abandon", Ok(FailureAction::Abandon))];
}

impl Word for LtpCiphersuite {
    const KIND: &'static str = "ciphersuite";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] = &[
        ("hmac-sha1-80", Ok(LtpCiphersuite::HmacSha1_80)),
        ("rsa-sha256", Ok(LtpCiphersuite::RsaSha256)),
        ("null-key", Ok(LtpCiphersuite::Null)),
    ];
}

/// The width of session numbers in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Width(pub SessionNumberWidth);

impl FromStr for Width {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        match text {
            "32" => Ok(Width(SessionNumberWidth::Bits32)),
            "64" => Ok(Width(SessionNumberWidth::Bits64)),
            _ => Err(Wrong::new(format!("session numbers of `{text}` bits are not possible"), "write `32` or `64`")),
        }
    }
}

text_schema!(Width, "SessionNumbers", {"type": "integer", "enum": [32, 64]});
