//! A channel whose rate and errors change while it runs, that has no rate, or erases frames; and where the time of frames goes.

use bytes::Bytes;
use farlink_channel_models::errors::{Erasures, ErrorModel};
use farlink_channel_models::{Errors, Interval, LightTime, Rate};
use farlink_link::{Arrival, Channel, ChannelConfig, Contacts, Damaged};
use farlink_record::counters::ChannelCounters;
use farlink_record::{ChannelId, DurationNanos, LossCause};
use farlink_units::{BitRate, Duration, Instant};

fn ms(ms: i64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

fn constant(bps: u64) -> Rate {
    Rate::constant(BitRate::from_bps(bps).unwrap())
}

/// A channel and all that its events have told.
struct Bed {
    channel: Channel,
    counters: ChannelCounters,
    losses: Vec<(u64, LossCause)>,
}

impl Bed {
    /// 8 kbit/s, so that a byte takes a millisecond; four seconds of light time.
    fn new(change: impl FnOnce(&mut ChannelConfig)) -> Self {
        let mut config = ChannelConfig {
            id: ChannelId(0),
            rate: constant(8000),
            overhead_bits: 0,
            contacts: Contacts::Always,
            light_time: LightTime::Constant(Duration::from_secs(4)),
            errors: Errors::none(),
            damaged: Damaged::Drop,
            radio: None,
            queue_bits: 1 << 20,
            seed: 1,
        };
        change(&mut config);
        Bed { channel: Channel::new(config), counters: ChannelCounters::default(), losses: Vec::new() }
    }

    fn offer(&mut self, now: Instant, bytes: usize) {
        let Bed { channel, counters, losses } = self;
        channel.offer(now, Bytes::from(vec![0x55; bytes]), |event| {
            counters.apply(&event);
            if let farlink_record::Event::FrameLost { frame, cause, .. } = event {
                losses.push((frame, cause));
            }
        });
        self.balanced();
    }

    fn set_rate(&mut self, now: Instant, rate: &Rate) {
        let Bed { channel, counters, losses } = self;
        channel.set_rate(now, rate, |event| {
            counters.apply(&event);
            if let farlink_record::Event::FrameLost { frame, cause, .. } = event {
                losses.push((frame, cause));
            }
        });
        self.balanced();
    }

    /// Takes what has arrived by `now`.
    fn take(&mut self, now: Instant) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        while let Some(arrival) = self.channel.take_due(now) {
            self.counters.apply(&arrival.event(ChannelId(0)));
            arrivals.push(arrival);
            self.balanced();
        }
        arrivals
    }

    /// What was sent is delivered, lost or in the channel's own store, at every moment.
    fn balanced(&self) {
        assert!(self.counters.balanced());
        assert_eq!(self.counters.in_flight(), self.channel.in_flight());
    }

    fn all(&mut self) -> Vec<Instant> {
        self.take(Instant::MAX).iter().map(|arrival| arrival.at).collect()
    }
}

#[test]
fn the_three_parts_of_a_delay_are_told_and_add_up() {
    let mut bed = Bed::new(|c| c.overhead_bits = 80);
    bed.offer(ms(0), 1000);
    bed.offer(ms(400), 500);
    let arrivals = bed.take(Instant::MAX);
    let parts: Vec<[i64; 3]> = arrivals
        .iter()
        .map(|a| [a.delays.queueing, a.delays.serialisation, a.delays.propagation].map(|part| part.0 / 1_000_000))
        .collect();
    assert_eq!(parts, [[0, 1010, 4000], [610, 510, 4000]]);
    for (arrival, offered) in arrivals.iter().zip([0, 400]) {
        let whole: i64 = [arrival.delays.queueing, arrival.delays.serialisation, arrival.delays.propagation]
            .map(|d| d.0)
            .iter()
            .sum();
        assert_eq!(arrival.at, ms(offered) + Duration::from_nanos(whole));
    }
    let delays = bed.counters.delays;
    assert_eq!((delays.frames, delays.queueing.total_ns, delays.queueing.max_ns), (2, 610_000_000, 610_000_000));
    assert_eq!((delays.serialisation.total_ns, delays.serialisation.max_ns), (1_520_000_000, 1_010_000_000));
    assert_eq!((delays.propagation.total_ns, delays.propagation.max_ns), (8_000_000_000, 4_000_000_000));
}

#[test]
fn a_frame_that_straddles_a_step_takes_the_integral() {
    let rate = |bps| BitRate::from_bps(bps);
    let steps = Rate::steps(vec![(ms(0), rate(8000)), (ms(500), rate(16_000)), (ms(5000), rate(8000))]).unwrap();
    let mut bed = Bed::new(|c| c.rate = steps);
    bed.offer(ms(0), 1000);
    bed.offer(ms(0), 1000);
    // 500 bytes in half a second, then 500 in a quarter; the second at twice the rate.
    assert_eq!(bed.all(), [ms(4750), ms(5250)]);
}

#[test]
fn a_change_of_rate_moves_what_has_not_left() {
    let mut bed = Bed::new(|_| ());
    (0..3).for_each(|_| bed.offer(ms(0), 1000));
    assert_eq!(bed.channel.busy_until(), ms(3000));
    // The first has left, half of the second has.
    bed.set_rate(ms(1500), &constant(80_000));
    assert_eq!(bed.channel.busy_until(), ms(1650));
    bed.offer(ms(1500), 1000);
    let arrivals = bed.take(Instant::MAX);
    assert_eq!(arrivals.iter().map(|a| a.at).collect::<Vec<_>>(), [ms(5000), ms(5550), ms(5650), ms(5750)]);
    let waited: Vec<DurationNanos> = arrivals.iter().map(|a| a.delays.queueing).collect();
    assert_eq!(waited, [0, 1000, 1550, 150].map(|n| Duration::from_millis(n).into()));
    // Slower, twice, before and after it has begun.
    let mut bed = Bed::new(|_| ());
    bed.offer(ms(0), 1000);
    bed.offer(ms(0), 1000);
    bed.set_rate(ms(0), &constant(4000));
    bed.set_rate(ms(3000), &constant(2000));
    assert_eq!(bed.all(), [ms(2000 + 4000), ms(3000 + 2000 + 4000)]);
    // An idle channel takes the new rate with the next frame.
    bed.set_rate(ms(20_000), &constant(8000));
    bed.offer(ms(20_000), 1000);
    assert_eq!(bed.all(), [ms(25_000)]);
}

#[test]
fn a_slower_rate_can_push_a_frame_out_of_the_contact() {
    let contact = Interval { start: ms(0), end: ms(2000) };
    let mut bed = Bed::new(|c| c.contacts = Contacts::During(vec![contact]));
    (0..3).for_each(|_| bed.offer(ms(0), 1000));
    assert_eq!(bed.losses, [(2, LossCause::NoContact)]);
    bed.set_rate(ms(500), &constant(4000));
    assert_eq!(bed.losses, [(2, LossCause::NoContact), (1, LossCause::NoContact)], "told once each");
    assert_eq!(bed.all(), [ms(5500)]);
    assert_eq!(bed.counters.lost[&LossCause::NoContact].frames, 2);
}

#[test]
fn a_silent_channel_loses_all_that_is_offered() {
    let mut bed = Bed::new(|c| c.rate = Rate::silent());
    (0..100).for_each(|n| bed.offer(ms(n), 1000));
    assert_eq!(bed.all(), []);
    assert_eq!(bed.counters.lost[&LossCause::NoRate].frames, 100);
    assert_eq!(bed.counters.lost_in_all(), bed.counters.sent);
    assert!(bed.channel.busy_until() <= ms(99), "it takes no time");
    assert_eq!(bed.channel.next_due(), None);
    // It begins to speak.
    bed.set_rate(ms(100), &constant(8000));
    bed.offer(ms(100), 1000);
    assert_eq!(bed.all(), [ms(5100)]);
}

#[test]
fn silence_cuts_off_what_is_being_sent() {
    let mut bed = Bed::new(|_| ());
    (0..3).for_each(|_| bed.offer(ms(0), 1000));
    bed.set_rate(ms(1500), &Rate::silent());
    assert_eq!(bed.losses, [(1, LossCause::NoRate), (2, LossCause::NoRate)]);
    bed.offer(ms(1600), 1000);
    // What was cut off stays lost when the channel speaks again.
    bed.set_rate(ms(2000), &constant(8000));
    bed.offer(ms(2000), 1000);
    assert_eq!(bed.all(), [ms(5000), ms(7000)]);
    assert_eq!(bed.counters.lost[&LossCause::NoRate].frames, 3);
    // A step that is known beforehand does the same.
    let steps = vec![(ms(0), BitRate::from_bps(8000)), (ms(1500), None), (ms(4000), BitRate::from_bps(8000))];
    let mut bed = Bed::new(|c| c.rate = Rate::steps(steps).unwrap());
    [0, 0, 3000, 4000].into_iter().for_each(|at| bed.offer(ms(at), 1000));
    assert_eq!(bed.losses, [(1, LossCause::NoRate), (2, LossCause::NoRate)]);
    assert_eq!(bed.all(), [ms(5000), ms(9000)]);
}

#[test]
fn errors_change_from_the_instant_that_is_told() {
    let mut bed = Bed::new(|_| ());
    (0..4).for_each(|_| bed.offer(ms(0), 1000));
    // Two frames have left, though none has arrived; the third ends after the change.
    bed.channel.set_errors(ms(2500), Errors::independent(1.0, 1));
    bed.channel.set_errors(ms(3500), Errors::none());
    let lost: Vec<_> = bed.take(Instant::MAX).iter().map(|a| a.lost).collect();
    assert_eq!(lost, [None, None, Some(LossCause::BitErrors), None]);
}

#[test]
fn erased_frames_are_counted_as_such() {
    let erasures =
        |probability| Errors::new(&[ErrorModel::Erasures(Erasures::Independent { probability })], 3).unwrap();
    let mut bed = Bed::new(|c| {
        c.errors = erasures(1.0);
        c.damaged = Damaged::Deliver;
    });
    bed.offer(ms(0), 10);
    bed.channel.set_errors(ms(20), erasures(0.0));
    bed.offer(ms(20), 10);
    let arrivals = bed.take(Instant::MAX);
    let lost: Vec<_> = arrivals.iter().map(|a| a.lost).collect();
    assert_eq!(lost, [Some(LossCause::Erased), None]);
    assert_eq!(arrivals[0].content.len(), 10, "told with its length");
    assert_eq!(bed.counters.lost[&LossCause::Erased].frames, 1);
    assert_eq!(bed.counters.delays.frames, 1, "delays are those of delivered frames");
}

#[test]
fn a_thousand_to_one_is_two_channels() {
    let (mut there, mut back) = (Bed::new(|c| c.rate = constant(8_000_000)), Bed::new(|_| ()));
    there.offer(ms(0), 1000);
    back.offer(ms(0), 1000);
    assert_eq!((there.all(), back.all()), (vec![ms(4001)], vec![ms(5000)]));
    let serialised = |bed: &Bed| bed.counters.delays.serialisation.max_ns;
    assert_eq!(serialised(&back), 1000 * serialised(&there));
}

#[test]
fn put_back_comes_again() {
    let mut bed = Bed::new(|_| ());
    bed.offer(ms(0), 1000);
    bed.offer(ms(0), 1000);
    let first = bed.channel.take_due(ms(9000)).unwrap();
    bed.channel.put_back(first.clone());
    assert_eq!(bed.channel.next_due(), Some(ms(5000)));
    assert_eq!(bed.take(ms(5999)), [first]);
}
