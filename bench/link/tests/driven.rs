//! A bench whose channel changes its rate while frames are under way.

use bytes::Bytes;
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_link::{Bench, Channel, ChannelConfig, Contacts, Damaged, Node};
use farlink_record::{ChannelId, Event, NodeId};
use farlink_units::{BitRate, Duration, Instant};

/// Sends so many frames of 1000 bytes as fast as it may, and notes when any arrive.
struct Source {
    left: u32,
    arrived: Vec<Instant>,
}

impl Node for Source {
    fn handle_frame(&mut self, now: Instant, _: ChannelId, _: Bytes) {
        self.arrived.push(now);
    }

    fn poll_transmit(&mut self, _: Instant, _: ChannelId) -> Option<Bytes> {
        self.left = self.left.checked_sub(1)?;
        Some(Bytes::from_static(&[0; 1000]))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_event(&mut self) -> Option<Event> {
        None
    }
}

fn ms(ms: i64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

#[test]
fn the_driver_follows_a_change_of_rate() {
    let rate = |bps| Rate::constant(BitRate::from_bps(bps).unwrap());
    let channel = Channel::new(ChannelConfig {
        id: ChannelId(0),
        rate: rate(8000),
        overhead_bits: 0,
        contacts: Contacts::Always,
        light_time: LightTime::Constant(Duration::from_secs(10)),
        errors: Errors::none(),
        damaged: Damaged::Drop,
        radio: None,
        queue_bits: 1 << 20,
        seed: 1,
    });
    let nodes = vec![Source { left: 4, arrived: Vec::new() }, Source { left: 0, arrived: Vec::new() }];
    let mut bench = Bench::new(nodes, vec![(channel, NodeId(0), NodeId(1))]);
    let mut lost = 0;
    let mut emit =
        |stamped: farlink_record::Stamped| lost += u32::from(matches!(stamped.event, Event::FrameLost { .. }));
    bench.attend_to(ms(0), NodeId(0), &mut emit);
    // The first frame takes a second, the second half of one and a twentieth, the third a tenth; the last is cut off.
    let changes = [(ms(1500), rate(80_000)), (ms(1700), Rate::silent())];
    for (at, rate) in changes {
        while bench.next_instant().is_some_and(|next| next <= at) {
            bench.step(&mut emit);
        }
        bench.set_rate(at, ChannelId(0), &rate, &mut emit);
    }
    for _ in 0..100 {
        bench.step(&mut emit);
    }
    assert_eq!(bench.node_mut(NodeId(1)).arrived, [ms(11_000), ms(11_550), ms(11_650)]);
    assert_eq!(lost, 1);
}
