//! A channel that is told by hand what to be: rate, errors, light time, contacts, and back to the plan.

mod bed;

use bed::{Bed, fault, ms};
use bytes::Bytes;
use farlink_channel_models::{Errors, Interval, LightTime, Rate};
use farlink_link::{Bench, Channel, ChannelConfig, Contacts, ControlError, Damaged, MAX_COPIES, MAX_FAULTS, Node};
use farlink_record::control::{Control, ControlledBy, Fault, FaultAction, ForcedContact, FrameMatch, Restorable};
use farlink_record::counters::Tally;
use farlink_record::{ChannelId, DurationNanos, Event, LossCause, NodeId, Stamped};
use farlink_units::{BitRate, Duration, Instant};
use proptest::prelude::*;

const OPEN: Control = Control::Contact { state: ForcedContact::Open };
const CLOSED: Control = Control::Contact { state: ForcedContact::Closed };

fn rate(bps: u64) -> Control {
    Control::Rate { bps: Some(bps) }
}

fn delay(millis: i64) -> Control {
    Control::Delay { light_time: Duration::from_millis(millis).into() }
}

fn restore(what: Restorable) -> Control {
    Control::Restore { what }
}

fn contact(start: i64, end: i64) -> Interval {
    Interval { start: ms(start), end: ms(end) }
}

#[test]
fn a_rate_by_hand_moves_what_waits_and_the_plan_comes_back() {
    let steps = vec![(ms(0), BitRate::from_bps(8000)), (ms(10_000), BitRate::from_bps(4000))];
    let mut bed = Bed::new(|c| c.rate = Rate::steps(steps).unwrap());
    (0..2).for_each(|_| bed.offer(ms(0), 1000));
    bed.control(ms(500), rate(80_000));
    assert_eq!(bed.channel.busy_until(), ms(650));
    assert_eq!(bed.channel.overridden(), [Restorable::Rate]);
    bed.control(ms(5000), Control::Rate { bps: None });
    bed.offer(ms(5000), 1000);
    // What the plan says by then, which has stepped meanwhile.
    bed.control(ms(20_000), restore(Restorable::Rate));
    bed.offer(ms(20_000), 1000);
    assert_eq!(bed.arrivals(), [(0, 4550), (1, 4650), (3, 26_000)]);
    assert_eq!(bed.losses, [(2, LossCause::NoRate)]);
    assert!(bed.channel.overridden().is_empty());
}

#[test]
fn errors_by_hand_replace_those_of_the_plan_until_they_come_back() {
    let mut bed = Bed::new(|c| c.errors = Errors::independent(1.0, 3));
    bed.offer(ms(0), 100);
    bed.control(ms(200), Control::Ber { ber: 0.0 });
    bed.offer(ms(200), 100);
    bed.control(ms(400), Control::Ber { ber: 0.1 });
    bed.offer(ms(400), 100);
    bed.control(ms(600), restore(Restorable::Errors));
    bed.offer(ms(600), 100);
    let arrivals = bed.drain();
    assert_eq!(arrivals.iter().map(|a| a.lost.is_some()).collect::<Vec<_>>(), [true, false, true, true]);
    assert_eq!((arrivals[0].flipped_bits, arrivals[3].flipped_bits), (800, 800));
    // 80 expected, 8.5 the deviation.
    assert!((40..120).contains(&arrivals[2].flipped_bits), "{}", arrivals[2].flipped_bits);
    // The channel's seed decides which.
    let flips = |seed| {
        let mut bed = Bed::new(|c| (c.seed, c.damaged) = (seed, Damaged::Deliver));
        bed.control(ms(0), Control::Ber { ber: 0.01 });
        bed.offer(ms(0), 1000);
        bed.drain()[0].content.clone()
    };
    assert_eq!(flips(1), flips(1));
    assert_ne!(flips(1), flips(2));
}

#[test]
fn a_delay_by_hand_holds_for_what_leaves_from_then_on_and_nothing_overtakes() {
    let mut bed = Bed::new(|_| ());
    (0..3).for_each(|_| bed.offer(ms(0), 1000));
    // The first has left, the second is being sent.
    bed.control(ms(1500), delay(500));
    assert_eq!(bed.arrivals(), [(0, 5000), (1, 5000), (2, 5000)], "those behind do not overtake the first");
    let mut bed = Bed::new(|_| ());
    (0..2).for_each(|_| bed.offer(ms(0), 1000));
    bed.control(ms(1500), delay(9000));
    bed.control(ms(30_000), restore(Restorable::All));
    bed.offer(ms(30_000), 1000);
    assert_eq!(bed.arrivals(), [(0, 5000), (1, 11_000), (2, 35_000)]);
}

#[test]
fn what_is_being_sent_when_a_contact_is_forced_closed_is_lost() {
    let mut bed = Bed::new(|_| ());
    (0..3).for_each(|_| bed.offer(ms(0), 1000));
    bed.control(ms(1500), CLOSED);
    assert_eq!(bed.losses, [(1, LossCause::NoContact), (2, LossCause::NoContact)], "the first has left");
    bed.offer(ms(1600), 1000);
    // It would begin at 3 s and end at 4 s: forced open in between, it was told to be lost before.
    bed.control(ms(3500), OPEN);
    bed.offer(ms(3600), 1000);
    bed.control(ms(9000), CLOSED);
    bed.control(ms(10_000), restore(Restorable::Contact));
    bed.offer(ms(10_000), 1000);
    assert_eq!(bed.arrivals(), [(0, 5000), (4, 9000), (5, 15_000)]);
    assert_eq!(bed.counters.lost[&LossCause::NoContact].frames, 3);
}

#[test]
fn a_contact_that_is_forced_open_does_not_end_as_planned() {
    let plan = Contacts::During(vec![contact(0, 2000), contact(8000, 20_000)]);
    let mut bed = Bed::new(|c| c.contacts = plan);
    bed.offer(ms(1000), 500);
    bed.control(ms(1200), OPEN);
    // Straddles the planned end, and an opening within an open contact is no gap.
    bed.offer(ms(1600), 1000);
    bed.control(ms(3000), restore(Restorable::Contact));
    bed.offer(ms(3000), 100);
    // Straddles an opening: its first bits left into nothing.
    bed.offer(ms(5000), 1000);
    bed.control(ms(5500), OPEN);
    bed.offer(ms(5500), 1000);
    // Back to the plan within a planned contact: one contact, for what straddles it.
    bed.offer(ms(9500), 1000);
    bed.control(ms(10_000), restore(Restorable::Contact));
    assert_eq!(bed.losses, [(2, LossCause::NoContact), (3, LossCause::NoContact)]);
    assert_eq!(bed.arrivals(), [(0, 5500), (1, 6600), (4, 11_000), (5, 14_500)]);
}

#[test]
fn going_back_to_a_plan_that_is_closed_cuts_off() {
    let mut bed = Bed::new(|c| c.contacts = Contacts::During(vec![contact(0, 1000)]));
    bed.control(ms(500), OPEN);
    bed.offer(ms(2000), 1000);
    bed.offer(ms(2000), 1000);
    bed.control(ms(3500), restore(Restorable::All));
    assert_eq!(bed.losses, [(1, LossCause::NoContact)]);
    assert_eq!(bed.arrivals(), [(0, 7000)]);
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let mut bed = Bed::new(|_| ());
    let with = |action| Control::Fault(fault(action, 0, Some(1)));
    let from = |source: &str| {
        let only = FrameMatch { source: Some(source.into()), ..FrameMatch::default() };
        Control::Fault(Fault { only, ..fault(FaultAction::Drop, 0, None) })
    };
    let refused = [
        (rate(0), "a rate of 0 bit/s sends no bit: say `rate none` for silence"),
        (Control::Ber { ber: 0.6 }, "give one from 0 to 0.5, as in `ber 1e-5`"),
        (Control::Ber { ber: f64::NAN }, "give one from 0 to 0.5"),
        (delay(-1), "give one from 0 to 366 days, as in `delay 4s`"),
        (Control::Delay { light_time: DurationNanos(i64::MAX) }, "from 0 to 366 days"),
        (with(FaultAction::Damage { bits: 0 }), "a fault with bits 0 does nothing: bits is at least 1"),
        (with(FaultAction::Reorder { after: 0 }), "after is at least 1"),
        (with(FaultAction::Truncate { bytes: 0 }), "bytes is at least 1"),
        (with(FaultAction::Duplicate { copies: MAX_COPIES + 1 }), "at most 1000"),
        (Control::Fault(fault(FaultAction::Drop, 0, Some(0))), "count is at least 1"),
        (from("10.1"), "`ipn:10.0` or `ipn:10.*` stand for all of a node's endpoints"),
        (Control::Pause, "`pause` stops or starts the clock of all channels: give it without a channel"),
    ];
    for (control, says) in refused {
        let error = bed.try_control(ms(0), &control).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert!(bed.channel.overridden().is_empty());
    for _ in 0..MAX_FAULTS {
        bed.fault(ms(0), fault(FaultAction::Drop, 1000, Some(1)));
    }
    let error = bed.try_control(ms(0), &with(FaultAction::Drop)).unwrap_err();
    assert_eq!(error, ControlError::TooManyFaults);
    assert!(error.to_string().contains("restore faults"), "{error}");
    bed.control(ms(0), restore(Restorable::Faults));
    bed.control(ms(0), with(FaultAction::Drop));
}

/// Sends a frame of 1000 bytes whenever it may.
struct Sender;

impl Node for Sender {
    fn handle_frame(&mut self, _: Instant, _: ChannelId, _: Bytes) {}

    fn poll_transmit(&mut self, _: Instant, _: ChannelId) -> Option<Bytes> {
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

#[test]
fn the_bench_tells_what_was_said_and_what_comes_of_it() {
    let channel = |id| {
        Channel::new(ChannelConfig {
            id: ChannelId(id),
            rate: Rate::constant(BitRate::from_bps(8000).unwrap()),
            overhead_bits: 0,
            contacts: Contacts::During(vec![contact(0, 10_000), contact(20_000, 30_000)]),
            light_time: LightTime::Constant(Duration::from_secs(4)),
            errors: Errors::none(),
            damaged: Damaged::Drop,
            radio: None,
            queue_bits: 1 << 20,
            seed: 1,
        })
    };
    let mut bench =
        Bench::new(vec![Sender, Sender], vec![(channel(0), NodeId(0), NodeId(1)), (channel(1), NodeId(1), NodeId(0))]);
    let secs = |at: Instant| at.as_nanos() / 1_000_000_000;
    let mut ladder = Vec::new();
    let mut tell = |stamped: Stamped| {
        let what = match stamped.event {
            Event::ContactOpened { channel, until, .. } => format!("{} opened until {}", channel.0, secs(until)),
            Event::ContactClosed { channel } => format!("{} closed", channel.0),
            Event::LightTime { channel, light_time } => format!("{} {}", channel.0, Duration::from(light_time)),
            Event::Controlled { channel, control, by } => format!("{:?} {control} ({by:?})", channel.map(|c| c.0)),
            _ => return,
        };
        ladder.push(format!("{} {what}", secs(stamped.at)));
    };
    let controls = [
        (0, None, rate(4000)),
        (2000, Some(0), CLOSED),
        (4000, Some(0), delay(1000)),
        (5000, Some(0), OPEN),
        (7000, None, Control::Pause),
        (8000, Some(0), delay(2000)),
        (12_000, Some(0), restore(Restorable::Contact)),
        (20_000, Some(0), CLOSED),
        (22_000, Some(0), restore(Restorable::All)),
    ];
    for (at, channel, control) in controls {
        while bench.next_instant().is_some_and(|next| next < ms(at)) {
            bench.step(&mut tell);
        }
        bench.control(ms(at), channel.map(ChannelId), &control, ControlledBy::Script, &mut tell).unwrap();
    }
    while bench.next_instant().is_some_and(|next| next < ms(40_000)) {
        bench.step(&mut tell);
    }
    assert_eq!(
        ladder.iter().filter(|line| !line.split(' ').nth(1).unwrap().starts_with('1')).collect::<Vec<_>>(),
        [
            "0 None rate 4 kbit/s (Script)",
            "0 0 opened until 10",
            "2 Some(0) contact closed (Script)",
            "2 0 closed",
            "4 Some(0) light time 1 s (Script)",
            "5 Some(0) contact open (Script)",
            "5 0 opened until 9223372036",
            "7 None pause (Script)",
            "8 Some(0) light time 2 s (Script)",
            "8 0 2 s",
            "12 Some(0) restore contact (Script)",
            "12 0 closed",
            "20 Some(0) contact closed (Script)",
            "22 Some(0) restore all (Script)",
            "22 0 opened until 30",
            "30 0 closed",
        ]
    );
    let error = bench.control(ms(40_000), Some(ChannelId(7)), &OPEN, ControlledBy::Socket, &mut |_| panic!("told"));
    assert_eq!(error.unwrap_err().to_string(), "there is no channel 7: there are 2, counted from 0");
    let error = bench.control(ms(40_000), None, &rate(0), ControlledBy::Socket, &mut |_| panic!("told"));
    assert_eq!(error, Err(ControlError::ZeroRate));
}

fn any_control() -> impl Strategy<Value = Control> {
    let action = prop_oneof![
        Just(FaultAction::Drop),
        (1u32..20).prop_map(|bits| FaultAction::Damage { bits }),
        (1u32..4).prop_map(|copies| FaultAction::Duplicate { copies }),
        (1u32..4).prop_map(|after| FaultAction::Reorder { after }),
        (1u32..40).prop_map(|bytes| FaultAction::Truncate { bytes }),
    ];
    let fault = (action, 0u64..3, proptest::option::of(1u64..4)).prop_map(|(a, skip, count)| fault(a, skip, count));
    prop_oneof![
        4 => fault.prop_map(Control::Fault),
        1 => proptest::option::of(1000u64..100_000).prop_map(|bps| Control::Rate { bps }),
        1 => (0.0..0.01f64).prop_map(|ber| Control::Ber { ber }),
        1 => (0i64..3000).prop_map(delay),
        1 => Just(OPEN),
        1 => Just(CLOSED),
        1 => Just(restore(Restorable::All)),
        1 => Just(restore(Restorable::Contact)),
        1 => Just(restore(Restorable::Faults)),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Offer(usize),
    Take,
    Control(Control),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The bed holds the books after every step: frames in and copies are delivered, lost or in the channel's own store.
    #[test]
    fn whatever_is_said_every_frame_is_somewhere(
        steps in proptest::collection::vec(
            (0i64..400, prop_oneof![
                5 => (0usize..120).prop_map(Step::Offer),
                2 => Just(Step::Take),
                2 => any_control().prop_map(Step::Control),
            ]),
            1..120,
        ),
    ) {
        let plan = Contacts::During(vec![contact(0, 3000), contact(4000, 9000), contact(10_000, 60_000)]);
        let mut bed = Bed::new(|c| (c.contacts, c.queue_bits) = (plan, 8 * 500));
        let mut now = ms(0);
        let mut arrivals = Vec::new();
        for (wait, step) in steps {
            now += Duration::from_millis(wait);
            match step {
                Step::Offer(bytes) => bed.offer(now, bytes),
                Step::Take => arrivals.extend(bed.take(now)),
                Step::Control(control) => {
                    let done = bed.try_control(now, &control);
                    prop_assert!(matches!(done, Ok(()) | Err(ControlError::TooManyFaults)), "{done:?}");
                }
            }
        }
        arrivals.extend(bed.drain());
        prop_assert_eq!(bed.channel.in_flight(), Tally::default());
        prop_assert_eq!(bed.counters.went_in().frames, bed.counters.delivered.frames + bed.counters.lost_in_all().frames);
        prop_assert!(arrivals.is_sorted_by_key(|arrival| arrival.at), "arrivals run backwards");
        for arrival in &arrivals {
            prop_assert!(arrival.delays.queueing.0 >= 0 && arrival.delays.serialisation.0 > 0 && arrival.delays.propagation.0 >= 0);
        }
    }
}
