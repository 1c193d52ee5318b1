//! Neighbours that are next to this node.

use farlink_units::{Duration, Instant};

use crate::builtin::Neighbour;

/// Longest light time at which a neighbour counts as being next to this node.
const NEXT_TO: Duration = Duration::from_millis(10);

/// Least distance of the checkpoints that are asked for so that reports come in time.
const CHECKPOINT_DISTANCE: u64 = 256 << 10;

/// Keeps what is under way to a neighbour next to this node within half of a receive buffer like this node's own, unless it
/// has been told otherwise: the other half is what the kernel's overhead takes. At a distance it would cost throughput, and the
/// rate is what the owner of a long way knows.
pub(super) fn limit_unclaimed(neighbour: &mut Neighbour, receive_buffer: u64) {
    let near = [&neighbour.transmit, &neighbour.receive].iter().all(|s| s.light_time_at(Instant::ZERO) <= NEXT_TO);
    if !near || neighbour.ltp.unclaimed_limit.is_some() || neighbour.ltp.receive_only {
        return;
    }
    let limit = receive_buffer / 2;
    neighbour.ltp.unclaimed_limit = Some(limit);
    neighbour.ltp.checkpoint_every.get_or_insert((limit / 8).max(CHECKPOINT_DISTANCE));
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlink_engine::ltp::PeerConfig;
    use farlink_engine::schedule::{Schedule, Window};
    use farlink_record::{ChannelId, NodeId};
    use farlink_wire::bpv7::Eid;

    fn limits(light_time: Duration, buffer: u64, ltp: PeerConfig) -> (Option<u64>, Option<u64>) {
        let schedule = Schedule::new(vec![Window::always(0, light_time)]);
        let mut neighbour = Neighbour {
            id: NodeId(1),
            node: Eid::ipn(2, 0),
            engine: 2,
            outgoing: ChannelId(0),
            incoming: ChannelId(1),
            transmit: schedule.clone(),
            receive: schedule,
            overhead_bits: 0,
            ltp,
            reliable: true,
            aggregation: None,
        };
        limit_unclaimed(&mut neighbour, buffer);
        (neighbour.ltp.unclaimed_limit, neighbour.ltp.checkpoint_every)
    }

    #[test]
    fn half_of_the_buffer_may_be_unclaimed_by_who_is_near_unless_told_otherwise() {
        let default = PeerConfig::default();
        assert_eq!(limits(Duration::ZERO, 32 << 20, default.clone()), (Some(16 << 20), Some(2 << 20)));
        assert_eq!(limits(Duration::ZERO, 400 << 10, default.clone()), (Some(200 << 10), Some(256 << 10)));
        assert_eq!(limits(Duration::from_millis(11), 32 << 20, default.clone()), (None, None));
        let told = PeerConfig { unclaimed_limit: Some(5000), ..default.clone() };
        assert_eq!(limits(Duration::ZERO, 32 << 20, told), (Some(5000), None));
        let told = PeerConfig { checkpoint_every: Some(5000), ..default };
        assert_eq!(limits(Duration::ZERO, 32 << 20, told), (Some(16 << 20), Some(5000)));
    }
}
