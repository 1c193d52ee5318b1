//! Frames through transmitter, channel and receiver.
mod common;

use common::{all_codings, all_modulations, frame};
use farlink_coding::convolutional::Rate;
use farlink_coding::ldpc;
use farlink_coding::marker::Lock;
use farlink_iq_channel::delay::DelayConfig;
use farlink_iq_channel::law::DelayLaw;
use farlink_iq_channel::noise::Noise;
use farlink_iq_channel::oscillator::OscillatorConfig;
use farlink_modem::Modulation;
use farlink_radio::chain::{Chain, ChainConfig, ChainError, Outcome};
use farlink_radio::codec::Received;
use farlink_radio::receiver::{Receiver, ReceiverSettings};
use farlink_radio::transmitter::Transmitter;
use farlink_radio::waveform::{Coding, Waveform};

/// At an Eb/N0 where nothing should be lost, with an offset of the carrier, frames come out as they went in.
#[test]
fn every_modulation_carries_every_kind_of_code() {
    let mut lost = Vec::new();
    for modulation in all_modulations() {
        for coding in all_codings() {
            let mut waveform = Waveform::new(coding, 100e3);
            waveform.modulation = modulation;
            if matches!(modulation, Modulation::ResidualCarrier { .. }) {
                waveform.samples_per_symbol = 16.0;
            }
            let mut config = ChainConfig::new(waveform, 14.0, 3);
            let offset_hz = 1234.0;
            config.channel.oscillator = Some(OscillatorConfig { offset_hz, ..OscillatorConfig::default() });
            let mut chain = Chain::new(&config).unwrap();
            for number in 0..12 {
                chain.push(&frame(&waveform, number)).unwrap();
            }
            chain.flush().unwrap();
            let counts = chain.counts();
            if counts.delivered != 12 {
                lost.push(format!("{modulation:?} {coding:?}: {counts:?} {:?}", chain.status()));
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

fn concatenated() -> Waveform {
    Waveform::new(Coding::Concatenated { corrects: 16, depth: 1, rate: Rate::Half }, 1e6)
}

#[test]
fn each_frame_has_the_eb_n0_it_was_sent_with() {
    let waveform = Waveform::new(Coding::Ldpc { rate: ldpc::Rate::Half, length: ldpc::Length::K1024 }, 1e6);
    let mut chain = Chain::new(&ChainConfig::new(waveform, 3.0, 6)).unwrap();
    let is_weak = |index: u64| index / 10 % 2 == 1;
    for index in 0..100 {
        chain.set_eb_n0_db(if is_weak(index) { -1.0 } else { 6.0 }).unwrap();
        assert_eq!(chain.push(&frame(&waveform, index as u32)).unwrap(), index);
    }
    chain.set_eb_n0_db(6.0).unwrap();
    chain.flush().unwrap();
    let delivered = |weak: bool| {
        let of = (0..100).filter(|index| is_weak(*index) == weak);
        of.filter(|index| chain.outcome(*index) == Some(Outcome::Delivered)).count()
    };
    assert_eq!(delivered(true), 0, "far below what the code can do");
    assert!(delivered(false) >= 45, "{} of 50", delivered(false));
}

/// Where a signal is strong, nothing is lost from cold, not the first frame and not the last.
#[test]
fn a_burst_is_received_from_its_first_frame_to_its_last() {
    for modulation in [Modulation::Bpsk, Modulation::Qpsk] {
        for coding in [concatenated().coding, Coding::Uncoded { frame_octets: 223 }] {
            let waveform = Waveform { modulation, ..Waveform::new(coding, 1e6) };
            let config = ChainConfig { lead_in_frames: Some(0), ..ChainConfig::new(waveform, 12.0, 11) };
            let mut chain = Chain::new(&config).unwrap();
            for burst in 0..2 {
                (0..20).for_each(|number| assert!(chain.push(&frame(&waveform, number)).is_ok()));
                chain.gap(0.01).unwrap();
                assert_eq!(
                    chain.counts().delivered,
                    20 * (burst + 1),
                    "{modulation:?} {coding:?}: {:?}",
                    chain.counts()
                );
            }
        }
    }
}

/// Every frame is decided when as many more were sent as is stated, also where nothing arrives.
#[test]
fn frames_are_decided_in_the_time_that_is_stated() {
    for eb_n0_db in [-20.0, 2.0, 8.0] {
        let waveform = concatenated();
        let mut config = ChainConfig::new(waveform, eb_n0_db, 7);
        config.lead_in_frames = Some(0);
        let mut chain = Chain::new(&config).unwrap();
        let latency = chain.latency_frames();
        for index in 0..40 + latency {
            chain.push(&frame(&waveform, index as u32)).unwrap();
            if let Some(due) = index.checked_sub(latency) {
                assert!(chain.outcome(due).is_some(), "frame {due} is not decided after {latency} more");
            }
        }
        let counts = chain.counts();
        assert_eq!((counts.delivered == 0, counts.strange), (eb_n0_db < 0.0, 0), "{eb_n0_db} dB: {counts:?}");
        // Polled, they come in order.
        let polled: Vec<u64> = std::iter::from_fn(|| chain.poll()).map(|decided| decided.index).collect();
        assert_eq!(polled[..40], (0..40).collect::<Vec<u64>>());
    }
}

/// A low orbiter that passes at 7 km/s: the carrier of S band is off by 51 kHz, the symbols by 23 in a million, and both change.
#[test]
fn frames_come_through_doppler_and_delay() {
    let waveform = Waveform { symbol_rate_hz: 500e3, ..concatenated() };
    let mut config = ChainConfig::new(waveform, 6.0, 8);
    let law = DelayLaw::Polynomial { coefficients: vec![0.01, -2.3e-5, 5e-7], duration_s: 100.0 };
    config.channel.delay = Some(DelayConfig { law, carrier_hz: 2.2e9, clock_ppm: 10.0, ring: Default::default() });
    config.receiver.max_offset_hz = Some(80e3);
    let mut chain = Chain::new(&config).unwrap();
    for number in 0..60 {
        chain.push(&frame(&waveform, number)).unwrap();
    }
    chain.gap(0.0).unwrap();
    assert_eq!(chain.counts().delivered, 60, "{:?}", chain.counts());
    // The receiver's clock is fast, so it has more samples than were sent.
    let counts = chain.channel_counts();
    assert!(counts.received > counts.sent, "{counts:?}");
}

#[test]
fn what_is_lost_is_found_again() {
    let mut poor = Vec::new();
    for modulation in [Modulation::Bpsk, Modulation::Qpsk, Modulation::Oqpsk] {
        for coding in [concatenated().coding, Coding::ReedSolomon { corrects: 16, depth: 1 }] {
            let waveform = Waveform { modulation, ..Waveform::new(coding, 1e6) };
            let mut config = ChainConfig::new(waveform, 9.0, 9);
            config.channel.oscillator = Some(OscillatorConfig { offset_hz: 3210.0, ..OscillatorConfig::default() });
            let mut chain = Chain::new(&config).unwrap();
            for index in 0..90 {
                // A third of the time there is nothing to hear.
                chain.set_eb_n0_db(if index / 30 == 1 { -40.0 } else { 9.0 }).unwrap();
                chain.push(&frame(&waveform, index)).unwrap();
            }
            chain.flush().unwrap();
            let delivered =
                |from: u64| (from..from + 30).filter(|index| chain.outcome(*index) == Some(Outcome::Delivered)).count();
            let came = [delivered(0), delivered(30), delivered(60)];
            let status = chain.status().unwrap();
            if came[0] < 29 || came[1] > 0 || came[2] < 14 || status.frames != Lock::Locked {
                poor.push(format!("{modulation:?} {coding:?}: {came:?} of 30 each, {status:?}"));
            }
        }
    }
    assert!(poor.is_empty(), "{}", poor.join("\n"));
}

/// What comes out does not depend on how the samples come in.
#[test]
fn samples_may_be_cut_anywhere() {
    for (modulation, coding, frames) in [
        (Modulation::Bpsk, concatenated().coding, 30),
        (Modulation::Oqpsk, Coding::ReedSolomon { corrects: 16, depth: 1 }, 40),
        (Modulation::Psk8, Coding::Convolutional { rate: Rate::ThreeQuarters, frame_octets: 101 }, 120),
    ] {
        let waveform = Waveform { modulation, ..Waveform::new(coding, 1e6) };
        let (mut samples, mut transmitter) = (Vec::new(), Transmitter::new(&waveform).unwrap());
        (0..frames).for_each(|number| transmitter.send(&frame(&waveform, number), &mut samples).unwrap());
        transmitter.finish(&mut samples);
        Noise::new(waveform.n0(9.0), 3).unwrap().add(&mut samples);
        let received = |cut: usize| -> Vec<Received> {
            let mut receiver = Receiver::new(&waveform, &ReceiverSettings::default()).unwrap();
            samples.chunks(cut).for_each(|piece| receiver.process(piece));
            receiver.finish();
            std::iter::from_fn(|| receiver.poll()).collect()
        };
        let whole = received(samples.len());
        assert!(whole.len() > 15, "{modulation:?}: {}", whole.len());
        for cut in [997, 4096, 65_536] {
            assert_eq!(received(cut), whole, "{modulation:?} in pieces of {cut}");
        }
    }
}

/// Without a code or frame error control nothing can tell that bits are wrong, but the chain knows.
#[test]
fn errors_that_nothing_can_tell_are_counted_as_such() {
    let mut waveform = Waveform::new(Coding::Uncoded { frame_octets: 250 }, 1e6);
    waveform.frame_error_control = false;
    let mut chain = Chain::new(&ChainConfig::new(waveform, 5.0, 10)).unwrap();
    for number in 0..100 {
        chain.push(&frame(&waveform, number)).unwrap();
    }
    chain.flush().unwrap();
    let wrong: u32 = std::iter::from_fn(|| chain.poll())
        .map(|decided| if let Outcome::Undetected { bit_errors } = decided.outcome { bit_errors } else { 0 })
        .sum();
    // 200,000 bits at 0.00595.
    assert!((1000..1400).contains(&wrong), "{wrong} wrong bits, {:?}", chain.counts());
    assert_eq!(chain.counts().refused, 0);
    waveform.frame_error_control = true;
    let mut chain = Chain::new(&ChainConfig::new(waveform, 5.0, 10)).unwrap();
    for number in 0..100 {
        chain.push(&frame(&waveform, number)).unwrap();
    }
    chain.flush().unwrap();
    let counts = chain.counts();
    assert!(counts.refused > 95 && counts.undetected == 0, "{counts:?}");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let good = ChainConfig::new(concatenated(), 5.0, 1);
    let refused = |config: ChainConfig| Chain::new(&config).unwrap_err().to_string();
    let mut config = good.clone();
    config.channel.rate_hz = 1e6;
    assert!(refused(config).contains("`channel.rate_hz` is 1000000, but the waveform has 2000000"));
    assert!(refused(ChainConfig { eb_n0_db: Some(f64::NAN), ..good.clone() }).contains("Eb/N0 of NaN dB"));
    let mut config = good.clone();
    config.waveform.roll_off = 0.0;
    assert!(refused(config).contains("`roll_off` is 0"));
    let mut config = good.clone();
    config.receiver.max_offset_hz = Some(1e9);
    assert!(refused(config).contains("`max_offset_hz`"));
    let mut chain = Chain::new(&good).unwrap();
    assert!(chain.push(&[0; 7]).unwrap_err().to_string().contains("7 octets, where this waveform has 223"));
    assert!(chain.set_eb_n0_db(1e3).unwrap_err().to_string().contains("1000 dB"));
    let mut silent = Chain::new(&ChainConfig { eb_n0_db: None, ..good }).unwrap();
    assert!(matches!(silent.set_eb_n0_db(1.0), Err(ChainError::EbN0(_))));
    // Without noise everything arrives.
    silent.push(&frame(silent.waveform(), 1).clone()).unwrap();
    silent.flush().unwrap();
    assert_eq!(silent.outcome(0), Some(Outcome::Delivered));
    assert_eq!(silent.outcome(1), None);
}
