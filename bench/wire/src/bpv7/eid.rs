use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::BundleError;
use super::cbor::{self, Reader};

const DTN: u64 = 1;
const IPN: u64 = 2;

/// The node's half of a node number that has an allocator in the other.
const LOW_HALF: u64 = u32::MAX as u64;

/// An endpoint ID (section 4.2.5.1).
///
/// Equality, order and hash are the endpoint's: an ipn EID written with two numbers equals the same one written with
/// three. Only the octets and the text tell them apart.
#[derive(Clone, Debug)]
pub enum Eid {
    /// `dtn:none`, the null endpoint, which never has members.
    None,
    /// An ipn-scheme EID (section 4.2.5.1.2).
    Ipn {
        /// Node number. For an EID with an allocator (RFC 9758), allocator in the high and number in the low 32 bits.
        node: u64,
        /// Service number; 0 is the administrative endpoint.
        service: u64,
        /// How it is written.
        form: IpnForm,
    },
    /// A dtn-scheme EID (section 4.2.5.1.1): the scheme-specific part, such as `//node/app`.
    Dtn(String),
}

/// How an ipn EID is written, in CBOR as in text (RFC 9758). Who forwards a bundle keeps the form, since the
/// primary block's octets never change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum IpnForm {
    /// Node and service. The node number has 64 bits, an allocator in its upper half.
    #[default]
    TwoNumbers,
    /// Allocator, node and service; allocator and node with 32 bits each.
    ThreeNumbers,
}

impl Eid {
    /// `ipn:node.service`.
    pub const fn ipn(node: u64, service: u64) -> Self {
        Eid::Ipn { node, service, form: IpnForm::TwoNumbers }
    }

    /// `ipn:allocator.node.service` (RFC 9758).
    pub const fn ipn_with_allocator(allocator: u32, node: u32, service: u64) -> Self {
        Eid::Ipn { node: (allocator as u64) << 32 | node as u64, service, form: IpnForm::ThreeNumbers }
    }

    /// What the EID names, whatever its form.
    fn endpoint(&self) -> (u8, u64, u64, &str) {
        match self {
            Eid::None => (0, 0, 0, ""),
            Eid::Ipn { node, service, .. } => (1, *node, *service, ""),
            Eid::Dtn(ssp) => (2, 0, 0, ssp),
        }
    }

    /// The node number of an ipn EID.
    pub fn node(&self) -> Option<u64> {
        match self {
            Eid::Ipn { node, .. } => Some(*node),
            Eid::None | Eid::Dtn(_) => None,
        }
    }

    /// The ID of the node that the endpoint is at, which is that of its administrative endpoint (section 4.2.5.2):
    /// `ipn:10.0` of `ipn:10.1`, `dtn://node/` of `dtn://node/app`. `dtn:none` and groups (`dtn://node/~group`) are at no
    /// one node.
    pub fn node_id(&self) -> Option<Eid> {
        match self {
            Eid::None => None,
            Eid::Ipn { node, .. } => Some(Eid::ipn(*node, 0)),
            Eid::Dtn(ssp) => {
                let end = 3 + ssp.get(2..)?.find('/')?;
                let demux = &ssp[end..];
                (!demux.starts_with('~')).then(|| Eid::Dtn(ssp[..end].to_owned()))
            }
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, BundleError> {
        reader.array_of(2, field)?;
        let at = reader.at;
        match reader.unsigned(field)? {
            DTN => Eid::read_dtn(reader, field),
            IPN => Eid::read_ipn(reader, field),
            scheme => Err(BundleError::UnknownScheme { at, field, scheme }),
        }
    }

    fn read_dtn(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, BundleError> {
        let at = reader.at;
        if reader.peek() == Some(0) {
            reader.at += 1;
            return Ok(Eid::None);
        }
        let ssp = reader.text(field)?;
        if !is_dtn_hier_part(ssp) {
            return Err(BundleError::DtnSyntax { at, field });
        }
        Ok(Eid::Dtn(ssp.to_owned()))
    }

    fn read_ipn(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, BundleError> {
        let at = reader.at;
        match reader.array(field)? {
            2 => Ok(Eid::ipn(reader.unsigned(field)?, reader.unsigned(field)?)),
            3 => {
                let numbers = [reader.unsigned(field)?, reader.unsigned(field)?, reader.unsigned(field)?];
                of_three(numbers).ok_or(BundleError::IpnRange { at, field })
            }
            found => Err(BundleError::ElementCount { at, field, expected: 2, found }),
        }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        cbor::put_array(out, 2);
        match self {
            Eid::None => {
                cbor::put_unsigned(out, DTN);
                cbor::put_unsigned(out, 0);
            }
            Eid::Ipn { node, service, form } => {
                cbor::put_unsigned(out, IPN);
                match form {
                    IpnForm::TwoNumbers => {
                        cbor::put_array(out, 2);
                        cbor::put_unsigned(out, *node);
                    }
                    IpnForm::ThreeNumbers => {
                        cbor::put_array(out, 3);
                        cbor::put_unsigned(out, node >> 32);
                        cbor::put_unsigned(out, node & LOW_HALF);
                    }
                }
                cbor::put_unsigned(out, *service);
            }
            Eid::Dtn(ssp) => {
                cbor::put_unsigned(out, DTN);
                cbor::put_text(out, ssp);
            }
        }
    }
}

impl PartialEq for Eid {
    fn eq(&self, other: &Self) -> bool {
        self.endpoint() == other.endpoint()
    }
}

impl Eq for Eid {}

impl Ord for Eid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.endpoint().cmp(&other.endpoint())
    }
}

impl PartialOrd for Eid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Eid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.endpoint().hash(state);
    }
}

/// The URI in the EID's own form: `dtn:none`, `ipn:10.1`, `ipn:977000.100.1`, `dtn://node/app`.
impl fmt::Display for Eid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Eid::None => f.write_str("dtn:none"),
            Eid::Ipn { node, service, form: IpnForm::TwoNumbers } => write!(f, "ipn:{node}.{service}"),
            Eid::Ipn { node, service, form: IpnForm::ThreeNumbers } => {
                write!(f, "ipn:{}.{}.{service}", node >> 32, node & LOW_HALF)
            }
            Eid::Dtn(ssp) => write!(f, "dtn:{ssp}"),
        }
    }
}

/// Why a text is not an endpoint ID.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EidSyntaxError {
    /// Section 4.2.5.1: an endpoint ID is a URI of a known scheme.
    #[error("\"{0}\" begins neither with \"ipn:\" nor with \"dtn:\"")]
    Scheme(String),
    /// Section 4.2.5.1.2, RFC 9758.
    #[error(
        "\"{0}\" is not of the form ipn:NODE.SERVICE, nor ipn:ALLOCATOR.NODE.SERVICE with 32-bit allocator and node"
    )]
    Ipn(String),
    /// Section 4.2.5.1.1.
    #[error("\"{0}\" is neither dtn:none nor of the form dtn://NODE/DEMUX")]
    Dtn(String),
}

impl FromStr for Eid {
    type Err = EidSyntaxError;

    fn from_str(uri: &str) -> Result<Self, EidSyntaxError> {
        if let Some(ssp) = uri.strip_prefix("ipn:") {
            return parse_ipn(ssp).ok_or_else(|| EidSyntaxError::Ipn(uri.to_owned()));
        }
        match uri.strip_prefix("dtn:") {
            Some("none") => Ok(Eid::None),
            Some(ssp) if is_dtn_hier_part(ssp) => Ok(Eid::Dtn(ssp.to_owned())),
            Some(_) => Err(EidSyntaxError::Dtn(uri.to_owned())),
            None => Err(EidSyntaxError::Scheme(uri.to_owned())),
        }
    }
}

fn parse_ipn(ssp: &str) -> Option<Eid> {
    let mut parts = ssp.split('.').map(number);
    let (first, second) = (parts.next()??, parts.next()??);
    let Some(third) = parts.next() else { return Some(Eid::ipn(first, second)) };
    if parts.next().is_some() {
        return None;
    }
    of_three([first, second, third?])
}

/// `1*DIGIT`; the standard parser would also take a plus sign.
fn number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|octet| octet.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// Allocator, node and service, if the first two have 32 bits.
fn of_three([allocator, node, service]: [u64; 3]) -> Option<Eid> {
    Some(Eid::ipn_with_allocator(allocator.try_into().ok()?, node.try_into().ok()?, service))
}

/// `"//" node-name "/" demux`: the node-name is a reg-name of RFC 3986, the demux any visible characters.
fn is_dtn_hier_part(ssp: &str) -> bool {
    let Some((node_name, demux)) = ssp.strip_prefix("//").and_then(|rest| rest.split_once('/')) else { return false };
    is_reg_name(node_name) && demux.bytes().all(|octet| octet.is_ascii_graphic())
}

fn is_reg_name(name: &str) -> bool {
    let mut octets = name.bytes();
    while let Some(octet) = octets.next() {
        let allowed = match octet {
            b'%' => (0..2).all(|_| octets.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&octet),
        };
        if !allowed {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read_and_written() {
        let uris = [
            ("dtn:none", Eid::None),
            ("ipn:10.1", Eid::ipn(10, 1)),
            ("ipn:18446744073709551615.0", Eid::ipn(u64::MAX, 0)),
            ("dtn://node/", Eid::Dtn("//node/".into())),
            ("dtn://ud3tn%2Fa.dtn/~group/a?b", Eid::Dtn("//ud3tn%2Fa.dtn/~group/a?b".into())),
        ];
        for (uri, eid) in uris {
            assert_eq!(uri.parse(), Ok(eid.clone()));
            assert_eq!(eid.to_string(), uri);
        }
    }

    #[test]
    fn the_two_forms_of_an_ipn_eid_are_one_endpoint_in_two_texts() {
        for (allocator, node, service) in [(977_000, 100, 1), (0, 10, 0), (u32::MAX, u32::MAX, u64::MAX)] {
            let three = Eid::ipn_with_allocator(allocator, node, service);
            let two = Eid::ipn(u64::from(allocator) << 32 | u64::from(node), service);
            assert_eq!(three, two);
            assert_eq!(three.cmp(&two), Ordering::Equal);
            assert_eq!(std::collections::HashSet::from([three.clone(), two.clone()]).len(), 1);
            let uri = format!("ipn:{allocator}.{node}.{service}");
            assert_eq!(three.to_string(), uri);
            assert_eq!(uri.parse::<Eid>().unwrap().to_string(), uri);
            assert_ne!(two.to_string(), uri);
        }
        assert_ne!(Eid::ipn_with_allocator(1, 100, 1), Eid::ipn(100, 1));
    }

    #[test]
    fn endpoints_are_ordered_by_scheme_then_by_number_or_name() {
        let dtn = |ssp: &str| Eid::Dtn(ssp.into());
        let ordered = [
            Eid::None,
            Eid::ipn_with_allocator(0, 1, 0),
            Eid::ipn(1, 2),
            Eid::ipn(2, 0),
            Eid::ipn_with_allocator(1, 0, 0),
            dtn("//a/"),
            dtn("//b/"),
        ];
        assert!(ordered.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn an_endpoint_is_at_a_node() {
        let node_of = |uri: &str| uri.parse::<Eid>().unwrap().node_id().map(|id| id.to_string());
        assert_eq!(node_of("ipn:10.1").as_deref(), Some("ipn:10.0"));
        assert_eq!(node_of("dtn://node/app/x").as_deref(), Some("dtn://node/"));
        assert_eq!(node_of("dtn://node/").as_deref(), Some("dtn://node/"));
        assert_eq!(node_of("dtn://node/~group"), None);
        assert_eq!(node_of("dtn:none"), None);
    }

    #[test]
    fn other_texts_are_refused() {
        let refused = [
            "",
            "ipn",
            "ipn:",
            "ipn:1",
            "ipn:1.",
            "ipn:.1",
            "ipn:1.2.",
            "ipn:1.2.3.4",
            "ipn:+1.2",
            "ipn:-1.2",
            "ipn:18446744073709551616.1",
            "ipn:4294967296.1.1",
            "ipn:1.4294967296.1",
            "ipn://1.1",
            "dtn:",
            "dtn:node",
            "dtn://node",
            "dtn:/node/app",
            "dtn://no de/app",
            "dtn://node/a b",
            "dtn://n%2/",
            "http://node/",
            "10.1",
        ];
        for uri in refused {
            assert!(uri.parse::<Eid>().is_err(), "{uri:?} was taken");
        }
    }
}
