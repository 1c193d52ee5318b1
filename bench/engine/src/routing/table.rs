//! Static routes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use farlink_wire::bpv7::{Eid, EidSyntaxError};

use super::node_id;
use super::pattern::{EidPattern, PatternError};

/// How many routes a table holds at most.
pub const MAX_STATIC_ROUTES: usize = 65_536;

/// One static route, written `ipn:10.* via ipn:2.0 metric 10`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StaticRoute {
    /// Where it leads.
    pub to: EidPattern,
    /// Node ID of the next hop.
    pub via: Eid,
    /// What tells alternatives apart: the smaller is preferred. 0 unless it is written.
    pub metric: u32,
}

impl fmt::Display for StaticRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} via {}", self.to, self.via)?;
        if self.metric == 0 { Ok(()) } else { write!(f, " metric {}", self.metric) }
    }
}

/// Why a text is no static route.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StaticRouteError {
    /// The words are not those of a route.
    #[error("\"{0}\" is no route: write PATTERN via NODE, and metric NUMBER after it where there are alternatives")]
    Form(String),
    /// What stands before "via".
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// What stands after "via".
    #[error("the next hop is no node: {0}")]
    NextHop(#[from] EidSyntaxError),
    /// RFC 9171 §3.1: the null endpoint never has members.
    #[error("dtn:none is no node, so nothing can go via it")]
    Null,
    /// What stands after "metric".
    #[error("\"{0}\" is no metric: write a whole number of 0 to 4294967295")]
    Metric(String),
    /// The table is full.
    #[error("a table holds no more than {MAX_STATIC_ROUTES} static routes")]
    Full,
}

impl FromStr for StaticRoute {
    type Err = StaticRouteError;

    fn from_str(text: &str) -> Result<Self, StaticRouteError> {
        let (to, via, metric) = match text.split_whitespace().collect::<Vec<_>>()[..] {
            [to, "via", via] => (to, via, "0"),
            [to, "via", via, "metric", metric] => (to, via, metric),
            _ => return Err(StaticRouteError::Form(text.to_owned())),
        };
        let digits = metric.bytes().all(|octet| octet.is_ascii_digit());
        let metric = metric.parse().ok().filter(|_| digits);
        Ok(StaticRoute {
            to: to.parse()?,
            via: node_id(&via.parse()?).ok_or(StaticRouteError::Null)?,
            metric: metric.ok_or_else(|| {
                StaticRouteError::Metric(text.split_whitespace().last().unwrap_or_default().to_owned())
            })?,
        })
    }
}

/// Static routes: the most specific pattern wins, then the smaller metric, then the smaller node ID.
///
/// Only the routes of the most specific pattern are alternatives to each other. Where a destination has a route of its own, the
/// default route does not stand in for it: an operator who wants that writes it with a greater metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaticRoutes {
    by_pattern: BTreeMap<EidPattern, BTreeMap<Eid, u32>>,
    count: usize,
}

impl StaticRoutes {
    /// A table without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route. One to the same endpoints via the same node is replaced, and its metric returned.
    ///
    /// # Errors
    /// The table is full, or the next hop is the null endpoint.
    pub fn add(&mut self, route: StaticRoute) -> Result<Option<u32>, StaticRouteError> {
        let via = node_id(&route.via).ok_or(StaticRouteError::Null)?;
        let known = self.by_pattern.get(&route.to).is_some_and(|alternatives| alternatives.contains_key(&via));
        if !known && self.count >= MAX_STATIC_ROUTES {
            return Err(StaticRouteError::Full);
        }
        let replaced = self.by_pattern.entry(route.to).or_default().insert(via, route.metric);
        self.count += usize::from(replaced.is_none());
        Ok(replaced)
    }

    /// Removes the route to these endpoints via this node, and tells whether there was one.
    pub fn remove(&mut self, to: &EidPattern, via: &Eid) -> bool {
        let (Some(alternatives), Some(via)) = (self.by_pattern.get_mut(to), node_id(via)) else { return false };
        let removed = alternatives.remove(&via).is_some();
        if alternatives.is_empty() {
            self.by_pattern.remove(to);
        }
        self.count -= usize::from(removed);
        removed
    }

    /// The next hops for a destination with their metrics, the preferred one first; empty where no pattern fits.
    pub fn next_hops(&self, destination: &Eid) -> Vec<(&Eid, u32)> {
        let Some(found) = EidPattern::of(destination).iter().find_map(|p| self.by_pattern.get(p)) else {
            return Vec::new();
        };
        let mut hops: Vec<_> = found.iter().map(|(via, metric)| (via, *metric)).collect();
        hops.sort_by_key(|(via, metric)| (*metric, *via));
        hops
    }

    /// The preferred next hop for a destination that is none of the `excluded` nodes.
    pub fn next_hop(&self, destination: &Eid, excluded: &[Eid]) -> Option<&Eid> {
        let excluded: Vec<_> = excluded.iter().filter_map(node_id).collect();
        self.next_hops(destination).into_iter().map(|(via, _)| via).find(|via| !excluded.contains(via))
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Every route, the most specific patterns first.
    pub fn iter(&self) -> impl Iterator<Item = StaticRoute> + '_ {
        self.by_pattern.iter().flat_map(|(to, alternatives)| {
            let mut routes: Vec<_> = alternatives
                .iter()
                .map(|(via, metric)| StaticRoute { to: to.clone(), via: via.clone(), metric: *metric })
                .collect();
            routes.sort_by(|a, b| (a.metric, &a.via).cmp(&(b.metric, &b.via)));
            routes
        })
    }
}

/// One route a line.
impl fmt::Display for StaticRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|route| writeln!(f, "{route}"))
    }
}

/// Why a text is no table of static routes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {error}")]
pub struct StaticRoutesError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub error: StaticRouteError,
}

/// One route a line; empty lines and lines that begin with `#` are passed over.
impl FromStr for StaticRoutes {
    type Err = StaticRoutesError;

    fn from_str(text: &str) -> Result<Self, StaticRoutesError> {
        let mut table = StaticRoutes::new();
        for (index, line) in text.lines().enumerate() {
            let line_text = line.trim();
            if !line_text.is_empty() && !line_text.starts_with('#') {
                let added = line_text.parse().and_then(|route| table.add(route));
                added.map_err(|error| StaticRoutesError { line: index + 1, error })?;
            }
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
ipn:10.1 via ipn:5.0
ipn:10.* via ipn:3.0
ipn:10.* via ipn:2.0 metric 10
ipn:10.* via ipn:4.0 metric 10
dtn://rover/** via dtn://orbiter/
ipn:977000.*.* via ipn:6.0
ipn:*.7 via ipn:7.0
ipn:*.* via ipn:8.0
* via ipn:9.0
";

    fn eid(text: &str) -> Eid {
        text.parse().unwrap()
    }

    fn table() -> StaticRoutes {
        TABLE.parse().unwrap()
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let expected = [
            ("ipn:10.1", "ipn:5.0"),
            ("ipn:10.2", "ipn:3.0"),
            ("ipn:10.7", "ipn:3.0"),
            ("ipn:977000.1.7", "ipn:6.0"),
            ("ipn:11.7", "ipn:7.0"),
            ("ipn:11.1", "ipn:8.0"),
            ("dtn://rover/app/x", "dtn://orbiter/"),
            ("dtn://lander/app", "ipn:9.0"),
        ];
        for (destination, via) in expected {
            assert_eq!(table().next_hop(&eid(destination), &[]), Some(&eid(via)), "{destination}");
        }
        assert_eq!(table().next_hop(&Eid::None, &[]), None, "the null endpoint has no members");
        assert_eq!(StaticRoutes::new().next_hop(&eid("ipn:1.1"), &[]), None);
    }

    #[test]
    fn alternatives_are_taken_by_metric_then_by_node() {
        let table = table();
        let destination = eid("ipn:10.2");
        let hops: Vec<_> =
            table.next_hops(&destination).into_iter().map(|(via, metric)| (via.to_string(), metric)).collect();
        assert_eq!(hops, [("ipn:3.0".into(), 0), ("ipn:2.0".into(), 10), ("ipn:4.0".into(), 10)]);
        assert_eq!(table.next_hop(&destination, &[eid("ipn:3.0")]), Some(&eid("ipn:2.0")));
        assert_eq!(table.next_hop(&destination, &[eid("ipn:3.4"), eid("ipn:2.0")]), Some(&eid("ipn:4.0")));
        let all = [2, 3, 4].map(|node| Eid::ipn(node, 0));
        assert_eq!(table.next_hop(&destination, &all), None, "the default does not stand in for a route of its own");
    }

    #[test]
    fn routes_are_replaced_and_removed() {
        let mut table = table();
        assert_eq!(table.len(), 9);
        assert_eq!(table.add("ipn:10.* via ipn:2.0 metric 3".parse().unwrap()), Ok(Some(10)));
        assert_eq!(table.len(), 9);
        assert!(table.remove(&"ipn:10.1".parse().unwrap(), &eid("ipn:5.0")));
        assert!(!table.remove(&"ipn:10.1".parse().unwrap(), &eid("ipn:5.0")));
        assert_eq!(table.len(), 8);
        assert_eq!(table.next_hop(&eid("ipn:10.1"), &[]), Some(&eid("ipn:3.0")));
    }

    #[test]
    fn a_table_reads_what_it_writes() {
        assert_eq!(table().to_string(), TABLE);
        let commented = format!("# the relay\n\n  {TABLE}");
        assert_eq!(commented.parse::<StaticRoutes>(), Ok(table()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let error = |text: &str| text.parse::<StaticRoutes>().unwrap_err().to_string();
        assert_eq!(
            error("* via ipn:1.0\nipn:1.* through ipn:2.0"),
            "line 2: \"ipn:1.* through ipn:2.0\" is no route: write PATTERN via NODE, and metric NUMBER after it where there are alternatives"
        );
        assert_eq!(
            error("* via ipn:1.0 metric -1"),
            "line 1: \"-1\" is no metric: write a whole number of 0 to 4294967295"
        );
        assert_eq!(
            error("* via ipn:1.0 metric +1"),
            "line 1: \"+1\" is no metric: write a whole number of 0 to 4294967295"
        );
        assert_eq!(error("* via dtn:none"), "line 1: dtn:none is no node, so nothing can go via it");
        assert!(error("* via node2").starts_with("line 1: the next hop is no node: \"node2\""));
        assert!(error("ipn:5 via ipn:1.0").starts_with("line 1: \"ipn:5\" is no pattern"));
    }

    #[test]
    fn a_table_has_an_end() {
        let mut table = StaticRoutes::new();
        let route = |node| StaticRoute { to: EidPattern::IpnNode(node), via: Eid::ipn(1, 0), metric: 0 };
        for node in 0..MAX_STATIC_ROUTES as u64 {
            table.add(route(node)).unwrap();
        }
        assert_eq!(table.add(route(1 << 40)), Err(StaticRouteError::Full));
        assert_eq!(table.add(route(7)), Ok(Some(0)), "one that is known may change");
    }
}
