//! Frames through transmitter, channel and receiver.
mod common;

use common::{all_codings, all_modulations, frame};
use farlink_iq_channel::oscillator::OscillatorConfig;
use farlink_modem::Modulation;
use farlink_radio::chain::{Chain, ChainConfig};
use farlink_radio::waveform::Waveform;

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
