use farlink_channel_models::Interval;

use super::*;

fn at_ms(ms: i64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

fn channel(change: impl FnOnce(&mut ChannelConfig)) -> Channel {
    let mut config = ChannelConfig {
        id: ChannelId(0),
        rate: Rate::constant("8 kbit/s".parse().unwrap()),
        overhead_bits: 0,
        contacts: Contacts::Always,
        light_time: LightTime::Constant(Duration::from_secs(4)),
        errors: Errors::independent(0.0, 1),
        damaged: Damaged::Drop,
        radio: None,
        queue_bits: 8 * 3000,
        seed: 1,
    };
    change(&mut config);
    Channel::new(config)
}

fn offer(channel: &mut Channel, now: Instant, len: usize) -> Option<LossCause> {
    let mut cause = None;
    channel.offer(now, Bytes::from(vec![0x55; len]), |event| {
        if let Event::FrameLost { cause: c, .. } = event {
            cause = Some(c);
        }
    });
    cause
}

#[test]
fn delay_is_queueing_plus_serialisation_plus_light_time() {
    let mut channel = channel(|c| c.overhead_bits = 80);
    offer(&mut channel, at_ms(0), 1000);
    offer(&mut channel, at_ms(500), 1000);
    // 1000 bytes and 80 bits at 8 kbit/s take 1.01 s.
    assert_eq!(channel.busy_until(), at_ms(2020));
    assert_eq!(channel.next_due(), Some(at_ms(5010)));
    assert_eq!(channel.take_due(at_ms(5009)), None);
    assert_eq!(channel.take_due(at_ms(5010)).unwrap().at, at_ms(5010));
    assert_eq!(channel.take_due(at_ms(9999)).unwrap().at, at_ms(6020));
}

#[test]
fn a_frame_needs_the_contact_for_its_whole_length() {
    let contact = |start, end| Interval { start: at_ms(start), end: at_ms(end) };
    let mut channel = channel(|c| c.contacts = Contacts::During(vec![contact(1000, 3000), contact(5000, 6000)]));
    assert_eq!(offer(&mut channel, at_ms(0), 500), Some(LossCause::NoContact), "begins before");
    assert_eq!(offer(&mut channel, at_ms(1000), 1000), None);
    assert_eq!(offer(&mut channel, at_ms(2000), 1000), None, "ends with the contact");
    assert_eq!(offer(&mut channel, at_ms(3000), 1), Some(LossCause::NoContact), "begins at its end");
    assert_eq!(offer(&mut channel, at_ms(5500), 1000), Some(LossCause::NoContact), "is cut off");
    // The second frame of the first contact arrives long after that contact.
    assert_eq!(channel.take_due(at_ms(99_999)).unwrap().at, at_ms(6000));
    assert_eq!(channel.take_due(at_ms(99_999)).unwrap().at, at_ms(7000));
    assert_eq!(channel.in_flight(), Tally::default());
}

#[test]
fn a_full_queue_drops_and_says_so() {
    let mut channel = channel(|_| ());
    let causes: Vec<_> = (0..6).map(|_| offer(&mut channel, at_ms(0), 1000)).collect();
    let full = Some(LossCause::QueueFull);
    assert_eq!(causes, [None, None, None, full, full, full], "one being sent and 3000 bytes less its own waiting");
    assert_eq!(offer(&mut channel, at_ms(1500), 1000), None);
}

#[test]
fn frames_without_content_or_beyond_the_limit_are_refused() {
    let mut channel = channel(|_| ());
    assert_eq!(offer(&mut channel, at_ms(0), 0), Some(LossCause::BadLength));
    assert_eq!(offer(&mut channel, at_ms(0), MAX_FRAME_BYTES + 1), Some(LossCause::BadLength));
    assert_eq!(offer(&mut channel, at_ms(0), MAX_FRAME_BYTES), None);
}

#[test]
fn damage_is_dropped_or_delivered_as_told() {
    for (damaged, delivered) in [(Damaged::Drop, false), (Damaged::Deliver, true)] {
        let mut channel = channel(|c| {
            c.errors = Errors::independent(1.0, 1);
            c.damaged = damaged;
        });
        offer(&mut channel, at_ms(0), 100);
        let arrival = channel.take_due(at_ms(9000)).unwrap();
        assert_eq!((arrival.delivered(), arrival.flipped_bits), (delivered, 800));
        if delivered {
            assert_eq!(arrival.content, vec![0xaa; 100]);
        }
    }
}

#[test]
fn order_is_kept_when_the_nodes_close_in() {
    // Light time falls by 0.9 s per second from here to there: faster than any orbit, to make the point.
    let mut channel = channel(|c| c.light_time = LightTime::Constant(Duration::from_secs(4)));
    offer(&mut channel, at_ms(0), 1000);
    channel.config.light_time = LightTime::Constant(Duration::from_secs(1));
    offer(&mut channel, at_ms(1000), 1000);
    let first = channel.take_due(at_ms(99_999)).unwrap();
    let second = channel.take_due(at_ms(99_999)).unwrap();
    assert_eq!((first.frame, second.frame), (0, 1));
    assert!(first.at <= second.at);
}
