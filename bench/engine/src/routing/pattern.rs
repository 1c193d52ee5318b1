//! Patterns of endpoint IDs.

use std::fmt;
use std::str::FromStr;

use farlink_wire::bpv7::Eid;

/// The endpoints that a static route leads to.
///
/// | text | endpoints |
/// |---|---|
/// | `ipn:10.1`, `dtn://node/app` | this one |
/// | `ipn:10.*`, `dtn://node/**` | every one of a node |
/// | `ipn:977000.*.*` | every one of an allocator's nodes (RFC 9758) |
/// | `ipn:*.7` | this service of every node |
/// | `ipn:*.*`, `dtn://*/**` | every one of a scheme |
/// | `*` | every one |
///
/// A star stands for a whole part and for nothing less. So a dtn node whose name is a star, or a demux that ends in `**`, which
/// RFC 9171 would permit, cannot be written. The null endpoint `dtn:none` has no members and fits no pattern.
///
/// The order is that of a table: the most specific pattern first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EidPattern {
    /// One endpoint.
    Exact(Eid),
    /// `ipn:NODE.*`. The node number has the allocator in the high 32 bits, as in [`Eid::Ipn`].
    IpnNode(u64),
    /// `dtn://NODE/**`: the node-name.
    DtnNode(String),
    /// `ipn:ALLOCATOR.*.*`.
    IpnAllocator(u32),
    /// `ipn:*.SERVICE`.
    IpnService(u64),
    /// `ipn:*.*`.
    AnyIpn,
    /// `dtn://*/**`.
    AnyDtn,
    /// `*`.
    Any,
}

impl EidPattern {
    /// Whether the endpoint is one of these.
    pub fn fits(&self, eid: &Eid) -> bool {
        EidPattern::of(eid).contains(self)
    }

    /// The patterns that the endpoint fits, the most specific first; none for the null endpoint.
    pub(super) fn of(eid: &Eid) -> Vec<EidPattern> {
        match eid {
            Eid::None => Vec::new(),
            Eid::Ipn { node, service, .. } => vec![
                EidPattern::Exact(eid.clone()),
                EidPattern::IpnNode(*node),
                EidPattern::IpnAllocator((node >> 32) as u32),
                EidPattern::IpnService(*service),
                EidPattern::AnyIpn,
                EidPattern::Any,
            ],
            Eid::Dtn(ssp) => vec![
                EidPattern::Exact(eid.clone()),
                EidPattern::DtnNode(node_name(ssp).to_owned()),
                EidPattern::AnyDtn,
                EidPattern::Any,
            ],
        }
    }
}

/// The node-name of `//node-name/demux`.
pub(super) fn node_name(ssp: &str) -> &str {
    ssp.strip_prefix("//").unwrap_or(ssp).split('/').next().unwrap_or_default()
}

impl fmt::Display for EidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EidPattern::Exact(eid) => write!(f, "{eid}"),
            EidPattern::IpnNode(node) => write!(f, "ipn:{node}.*"),
            EidPattern::DtnNode(name) => write!(f, "dtn://{name}/**"),
            EidPattern::IpnAllocator(allocator) => write!(f, "ipn:{allocator}.*.*"),
            EidPattern::IpnService(service) => write!(f, "ipn:*.{service}"),
            EidPattern::AnyIpn => f.write_str("ipn:*.*"),
            EidPattern::AnyDtn => f.write_str("dtn://*/**"),
            EidPattern::Any => f.write_str("*"),
        }
    }
}

/// Why a text is no pattern of endpoint IDs.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PatternError {
    /// The scheme is neither ipn nor dtn.
    #[error("\"{0}\" is no pattern: it begins neither with \"ipn:\" nor with \"dtn:\", and is not \"*\"")]
    Scheme(String),
    /// RFC 9171 §4.2.5.1.2, RFC 9758.
    #[error(
        "\"{0}\" is no pattern: an ipn pattern is ipn:NODE.SERVICE, ipn:NODE.*, ipn:ALLOCATOR.*.*, ipn:*.SERVICE or ipn:*.*"
    )]
    Ipn(String),
    /// RFC 9171 §4.2.5.1.1.
    #[error("\"{0}\" is no pattern: a dtn pattern is dtn://NODE/DEMUX, dtn://NODE/** or dtn://*/**")]
    Dtn(String),
    /// RFC 9171 §3.1: the null endpoint never has members.
    #[error("dtn:none has no members, so nothing can be routed to it")]
    Null,
}

impl FromStr for EidPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text == "*" {
            return Ok(EidPattern::Any);
        }
        if let Some(ssp) = text.strip_prefix("ipn:") {
            return ipn(text, ssp).ok_or_else(|| PatternError::Ipn(text.to_owned()));
        }
        match text.strip_prefix("dtn:") {
            Some("none") => Err(PatternError::Null),
            Some(ssp) => dtn(text, ssp).ok_or_else(|| PatternError::Dtn(text.to_owned())),
            None => Err(PatternError::Scheme(text.to_owned())),
        }
    }
}

fn ipn(text: &str, ssp: &str) -> Option<EidPattern> {
    // The parser of endpoint IDs knows what a number is; the other part only makes it a whole one.
    let node = |part: &str| format!("ipn:{part}.0").parse::<Eid>().ok()?.node();
    let number = |part: &str| format!("ipn:{part}.0").parse::<Eid>().ok()?.node().filter(|_| !part.contains('.'));
    match ssp.split('.').collect::<Vec<_>>()[..] {
        ["*", "*"] | ["*", "*", "*"] => Some(EidPattern::AnyIpn),
        ["*", service] => Some(EidPattern::IpnService(number(service)?)),
        [allocator, "*", "*"] => Some(EidPattern::IpnAllocator(number(allocator)?.try_into().ok()?)),
        [.., "*"] => Some(EidPattern::IpnNode(node(ssp.strip_suffix(".*")?)?)),
        _ => Some(EidPattern::Exact(text.parse().ok()?)),
    }
}

fn dtn(text: &str, ssp: &str) -> Option<EidPattern> {
    if ssp == "//*/**" {
        return Some(EidPattern::AnyDtn);
    }
    // What is left without its stars must be an endpoint ID.
    let (plain, whole_node) = match text.strip_suffix("/**") {
        Some(node) => (format!("{node}/"), true),
        None => (text.to_owned(), false),
    };
    let Ok(Eid::Dtn(ssp)) = plain.parse() else { return None };
    let (name, demux) = ssp.strip_prefix("//")?.split_once('/')?;
    if name == "*" || demux.ends_with("**") || (whole_node && !demux.is_empty()) {
        return None;
    }
    Some(if whole_node { EidPattern::DtnNode(name.to_owned()) } else { EidPattern::Exact(Eid::Dtn(ssp)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> EidPattern {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn patterns_are_read_and_written() {
        let texts = ["*", "ipn:*.*", "ipn:10.*", "ipn:10.1", "ipn:*.7", "ipn:977000.*.*", "ipn:18446744073709551615.*"];
        for text in texts.into_iter().chain(["dtn://*/**", "dtn://node/**", "dtn://node/", "dtn://node/a/b*"]) {
            assert_eq!(pattern(text).to_string(), text);
        }
        assert_eq!(pattern("ipn:*.*.*"), EidPattern::AnyIpn);
        assert_eq!(pattern("ipn:977000.100.*"), EidPattern::IpnNode(977_000 << 32 | 100));
        assert_eq!(pattern("ipn:977000.100.1"), EidPattern::Exact(Eid::ipn(977_000 << 32 | 100, 1)));
    }

    #[test]
    fn other_texts_are_refused_and_the_message_shows_what_fits() {
        let refused = [
            "",
            "**",
            "ipn:",
            "ipn:*",
            "ipn:**",
            "ipn:1",
            "ipn:1*.1",
            "ipn:+1.*",
            "ipn:*.x",
            "ipn:*.1.1",
            "ipn:1.*.1",
            "ipn:*.1.*",
            "ipn:4294967296.*.*",
            "ipn:1.2.3.*",
            "ipn:1.2.3.4",
            "dtn:none",
            "dtn:**",
            "dtn://**",
            "dtn://*/app",
            "dtn://node",
            "dtn://node/app/**",
            "dtn://node/app**",
            "dtn://no de/**",
            "http://node/",
        ];
        for text in refused {
            assert!(text.parse::<EidPattern>().is_err(), "{text:?} was taken");
        }
        let error = |text: &str| text.parse::<EidPattern>().unwrap_err().to_string();
        assert_eq!(
            error("ipn:1").split(": ").last(),
            Some("an ipn pattern is ipn:NODE.SERVICE, ipn:NODE.*, ipn:ALLOCATOR.*.*, ipn:*.SERVICE or ipn:*.*")
        );
        assert!(error("dtn://node").ends_with("a dtn pattern is dtn://NODE/DEMUX, dtn://NODE/** or dtn://*/**"));
        assert!(error("node").ends_with("begins neither with \"ipn:\" nor with \"dtn:\", and is not \"*\""));
        assert_eq!(error("dtn:none"), "dtn:none has no members, so nothing can be routed to it");
    }

    #[test]
    fn endpoints_fit_what_stands_for_them_and_nothing_else() {
        let eids = ["ipn:10.1", "ipn:10.7", "ipn:4194304000000.7", "dtn://node/app", "dtn://other/", "dtn:none"];
        let table = [
            ("ipn:10.1", [true, false, false, false, false, false]),
            ("ipn:10.*", [true, true, false, false, false, false]),
            ("ipn:*.7", [false, true, true, false, false, false]),
            ("ipn:0.*.*", [true, true, false, false, false, false]),
            ("ipn:*.*", [true, true, true, false, false, false]),
            ("dtn://node/app", [false, false, false, true, false, false]),
            ("dtn://node/**", [false, false, false, true, false, false]),
            ("dtn://*/**", [false, false, false, true, true, false]),
            ("*", [true, true, true, true, true, false]),
        ];
        for (text, fits) in table {
            let found = eids.map(|eid| pattern(text).fits(&eid.parse().unwrap()));
            assert_eq!(found, fits, "{text}");
        }
    }
}
