//! A link in one process: delays to the sample, bursts, frequencies, and what is lost.

use std::sync::Arc;

use farlink_emulated_link::{
    DelayAndNoise, End, Half, Link, LinkConfig, LinkError, Losses, Medium, MediumError, Pace, Received, TransmitEvent,
};
use num_complex::Complex32;

/// A link without noise; 100 samples from a to b, 250 back.
fn config(pace: Pace) -> LinkConfig {
    let delay = |from| if from == End::A { 100 } else { 250 };
    let medium = Arc::new(move |from, _| Ok(Box::new(DelayAndNoise::new(delay(from), 0.0, 0)?) as _));
    LinkConfig { pace, ..LinkConfig::new(medium) }
}

/// With both ends open and all four streams running.
fn running(config: LinkConfig) -> Link {
    let mut link = Link::new(config).unwrap();
    for end in End::BOTH {
        link.open(end).unwrap();
        link.start_transmitter(end).unwrap();
        link.start_receiver(end, None, None).unwrap();
    }
    link
}

fn ramp(count: usize) -> Vec<Complex32> {
    (1..=count).map(|n| Complex32::new(n as f32, 0.5 - n as f32)).collect()
}

/// Everything that an end reads up to so many samples, with the number of the first.
fn read(link: &mut Link, end: End, count: usize) -> (u64, Vec<Complex32>) {
    let (mut got, mut first) = (Vec::new(), None);
    let mut buffer = [Complex32::ZERO; 777];
    while got.len() < count {
        let wanted = buffer.len().min(count - got.len());
        match link.receive(end, &mut buffer[..wanted]).unwrap() {
            Received::Samples { at, count, .. } => {
                assert_eq!(at, first.unwrap_or(at) + got.len() as u64, "without a gap");
                first.get_or_insert(at);
                got.extend_from_slice(&buffer[..count]);
            }
            other => panic!("{other:?} after {} samples", got.len()),
        }
    }
    (first.unwrap_or_default(), got)
}

fn ns(samples: i64) -> i64 {
    samples * 1000
}

#[test]
fn a_timed_burst_arrives_a_delay_later_sample_for_sample_both_ways() {
    let mut link = running(config(Pace::Samples));
    let burst = ramp(5000);
    assert_eq!(link.transmit(End::A, &burst, Some(ns(300)), true).unwrap(), 5000);
    assert_eq!(link.transmit(End::B, &burst[..7], Some(ns(0)), true).unwrap(), 7);
    let (first, got) = read(&mut link, End::B, 6000);
    assert_eq!(first, 0);
    assert!(got[..400].iter().all(|sample| *sample == Complex32::ZERO));
    assert_eq!(got[400..5400], burst);
    assert!(got[5400..].iter().all(|sample| *sample == Complex32::ZERO));
    let (_, got) = read(&mut link, End::A, 6000);
    assert_eq!(got[250..257], burst[..7]);
    assert_eq!(link.losses(End::A), Losses::default());
}

#[test]
fn runs_at_the_pace_of_samples_repeat_bit_for_bit() {
    let run = || {
        let medium = Arc::new(|from, _| Ok(Box::new(DelayAndNoise::new(31, 0.01, from as u64)?) as _));
        let mut link = running(LinkConfig { pace: Pace::Samples, ..LinkConfig::new(medium) });
        let mut got = Vec::new();
        for _ in 0..20 {
            link.transmit(End::A, &ramp(1000), None, false).unwrap();
            got.extend(read(&mut link, End::B, 900).1);
        }
        got
    };
    assert_eq!(run(), run());
}

#[test]
fn lockstep_waits_for_an_open_burst_and_for_readers() {
    let mut link = running(LinkConfig { buffer_samples: 1000, ..config(Pace::Samples) });
    assert_eq!(link.transmit(End::A, &ramp(3000), None, false).unwrap(), 1000, "no more than there is room for");
    assert_eq!(link.now(), 0, "nobody has asked for samples");
    let mut buffer = [Complex32::ZERO; 4000];
    assert_eq!(link.receive(End::B, &mut buffer).unwrap(), Received::Samples { at: 0, count: 1000, last: false });
    assert_eq!(link.receive(End::B, &mut buffer).unwrap(), Received::Nothing, "the burst is not over");
    link.transmit(End::A, &[], None, true).unwrap();
    // The reader of end a has not taken its 1000 samples, so time stands.
    assert_eq!(link.receive(End::B, &mut buffer).unwrap(), Received::Nothing);
    read(&mut link, End::A, 1000);
    assert_eq!(read(&mut link, End::B, 500).0, 1000);
    assert_eq!(link.losses(End::A), Losses::default());
    assert_eq!(link.losses(End::B), Losses::default());
}

#[test]
fn late_bursts_are_dropped_to_their_end_and_counted() {
    let mut link = running(config(Pace::Samples));
    read(&mut link, End::B, 2000);
    assert_eq!(link.transmit(End::A, &ramp(10), Some(ns(1999)), false).unwrap(), 10);
    assert_eq!(link.transmit(End::A, &ramp(10), None, true).unwrap(), 10, "it belongs to the same burst");
    assert_eq!(link.transmit(End::A, &ramp(10), Some(-5), true).unwrap(), 10);
    assert_eq!(link.transmit(End::A, &ramp(3), Some(ns(2000)), true).unwrap(), 3, "just in time");
    assert_eq!(link.transmit(End::A, &ramp(3), Some(ns(2002)), true).unwrap(), 3, "before the end of the one before");
    assert_eq!(link.losses(End::A), Losses { late: 3, ..Losses::default() });
    let events: Vec<_> = std::iter::from_fn(|| link.poll_event(End::A)).collect();
    assert_eq!(events, [1999, 0, 2002].map(|at| TransmitEvent::Late { at }));
    let (first, got) = read(&mut link, End::B, 200);
    assert_eq!(first, 2000);
    assert_eq!(got[100..103], ramp(3));
    assert_eq!(got[103..].iter().filter(|sample| **sample != Complex32::ZERO).count(), 0);
}

#[test]
fn a_burst_that_runs_dry_is_filled_with_zeros_and_counted_once() {
    let mut link = running(LinkConfig { lead_s: 0.0, ..config(Pace::Wall) });
    link.transmit(End::A, &ramp(50), Some(ns(10)), false).unwrap();
    assert!(!link.advance(ns(60)));
    assert_eq!(link.losses(End::A).underflows, 0, "it has just been enough");
    assert!(!link.advance(ns(500)));
    assert_eq!(link.losses(End::A), Losses { underflows: 1, ..Losses::default() });
    assert_eq!(link.poll_event(End::A), Some(TransmitEvent::Underflow { at: 60 }));
    link.transmit(End::A, &ramp(20), None, true).unwrap();
    assert!(!link.advance(ns(1000)));
    assert_eq!(link.losses(End::A).underflows, 1, "the burst has ended");
    let (_, got) = read(&mut link, End::B, 1000);
    assert_eq!(got[110..160], ramp(50));
    assert!(got[160..600].iter().all(|sample| *sample == Complex32::ZERO));
    assert_eq!(got[600..620], ramp(20));
    // The next program that opens the end has lost nothing yet; the link has.
    link.close(End::A);
    link.open(End::A).unwrap();
    assert_eq!(link.losses(End::A), Losses::default());
    assert_eq!(link.lost_in_all(End::A), Losses { underflows: 1, ..Losses::default() });
}

#[test]
fn a_slow_reader_finds_a_gap_where_samples_are_missing() {
    let mut link = running(LinkConfig { buffer_samples: 1000, ..config(Pace::Wall) });
    assert!(!link.advance(ns(5000)));
    assert_eq!(link.losses(End::B).overflows, 1);
    assert_eq!(read(&mut link, End::B, 1000).0, 0);
    let mut buffer = [Complex32::ZERO; 10];
    assert_eq!(link.receive(End::B, &mut buffer).unwrap(), Received::Overflow);
    assert_eq!(link.receive(End::B, &mut buffer).unwrap(), Received::Nothing);
    assert!(!link.advance(ns(5100)));
    assert_eq!(read(&mut link, End::B, 100).0, 5000, "time goes on in the gap");
    assert_eq!(link.losses(End::B).overflows, 1);
}

#[test]
fn a_receiver_starts_at_a_time_for_so_many_samples() {
    let mut link = running(config(Pace::Samples));
    link.transmit(End::A, &ramp(1000), Some(0), true).unwrap();
    link.start_receiver(End::B, Some(ns(150)), Some(20)).unwrap();
    let mut buffer = [Complex32::ZERO; 1000];
    assert_eq!(link.receive(End::B, &mut buffer).unwrap(), Received::Samples { at: 150, count: 20, last: true });
    assert_eq!(buffer[..20], ramp(70)[50..]);
    let over = link.receive(End::B, &mut buffer).unwrap_err();
    assert!(matches!(over, LinkError::NotRunning { end: End::B, half: Half::Receiver }), "{over}");
    link.start_receiver(End::B, Some(ns(10)), None).unwrap();
    assert_eq!(link.receive(End::B, &mut buffer).unwrap(), Received::Late);
}

#[test]
fn a_far_time_is_approached_in_bounded_steps() {
    let mut link = running(config(Pace::Samples));
    link.stop_receiver(End::A);
    link.start_receiver(End::B, Some(i64::MAX), None).unwrap();
    let mut buffer = [Complex32::ZERO; 10];
    assert_eq!(link.receive(End::B, &mut buffer).unwrap(), Received::Nothing);
    assert!(link.move_on(), "there is further to go");
    assert!(link.now() < 10_000_000);
    let mut link = running(config(Pace::Wall));
    assert!(link.advance(i64::MAX));
    link.transmit(End::A, &ramp(10), Some(i64::MAX), true).unwrap();
    link.transmit(End::A, &ramp(10), Some(i64::MIN), true).unwrap();
    assert_eq!(link.losses(End::A).late, 1);
}

#[test]
fn the_difference_of_the_frequencies_shifts_the_signal() {
    let mut link = running(config(Pace::Samples));
    link.set_frequency(End::A, Half::Transmitter, 2.2e9 + 50e3).unwrap();
    link.transmit(End::A, &vec![Complex32::ONE; 20_000], Some(0), true).unwrap();
    let (_, got) = read(&mut link, End::B, 15_000);
    // A carrier at 50 kHz turns by 2π/20 a sample.
    for pair in got[5000..].windows(2) {
        let turn = (pair[1] / pair[0]).arg();
        assert!((turn - std::f32::consts::TAU / 20.0).abs() < 1e-3, "{turn}");
        assert!((pair[0].norm() - 1.0).abs() < 1e-2, "{}", pair[0].norm());
    }
    // Exactly a rate away nothing is heard; and the receiver's retuning acts at once, though 100 samples are under way.
    link.set_frequency(End::B, Half::Receiver, 2.2e9 + 50e3 - 1e6).unwrap();
    let (_, got) = read(&mut link, End::B, 1000);
    assert!(got.iter().all(|sample| *sample == Complex32::ZERO));
}

#[test]
fn a_retuned_transmitter_leaves_alone_what_is_under_way() {
    let mut link = running(config(Pace::Samples));
    link.transmit(End::A, &vec![Complex32::ONE; 2000], Some(0), true).unwrap();
    read(&mut link, End::B, 1000);
    link.set_frequency(End::A, Half::Transmitter, 2.3e9).unwrap();
    let (_, got) = read(&mut link, End::B, 200);
    assert!(got[..100].iter().all(|sample| *sample == Complex32::ONE), "sent before");
    assert!(got[100..].iter().all(|sample| *sample == Complex32::ZERO), "sent after");
}

#[test]
fn gains_are_in_decibels_and_act_at_their_end() {
    let mut link = running(config(Pace::Samples));
    link.set_gain(End::A, Half::Transmitter, -20.0).unwrap();
    link.set_gain(End::B, Half::Receiver, 40.0).unwrap();
    link.transmit(End::A, &[Complex32::ONE; 50], Some(0), true).unwrap();
    let (_, got) = read(&mut link, End::B, 150);
    assert!(got[100..].iter().all(|sample| (sample.re - 10.0).abs() < 1e-4), "{:?}", got[100]);
}

#[test]
fn both_ends_have_one_rate_and_time_goes_on_when_it_changes() {
    let mut link = Link::new(config(Pace::Samples)).unwrap();
    link.open(End::A).unwrap();
    link.open(End::B).unwrap();
    link.start_receiver(End::B, None, None).unwrap();
    read(&mut link, End::B, 1000);
    link.set_rate(End::A, 2e6).unwrap();
    let error = link.start_transmitter(End::A).unwrap_err().to_string();
    assert!(
        error.contains("2000000") && error.contains("1000000") && error.contains("set the same at both"),
        "{error}"
    );
    let error = link.set_rate(End::B, 2e6).unwrap_err().to_string();
    assert!(error.contains("stop its streams"), "{error}");
    link.stop_receiver(End::B);
    link.set_rate(End::B, 2e6).unwrap();
    link.start_transmitter(End::A).unwrap();
    assert_eq!(link.now_ns(), ns(1000));
    link.start_receiver(End::B, None, None).unwrap();
    link.transmit(End::A, &ramp(4), Some(ns(1000) + 500), true).unwrap();
    link.transmit(End::A, &ramp(4), Some(ns(999)), true).unwrap();
    let (_, got) = read(&mut link, End::B, 200);
    assert_eq!(got[101..105], ramp(4), "a sample is half a microsecond now");
    assert_eq!(link.now_ns(), ns(1100));
    assert_eq!(link.losses(End::A).late, 1, "before the change");
}

#[test]
fn an_end_is_open_once_and_starts_afresh() {
    let mut link = running(config(Pace::Samples));
    link.set_gain(End::A, Half::Receiver, 3.0).unwrap();
    let error = link.open(End::A).unwrap_err();
    assert!(
        matches!(error, LinkError::InUse { end: End::A }) && error.to_string().contains("close it there"),
        "{error}"
    );
    link.transmit(End::A, &ramp(100), Some(ns(500)), true).unwrap();
    link.close(End::A);
    let error = link.transmit(End::A, &ramp(1), None, true).unwrap_err();
    assert!(error.to_string().contains("start its stream first"), "{error}");
    link.open(End::A).unwrap();
    assert_eq!(link.settings(End::A).receive_gain_db, 0.0);
    assert!(read(&mut link, End::B, 1000).1.iter().all(|s| *s == Complex32::ZERO), "what had not left never does");
}

#[test]
fn a_stopped_transmitter_sends_nothing_more() {
    let mut link = running(LinkConfig { lead_s: 0.0, ..config(Pace::Wall) });
    link.transmit(End::A, &ramp(1000), None, true).unwrap();
    assert!(!link.advance(ns(300)));
    link.stop_transmitter(End::A);
    assert!(!link.advance(ns(1500)));
    let (_, got) = read(&mut link, End::B, 1500);
    assert_eq!(got[100..400], ramp(300));
    assert!(got[400..].iter().all(|sample| *sample == Complex32::ZERO));
    assert_eq!(link.losses(End::A), Losses::default(), "that is no underflow");
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    let mut link = running(config(Pace::Samples));
    for (error, words) in [
        (link.set_rate(End::A, 1.0), "from 1000 to 64000000"),
        (link.set_rate(End::A, f64::NAN), "the sample rate is NaN"),
        (link.set_frequency(End::A, Half::Receiver, -1.0), "from 0 to"),
        (link.set_gain(End::A, Half::Receiver, 500.0), "from -120 to 120"),
        (Link::new(LinkConfig { rate_hz: 1.0, ..config(Pace::Wall) }).map(drop), "the sample rate is 1:"),
        (
            Link::new(LinkConfig { rate_range_hz: [2.0, 1.0], ..config(Pace::Wall) }).map(drop),
            "the highest sample rate",
        ),
        (Link::new(LinkConfig { buffer_samples: 0, ..config(Pace::Wall) }).map(drop), "an end keeps"),
        (Link::new(LinkConfig { lead_s: -1.0, ..config(Pace::Wall) }).map(drop), "a burst waits"),
    ] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// Carries so many samples, then fails.
struct Fails(usize);

impl Medium for Fails {
    fn carry(&mut self, samples: &mut [Complex32]) -> Result<(), MediumError> {
        self.0 = self.0.checked_sub(samples.len()).ok_or_else(|| MediumError("the disk is full".into()))?;
        Ok(())
    }

    fn delay_samples(&self) -> u64 {
        0
    }
}

#[test]
fn a_medium_that_fails_ends_the_link_with_its_reason() {
    let medium = Arc::new(|_, _| Ok(Box::new(Fails(1000)) as _));
    let mut link = running(LinkConfig { pace: Pace::Samples, ..LinkConfig::new(medium) });
    read(&mut link, End::B, 900);
    let mut buffer = [Complex32::ZERO; 500];
    let error = link.receive(End::B, &mut buffer).unwrap_err().to_string();
    assert!(error.contains("the disk is full"), "{error}");
    let error = link.transmit(End::A, &ramp(1), None, true).unwrap_err().to_string();
    assert!(error.contains("the disk is full"), "{error}");
}
