//! Who takes part in a contact.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A node, by the name that the plan's source gave it: an EID (`ipn:20.0`, `dtn://station/`) or any other name.
///
/// Plans of ION and HDTN know node numbers only. [`NodeId::number`] tells the one that an ipn EID (or a bare number) stands for;
/// [`ContactPlan::rename`](crate::ContactPlan::rename) gives EIDs to nodes that have mere names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(String);

impl NodeId {
    /// A node with this name.
    pub fn new(name: impl Into<String>) -> Self {
        NodeId(name.into())
    }

    /// The node with this number in the ipn scheme: `ipn:20.0`, or `ipn:2.1.0` where the number holds an allocator
    /// (RFC 9758 §3.3: the upper 32 bits of the fully qualified node number).
    pub fn ipn(number: u64) -> Self {
        let (allocator, local) = (number >> 32, number & 0xffff_ffff);
        NodeId(if allocator == 0 { format!("ipn:{local}.0") } else { format!("ipn:{allocator}.{local}.0") })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ipn node number that the name stands for: of `ipn:20.0` or `20` it is 20, of `ipn:2.1.0` it is 2³³ + 1. The service number
    /// does not count. `None` if the name is no ipn EID, or of node 0.
    pub fn number(&self) -> Option<u64> {
        let number = match self.0.strip_prefix("ipn:") {
            None => decimal(&self.0)?,
            Some(rest) => {
                let parts: Vec<u64> = rest.splitn(4, '.').map(decimal).collect::<Option<_>>()?;
                match parts[..] {
                    [node, _service] => node,
                    [allocator, node, _service] if allocator >> 32 == 0 && node >> 32 == 0 => allocator << 32 | node,
                    _ => return None,
                }
            }
        };
        (number > 0).then_some(number)
    }
}

fn decimal(text: &str) -> Option<u64> {
    // `parse` would let a plus sign pass.
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipn_numbers_are_read_from_each_form() {
        let number = |text: &str| NodeId::new(text).number();
        assert_eq!(number("ipn:20.0"), Some(20));
        assert_eq!(number("ipn:20.7"), Some(20));
        assert_eq!(number("20"), Some(20));
        assert_eq!(number("ipn:2.1.0"), Some((2 << 32) + 1));
        for text in ["", "+20", "ipn:", "ipn:20", "ipn:0.0", "ipn:1.2.3.4", "ipn:99999999999.1.0", "dtn://a/", "a20"] {
            assert_eq!(number(text), None, "{text}");
        }
        for n in [1, 20, u64::from(u32::MAX), 1 << 32 | 5, u64::MAX] {
            assert_eq!(NodeId::ipn(n).number(), Some(n));
        }
    }
}
