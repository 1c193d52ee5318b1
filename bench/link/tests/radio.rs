//! A channel whose frames go through a radio.
#![allow(missing_docs)]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use farlink_channel_models::errors::Airtime;
use farlink_channel_models::{Errors, Interval, LightTime, Rate};
use farlink_link::{Channel, ChannelConfig, Contacts, ControlError, Damaged, Radio};
use farlink_record::control::{Control, ForcedContact};
use farlink_record::counters::Tally;
use farlink_record::{ChannelId, Event, LossCause};
use farlink_units::{Duration, Instant};

fn ms(ms: i64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

/// A radio that sends blocks of a second and knows them a second later. It loses what it is told to, and writes down what it is told.
#[derive(Debug, Default)]
struct Blocks {
    told: Arc<Mutex<Vec<(u64, Instant)>>>,
    asked: Arc<Mutex<Vec<u64>>>,
    contents: Vec<(u64, Bytes)>,
    lose: Vec<u64>,
    damage: Vec<u64>,
}

impl Radio for Blocks {
    fn overhead_bits(&self, _: usize) -> u64 {
        80
    }

    fn known_at(&self, contact: Interval, end: Instant) -> Instant {
        let second = 1_000_000_000;
        let blocks = (end - contact.start).as_nanos().div_euclid(second) + 2;
        contact.start + Duration::from_nanos(blocks * second)
    }

    fn transmit(&mut self, _: Interval, frame: u64, airtime: Airtime, content: &Bytes) {
        assert_eq!(airtime.bits, content.len() as u64 * 8 + 80);
        self.told.lock().unwrap().push((frame, airtime.start));
        self.contents.push((frame, content.clone()));
    }

    fn receive(&mut self, _: Option<Interval>, frame: u64) -> Option<Bytes> {
        self.asked.lock().unwrap().push(frame);
        let content = self.contents.iter().find(|(told, _)| *told == frame).expect("it was told").1.clone();
        let mut content = content.to_vec();
        if self.damage.contains(&frame) {
            content[0] ^= 0x81;
        }
        (!self.lose.contains(&frame)).then(|| content.into())
    }
}

fn channel(radio: Blocks, damaged: Damaged) -> Channel {
    let contact = |start, end| Interval { start: ms(start), end: ms(end) };
    let config = ChannelConfig {
        id: ChannelId(0),
        rate: Rate::constant("8 kbit/s".parse().unwrap()),
        overhead_bits: 0,
        contacts: Contacts::During(vec![contact(0, 10_000), contact(20_500, 30_000)]),
        light_time: LightTime::Constant(Duration::from_secs(4)),
        errors: Errors::independent(0.0, 1),
        damaged,
        radio: Some(Box::new(radio)),
        queue_bits: 8 * 100_000,
        seed: 1,
    };
    Channel::new(config)
}

fn offer(channel: &mut Channel, now: Instant, len: usize) -> Vec<LossCause> {
    let mut causes = Vec::new();
    channel.offer(now, Bytes::from(vec![0x55; len]), |event| {
        if let Event::FrameLost { cause, .. } = event {
            causes.push(cause);
        }
    });
    causes
}

#[test]
fn a_frame_arrives_when_its_block_is_decoded_and_its_overhead_takes_airtime() {
    let mut channel = channel(Blocks::default(), Damaged::Drop);
    assert_eq!(offer(&mut channel, ms(0), 90), []);
    // 90 bytes and 80 bits at 8 kbit/s take 0.1 s; the block of the first second is known at 2 s, and that is 4 s away.
    assert_eq!(channel.busy_until(), ms(100));
    assert_eq!(channel.next_due(), Some(ms(6000)));
    assert_eq!(channel.in_flight(), Tally { frames: 1, bits: 720 });
    assert!(channel.take_due(ms(5999)).is_none());
    assert_eq!(channel.in_flight(), Tally { frames: 1, bits: 720 });
    let arrival = channel.take_due(ms(6000)).unwrap();
    assert_eq!((arrival.at, arrival.lost, arrival.content.len()), (ms(6000), None, 90));
    let delays = arrival.delays;
    assert_eq!((delays.serialisation.0, delays.propagation.0), (100_000_000, 5_900_000_000));
    assert_eq!(channel.in_flight(), Tally::default());
}

#[test]
fn what_begins_before_a_frame_is_known_is_told_before_it_is_asked_for() {
    let radio = Blocks::default();
    let (told, asked) = (radio.told.clone(), radio.asked.clone());
    let mut channel = channel(radio, Damaged::Drop);
    offer(&mut channel, ms(0), 90);
    // Of 4 s, so that it leaves after the first one is known.
    offer(&mut channel, ms(500), 3990);
    assert!(channel.take_due(ms(1900)).is_none());
    assert_eq!((told.lock().unwrap().len(), asked.lock().unwrap().len()), (2, 0));
    offer(&mut channel, ms(2100), 90);
    assert_eq!(*asked.lock().unwrap(), [0]);
    assert_eq!(*told.lock().unwrap(), [(0, ms(0)), (1, ms(500))], "the third waits for the transmitter");
    // The long one leaves at 4.5 s, the third at 4.6 s: both end in the fifth block.
    let arrivals: Vec<_> = std::iter::from_fn(|| channel.take_due(ms(99_000))).map(|a| (a.frame, a.at)).collect();
    assert_eq!(arrivals, [(0, ms(6000)), (1, ms(10_000)), (2, ms(10_000))]);
    assert_eq!(*asked.lock().unwrap(), [0, 1, 2]);
}

#[test]
fn what_is_not_decoded_is_lost_by_that_and_told_when_it_is_due() {
    let mut channel = channel(Blocks { lose: vec![1], ..Blocks::default() }, Damaged::Drop);
    (0..3).for_each(|n| assert_eq!(offer(&mut channel, ms(n), 90), []));
    let lost: Vec<_> = std::iter::from_fn(|| channel.take_due(ms(6000))).map(|a| (a.frame, a.lost)).collect();
    assert_eq!(lost, [(0, None), (1, Some(LossCause::NotDecoded)), (2, None)]);
}

#[test]
fn damage_that_the_decoder_let_pass_counts_as_flips() {
    for (damaged, lost) in [(Damaged::Drop, Some(LossCause::BitErrors)), (Damaged::Deliver, None)] {
        let mut channel = channel(Blocks { damage: vec![0], ..Blocks::default() }, damaged);
        offer(&mut channel, ms(0), 90);
        let arrival = channel.take_due(ms(6000)).unwrap();
        assert_eq!((arrival.flipped_bits, arrival.lost), (2, lost));
        if lost.is_none() {
            assert_eq!(arrival.content[..2], [0xd4, 0x55]);
        }
    }
}

#[test]
fn outside_of_contacts_the_radio_is_told_nothing() {
    let radio = Blocks::default();
    let told = radio.told.clone();
    let mut channel = channel(radio, Damaged::Drop);
    assert_eq!(offer(&mut channel, ms(15_000), 90), [LossCause::NoContact]);
    assert_eq!(offer(&mut channel, ms(21_000), 90), []);
    // Blocks count from the beginning of the contact.
    assert_eq!(channel.next_due(), Some(ms(26_500)));
    assert_eq!(channel.take_due(ms(99_000)).unwrap().frame, 1);
    assert_eq!(*told.lock().unwrap(), [(1, ms(21_000))]);
}

#[test]
fn a_contact_that_is_forced_closed_takes_what_is_being_sent_and_not_what_has_left() {
    let mut channel = channel(Blocks::default(), Damaged::Drop);
    offer(&mut channel, ms(0), 90);
    offer(&mut channel, ms(0), 990);
    let mut lost = Vec::new();
    channel.control(ms(500), &Control::Contact { state: ForcedContact::Closed }, |event| lost.push(event)).unwrap();
    assert!(matches!(lost[..], [Event::FrameLost { frame: 1, cause: LossCause::NoContact, .. }]), "{lost:?}");
    let arrivals: Vec<_> = std::iter::from_fn(|| channel.take_due(ms(99_000))).map(|a| (a.frame, a.lost)).collect();
    assert_eq!(arrivals, [(0, None)]);
    assert_eq!(channel.in_flight(), Tally::default());
}

#[test]
fn errors_by_hand_strike_what_leaves_after_them_alone() {
    let mut channel = channel(Blocks::default(), Damaged::Drop);
    offer(&mut channel, ms(0), 90);
    // It has left at 100 ms, and is known at 2 s.
    channel.control(ms(500), &Control::Ber { ber: 0.5 }, |_| ()).unwrap();
    offer(&mut channel, ms(600), 90);
    let lost: Vec<_> = std::iter::from_fn(|| channel.take_due(ms(9000))).map(|a| (a.frame, a.lost)).collect();
    assert_eq!(lost, [(0, None), (1, Some(LossCause::BitErrors))]);
}

#[test]
fn its_rate_cannot_be_changed_by_hand() {
    let mut channel = channel(Blocks::default(), Damaged::Drop);
    let error = channel.control(ms(0), &Control::Rate { bps: Some(1000) }, |_| ()).unwrap_err();
    assert_eq!(error, ControlError::RateOfRadio);
    assert!(error.to_string().contains("`waveform`"), "{error}");
}
