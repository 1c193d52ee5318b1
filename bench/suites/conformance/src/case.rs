//! A case: one requirement, and the function that judges it.

use std::fmt;

use crate::catalogue::{self, Requirement};
use crate::exchange::Exchange;
use crate::outcome::Finding;
use crate::profile::Profile;
use crate::tester::Tester;

/// A set of cases that are judged over the same door of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// LTP (RFC 5326, RFC 5327), and LTP over UDP (RFC 7122).
    Ltp,
    /// The Bundle Protocol version 7 (RFC 9171).
    Bpv7,
    /// TCPCL version 4 (RFC 9174).
    Tcpclv4,
    /// How STCP, MTCP and UDP frame bundles.
    Framing,
    /// What a node does when its links open and close.
    Contacts,
}

impl Suite {
    /// Every suite, in the order in which they run.
    pub const ALL: [Suite; 5] = [Suite::Ltp, Suite::Bpv7, Suite::Tcpclv4, Suite::Framing, Suite::Contacts];

    /// As a person names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Suite::Ltp => "ltp",
            Suite::Bpv7 => "bpv7",
            Suite::Tcpclv4 => "tcpclv4",
            Suite::Framing => "framing",
            Suite::Contacts => "contacts",
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Judges one requirement in an exchange with the node.
pub type Judge = fn(&mut Tester<'_>) -> Result<(), Finding>;

/// Judges what the node has sent in any exchange. For requirements on everything that it emits: the runner asks about every
/// exchange of the run, whatever case it was for.
pub type Watch = fn(&Exchange, &Profile) -> Result<(), Finding>;

/// One requirement, and how it is judged.
#[derive(Clone, Copy)]
pub struct Case {
    /// The id of the requirement, which is that of the case.
    pub id: &'static str,
    /// The suite.
    pub suite: Suite,
    /// Words to select by: `receiver`, `timers`, `hostile`, ….
    pub tags: &'static [&'static str],
    /// What the node must offer although the catalogue does not say so, by the same names.
    pub needs: &'static [&'static str],
    /// The exchange.
    pub judge: Judge,
    /// What is asked of every exchange.
    pub watch: Option<Watch>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Case {
    /// A case that is judged in one exchange.
    pub const fn new(id: &'static str, suite: Suite, tags: &'static [&'static str], judge: Judge) -> Self {
        Case { id, suite, tags, needs: &[], judge, watch: None }
    }

    /// The same, asking every exchange of the run too.
    #[must_use]
    pub const fn watching(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    /// The same, for nodes that offer this.
    #[must_use]
    pub const fn needing(mut self, needs: &'static [&'static str]) -> Self {
        self.needs = needs;
        self
    }

    /// The requirement.
    ///
    /// # Panics
    /// Never for a case of this crate: a test asks for each.
    pub fn requirement(&self) -> &'static Requirement {
        catalogue::requirement(self.id).expect("every case has its requirement in the catalogue")
    }

    /// Everything that the node must offer.
    pub fn all_needs(&self) -> impl Iterator<Item = &'static str> {
        let told = self.requirement();
        // Where the needs hold for a part of the case only, the case itself asks for them.
        let whole = told.needs_note.is_none();
        told.needs.iter().filter(move |_| whole).map(String::as_str).chain(self.needs.iter().copied())
    }
}
