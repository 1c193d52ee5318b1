//! The contact plan of a scenario.

use farlink_channel_models::LightTime as Model;
use farlink_contact_plan::{Contact, ContactPlan, LightTime, NodeId, Rate, Steps};
use farlink_scenario::Scenario;
use farlink_units::{Duration, Instant, Ratio};

use crate::plan::{ChannelPlan, plan};

/// How far the light time of a plan may be from that of the model: 3 km of way. A pass in low orbit takes some forty pieces.
const TOLERANCE: Duration = Duration::from_nanos(10_000);

/// Who can send to whom in `scenario`, when, how fast and over what distance: what its channels do from the epoch to the end of
/// the run. Nodes go by their node IDs.
pub fn contact_plan(scenario: &Scenario) -> ContactPlan {
    let end = Instant::ZERO + scenario.duration;
    let contacts = plan(scenario).iter().flat_map(|channel| contacts(scenario, channel, end)).collect();
    let mut plan = ContactPlan::new(Some(scenario.epoch), contacts);
    plan.nodes.extend(scenario.nodes.iter().map(|node| NodeId::ipn(node.node_number)));
    plan
}

fn contacts(scenario: &Scenario, channel: &ChannelPlan, end: Instant) -> Vec<Contact> {
    let node = |index: usize| NodeId::ipn(scenario.nodes[index].node_number);
    let contact = |start: Instant, end: Instant| Contact {
        rate: Steps::constant(Rate::Limited(channel.rate_bps)),
        light_time: match &channel.light_time {
            Model::Constant(light_time) => LightTime::constant(start, end, *light_time),
            model => LightTime::fit(start, end, TOLERANCE, |at| model.at(at)),
        },
        bit_error_rate: Ratio::new(channel.ber).map(Steps::constant),
        ..Contact::new(node(channel.from), node(channel.to), start, end)
    };
    let within = channel.contacts.iter().map(|contact| (contact.start, contact.end.min(end)));
    within.filter(|(start, end)| start < end).map(|(start, end)| contact(start, end)).collect()
}
