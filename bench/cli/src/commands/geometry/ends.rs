//! What FROM and TO mean.

use farlink_channel_models::{Body, HorizonTable, Place, Visibility};
use farlink_scenario::{Path, Scenario};

/// A place that a name means.
pub struct Meant {
    pub place: Place,
    /// The height of the land about it.
    pub horizon: Option<HorizonTable>,
    /// The node of that name in the scenario, if it is one.
    node: Option<usize>,
}

/// Every name that can be an end, for messages.
fn names(scenario: Option<&Scenario>) -> Vec<String> {
    let bodies = Body::ALL.iter().map(|body| body.name().to_lowercase());
    let places = scenario.iter().flat_map(|s| s.places.iter().map(|place| place.name.clone()));
    let nodes =
        scenario.iter().flat_map(|s| s.nodes.iter().filter(|node| node.place.is_some()).map(|node| node.name.clone()));
    places.chain(nodes).chain(bodies).collect()
}

/// The end that `name` means: a place of the scenario before a node before a body.
///
/// # Errors
/// There is none of that name.
pub fn find(name: &str, scenario: Option<&Scenario>) -> Result<Meant, String> {
    if let Some(scenario) = scenario {
        if let Some(named) = scenario.places.iter().find(|place| place.name == name) {
            let node = scenario.nodes.iter().position(|node| node.place.as_ref() == Some(&named.place));
            return Ok(Meant { place: named.place.clone(), horizon: named.horizon.clone(), node });
        }
        if let Some(index) = scenario.node(name) {
            return match &scenario.nodes[index].place {
                Some(place) => {
                    let named = scenario.places.iter().find(|named| named.place == *place);
                    let horizon = named.and_then(|named| named.horizon.clone());
                    Ok(Meant { place: place.clone(), horizon, node: Some(index) })
                }
                None => Err(format!("the node `{name}` has no place: give it one with `at: PLACE` in the scenario")),
            };
        }
    }
    if let Ok(body) = body(name) {
        return Ok(Meant { place: Place::Center(body), horizon: None, node: None });
    }
    let help = if scenario.is_some() { "" } else { "; places and nodes are found with `--scenario FILE`" };
    Err(format!("there is no place `{name}`: there are {}{help}", names(scenario).join(", ")))
}

/// The body of that name.
///
/// # Errors
/// There is none.
pub fn body(name: &str) -> Result<Body, String> {
    let named = Body::ALL.into_iter().find(|body| body.name().eq_ignore_ascii_case(name));
    named.ok_or_else(|| {
        let bodies: Vec<_> = Body::ALL.iter().map(|body| body.name().to_lowercase()).collect();
        format!("there is no body `{name}`: there are {}", bodies.join(", "))
    })
}

/// The rules of the link of the scenario that joins the two, if it has one that follows geometry.
pub fn link_rules(scenario: &Scenario, from: &Meant, to: &Meant) -> Option<Visibility> {
    let (from, to) = (from.node?, to.node?);
    let joins = |pair: (usize, usize)| pair == (from, to) || pair == (to, from);
    let link = scenario.links.iter().find(|link| joins((link.forward.from, link.forward.to)))?;
    match &link.path {
        // They are written for the forward channel.
        Path::Geometry(rules) if link.forward.from == from => Some(rules.clone()),
        Path::Geometry(rules) => Some(rules.reversed()),
        Path::Fixed { .. } => None,
    }
}
