//! The channel of `sdr/channel` between the ends of a served link: what arrives is what its formula says, at both paces.

use std::f64::consts::TAU;
use std::time::Duration;

use farlink_emulated_link::{ChannelMedium, End, LinkConfig, OpenEnd, Pace, Reading, Server};
use farlink_iq_channel::channel::ChannelConfig;
use farlink_iq_channel::delay::DelayConfig;
use farlink_iq_channel::law::DelayLaw;
use num_complex::{Complex32, Complex64};

const PATIENCE: Duration = Duration::from_secs(60);
const RATE_HZ: f64 = 200e3;
const CARRIER_HZ: f64 = 2.2e9;
/// From a to b: 20 ms away, and approaching at 3 km/s; back: 30 ms, and receding at half of that.
const THERE: [f64; 2] = [0.02, -1e-5];
const BACK: [f64; 2] = [0.03, 0.5e-5];
const TONE_HZ: f64 = 7e3;
const TONE_SAMPLES: usize = 20_000;

fn config(pace: Pace) -> LinkConfig {
    let medium = ChannelMedium::maker(|from, rate_hz| {
        let coefficients = if from == End::A { THERE } else { BACK }.to_vec();
        let law = DelayLaw::Polynomial { coefficients, duration_s: 100.0 };
        let delay = DelayConfig { law, carrier_hz: CARRIER_HZ, clock_ppm: 0.0, ring: Default::default() };
        Ok(ChannelConfig { delay: Some(delay), ..ChannelConfig::new(rate_hz, 1) })
    });
    LinkConfig { pace, rate_hz: RATE_HZ, ..LinkConfig::new(medium) }
}

fn tone(time_s: f64) -> Complex64 {
    Complex64::cis(TAU * TONE_HZ * time_s)
}

/// Sends a tone at a time of the link, and compares all that arrives with output(t) = input(t − d(t)) · e^(−j 2π f d(t)).
fn arrives_as_the_formula_says(server: &Server, from: End, [delay_s, rate]: [f64; 2]) {
    let sender = OpenEnd::open(server.path(), from).unwrap();
    let receiver = OpenEnd::open(server.path(), from.other()).unwrap();
    sender.start_transmitter().unwrap();
    receiver.start_receiver(None, None).unwrap();
    // Far enough ahead for a slow machine; a whole number of samples.
    let at_ns = ((sender.now_ns().unwrap() + 500_000_000) / 1_000_000_000 + 1) * 1_000_000_000;
    let sent_s = at_ns as f64 / 1e9;
    let samples: Vec<Complex32> = (0..TONE_SAMPLES)
        .map(|number| {
            let sample = tone(number as f64 / RATE_HZ);
            Complex32::new(sample.re as f32, sample.im as f32)
        })
        .collect();
    assert_eq!(sender.transmit(&samples, Some(at_ns), true, PATIENCE).unwrap(), TONE_SAMPLES);
    let end_s = sent_s + TONE_SAMPLES as f64 / RATE_HZ;
    let (mut within, mut error, mut before, mut after) = (0u32, 0.0, 0u32, 0u32);
    let mut buffer = vec![Complex32::ZERO; 8192];
    let mut next_s = 0.0;
    while next_s < end_s + 0.1 {
        let (at_ns, count) = match receiver.receive(&mut buffer, PATIENCE).unwrap() {
            Reading::Samples { at_ns, count, .. } => (at_ns, count),
            other => panic!("{other:?}"),
        };
        for (number, got) in buffer[..count].iter().enumerate() {
            let time_s = at_ns as f64 / 1e9 + number as f64 / RATE_HZ;
            next_s = time_s;
            let delay_s = delay_s + rate * time_s;
            let left_s = time_s - delay_s;
            let got = Complex64::new(got.re.into(), got.im.into());
            // The interpolator rings at the edges of the burst.
            if (sent_s + 1e-3..end_s - 1e-3).contains(&left_s) {
                let expected = tone(left_s - sent_s) * Complex64::cis(-TAU * CARRIER_HZ * delay_s);
                error += (got - expected).norm_sqr();
                within += 1;
            } else if left_s < sent_s - 1e-3 {
                assert_eq!(got, Complex64::ZERO, "{left_s}");
                before += 1;
            } else if left_s > end_s + 1e-3 {
                assert_eq!(got, Complex64::ZERO, "{left_s}");
                after += 1;
            }
        }
    }
    assert!(before > 0 && after > 0);
    assert!((19_590..=19_610).contains(&within), "{within}");
    // A Hz off would be a turn within the second, and a sample off an eighth of a turn of the tone.
    let error_db = 10.0 * (error / f64::from(within)).log10();
    assert!(error_db < -55.0, "{error_db} dB");
}

#[test]
fn a_tone_arrives_with_its_delay_and_doppler_at_the_pace_of_samples() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("links"), "moon", config(Pace::Samples)).unwrap();
    arrives_as_the_formula_says(&server, End::A, THERE);
    arrives_as_the_formula_says(&server, End::B, BACK);
    assert!(server.status().ends.iter().all(|end| end.lost_in_all == Default::default()));
}

#[test]
fn a_tone_arrives_with_its_delay_and_doppler_at_the_pace_of_the_wall() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("links"), "moon", config(Pace::Wall)).unwrap();
    arrives_as_the_formula_says(&server, End::A, THERE);
}
