//! Against GNU Radio and gr-satellites: what one end sends, the other receives.
//!
//! Which of their settings is CCSDS' is in [`settings`]; the others are tried in `their_other_settings_are_not_ccsds`.
mod common;
mod peer;

use common::frame;
use farlink_coding::convolutional::{self, End, Rate, Viterbi};
use farlink_iq_channel::channel::{Channel, ChannelConfig};
use farlink_iq_channel::noise::Noise;
use farlink_iq_channel::oscillator::OscillatorConfig;
use farlink_radio::codec;
use farlink_radio::receiver::{Receiver, ReceiverSettings};
use farlink_radio::transmitter::Transmitter;
use farlink_radio::waveform::{Coding, Waveform};
use farlink_wire::ccsds::{Agreed, AosFrame, FirstHeader, Grouping, SpacePacket, TmFrame};
use num_complex::Complex32;
use peer::{Job, octets_to_samples, run_all, samples_to_octets};

/// Symbols a second: all that counts is the ratio to the offsets.
const SYMBOL_RATE_HZ: f64 = 100e3;
/// gr-satellites' demodulator wants more than 4.
const SAMPLES_PER_SYMBOL: f64 = 5.0;
/// Loops of gr-satellites' demodulator, narrow enough for the noise here: bandwidths in Hz at one symbol a second, and our roll-off.
const DEMODULATOR: &str = "--rrc_alpha 0.5 --fll_bw 0.001 --costas_bw 0.005 --clk_bw 0.01";
/// Frames at the beginning that gr-satellites' demodulator may lose while its loops find the carrier and the symbol clock.
const LEAD_IN: usize = 4;

fn waveform(coding: Coding) -> Waveform {
    let mut waveform = Waveform::new(coding, SYMBOL_RATE_HZ);
    waveform.samples_per_symbol = SAMPLES_PER_SYMBOL;
    waveform
}

fn uncoded() -> Coding {
    Coding::Uncoded { frame_octets: 200 }
}

fn concatenated(depth: u8) -> Coding {
    Coding::Concatenated { corrects: 16, depth, rate: Rate::Half }
}

/// So many that some thousand octets are sent.
fn frames(waveform: &Waveform) -> Vec<Vec<u8>> {
    let count = if waveform.frame_octets() > 1000 { 8 } else { 15 };
    (0..count).map(|number| frame(waveform, number)).collect()
}

/// What makes gr-satellites do as the Blue Book says: the scrambler and the convolutional code are called `CCSDS` there, Reed–Solomon has the
/// dual basis. Its order of symbols and inversion are ours, the marker is fixed, and Reed–Solomon is E = 16.
fn settings(waveform: &Waveform) -> Vec<(&'static str, String)> {
    let depth = waveform.coding.reed_solomon().unwrap().map_or(0, |code| code.block_len() / 255);
    let convolutional = if waveform.coding.convolutional().is_some() { "CCSDS" } else { "none" };
    vec![
        ("frame-size", waveform.frame_octets().to_string()),
        ("depth", depth.to_string()),
        ("basis", "dual".into()),
        ("convolutional", convolutional.into()),
        ("scrambler", if waveform.randomiser.is_some() { "CCSDS" } else { "none" }.into()),
    ]
}

fn run(job: Job) -> Vec<u8> {
    run_all(&[job]).remove(0)
}

/// What makes gr-satellites give the frames of an input that holds ours.
fn deframing(waveform: &Waveform, sent: &[Vec<u8>], input: Vec<u8>) -> Job {
    // The last one is there to push the one before it out of their filters and decoders.
    let last: String = sent[sent.len() - 2][..6].iter().map(|octet| format!("{octet:02x}")).collect();
    let mut options = settings(waveform);
    options.push(("until", last));
    Job { work: "deframe", options, input }
}

fn deframed(waveform: &Waveform, octets: &[u8]) -> Vec<Vec<u8>> {
    let mut frames: Vec<_> = octets.chunks(waveform.frame_octets()).map(<[u8]>::to_vec).collect();
    if waveform.coding.reed_solomon().unwrap().is_none() {
        // It takes for a marker whatever has no more than four wrong bits, and without Reed–Solomon it knows no better.
        frames.retain(|frame| AosFrame::parse(frame, Agreed { error_control: true, ..Agreed::default() }).is_ok());
    }
    frames
}

/// That all came, in order and as they were, but perhaps for so many at the beginning and the one at the end.
fn assert_arrived(what: &str, sent: &[Vec<u8>], received: &[Vec<u8>], lead_in: usize) {
    let first = sent.iter().position(|frame| Some(frame) == received.first()).unwrap_or(sent.len());
    assert!(first <= lead_in, "{what}: {} frames, the first is number {first}", received.len());
    let came = received.len();
    assert!(came >= sent.len() - 1 - first, "{what}: {came} frames after the first {first} of {}", sent.len());
    assert!(received.iter().eq(sent[first..].iter().take(came)), "{what}: other frames than were sent");
}

/// Through our modulator and channel and their demodulator, with noise, an offset of the carrier and whatever phase it is at then.
fn ours_to_theirs(coding: Coding, eb_n0_db: f64) {
    let waveform = waveform(coding);
    let sent = frames(&waveform);
    let mut transmitter = Transmitter::new(&waveform).unwrap();
    let mut samples = Vec::new();
    sent.iter().for_each(|frame| transmitter.send(frame, &mut samples).unwrap());
    transmitter.finish(&mut samples);
    let mut config = ChannelConfig::new(waveform.sample_rate_hz(), 21);
    config.n0 = Some(waveform.n0(eb_n0_db));
    let offset_hz = 0.0005 * SYMBOL_RATE_HZ;
    config.oscillator = Some(OscillatorConfig { offset_hz, ..OscillatorConfig::default() });
    let mut received = Vec::new();
    Channel::new(&config).unwrap().process(&samples, &mut received).unwrap();
    let mut job = deframing(&waveform, &sent, samples_to_octets(&received));
    let samples_per_symbol = SAMPLES_PER_SYMBOL.to_string();
    job.options.extend([("samples-per-symbol", samples_per_symbol), ("demodulator", DEMODULATOR.into())]);
    let frames = deframed(&waveform, &run(job));
    assert_arrived(&format!("{coding:?} at {eb_n0_db} dB"), &sent, &frames, LEAD_IN);
}

#[test]
fn gr_satellites_receives_our_uncoded_frames() {
    ours_to_theirs(uncoded(), 12.0);
}

#[test]
fn gr_satellites_receives_our_reed_solomon_frames() {
    ours_to_theirs(Coding::ReedSolomon { corrects: 16, depth: 1 }, 8.0);
}

#[test]
fn gr_satellites_receives_our_interleaved_reed_solomon_frames() {
    ours_to_theirs(Coding::ReedSolomon { corrects: 16, depth: 5 }, 8.0);
}

#[test]
fn gr_satellites_receives_our_convolutional_frames() {
    ours_to_theirs(Coding::Convolutional { rate: Rate::Half, frame_octets: 200 }, 8.0);
}

#[test]
fn gr_satellites_receives_our_concatenated_frames() {
    ours_to_theirs(concatenated(1), 5.0);
}

#[test]
fn gr_satellites_receives_our_interleaved_concatenated_frames() {
    ours_to_theirs(concatenated(5), 5.0);
}

/// Without the modems: from the first symbol to the last, without the randomiser, too, and with noise that only decoders get over.
#[test]
fn gr_satellites_decodes_our_symbols() {
    let eight = Coding::ReedSolomon { corrects: 16, depth: 8 };
    let cases = [(uncoded(), false, 30.0), (eight, true, 7.0), (concatenated(5), false, 2.8)];
    let cases = cases.map(|(coding, randomised, eb_n0_db)| {
        let mut waveform = waveform(coding);
        waveform.randomiser = waveform.randomiser.filter(|_| randomised);
        let sent = frames(&waveform);
        let mut bits = channel_bits(&waveform, &sent);
        codec::Encoder::new(&waveform).unwrap().finish(&mut bits);
        let (soft, wrong) = noisy(&bits, waveform.es_n0_db(eb_n0_db), 22);
        assert!(wrong > 100 || eb_n0_db > 20.0, "{coding:?}: {wrong} wrong symbols are nothing to correct");
        (waveform, sent, soft, wrong)
    });
    let jobs = cases.each_ref().map(|(waveform, sent, soft, _)| deframing(waveform, sent, signed(soft)));
    for ((waveform, sent, soft, wrong), octets) in cases.into_iter().zip(run_all(&jobs)) {
        let received = deframed(&waveform, &octets);
        let what = format!("{:?} with {wrong} of {} symbols wrong", waveform.coding, soft.len());
        assert_arrived(&what, &sent, &received, 0);
    }
}

fn channel_bits(waveform: &Waveform, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut encoder = codec::Encoder::new(waveform).unwrap();
    let mut bits = Vec::new();
    frames.iter().for_each(|frame| encoder.encode(frame, &mut bits).unwrap());
    bits
}

/// Soft symbols, and how many of them have the wrong sign.
fn noisy(bits: &[u8], es_n0_db: f64, seed: u64) -> (Vec<i8>, usize) {
    let mut samples: Vec<Complex32> = bits.iter().map(|bit| Complex32::new(1.0 - 2.0 * f32::from(*bit), 0.0)).collect();
    Noise::new(10f64.powf(-es_n0_db / 10.0), seed).unwrap().add(&mut samples);
    let soft: Vec<i8> = samples.iter().map(|sample| (40.0 * sample.re).round() as i8).collect();
    let wrong = bits.iter().zip(&soft).filter(|(bit, soft)| (**bit == 1) != (**soft < 0)).count();
    (soft, wrong)
}

fn signed(soft: &[i8]) -> Vec<u8> {
    soft.iter().map(|soft| soft.cast_unsigned()).collect()
}

/// Frames of their coder and modulator, through their channel, to our receiver from cold: with noise, an offset of the carrier of 1.5 % of
/// the symbol rate, and a symbol clock that is off by 20 ppm.
fn theirs_to_ours(coding: Coding, eb_n0_db: f64) {
    let waveform = waveform(coding);
    let sent = frames(&waveform);
    let mut options = settings(&waveform);
    options.extend([
        ("samples-per-symbol", SAMPLES_PER_SYMBOL.to_string()),
        ("roll-off", waveform.roll_off.to_string()),
        ("es-n0-db", waveform.es_n0_db(eb_n0_db).to_string()),
        ("offset", (0.015 / SAMPLES_PER_SYMBOL).to_string()),
        ("phase", "2.5".into()),
        ("epsilon", "1.00002".into()),
    ]);
    let samples = octets_to_samples(&run(Job { work: "transmit", options, input: sent.concat() }));
    let mut receiver = Receiver::new(&waveform, &ReceiverSettings::default()).unwrap();
    receiver.process(&samples);
    receiver.finish();
    let frames: Vec<_> = std::iter::from_fn(|| receiver.poll()).collect();
    println!("{coding:?}: {:?}", receiver.status());
    let received: Vec<_> = frames.into_iter().filter(|frame| frame.accepted()).map(|frame| frame.octets).collect();
    assert_arrived(&format!("{coding:?} at {eb_n0_db} dB"), &sent, &received, 0);
}

#[test]
fn we_receive_uncoded_frames_of_gnu_radio() {
    theirs_to_ours(uncoded(), 12.0);
}

#[test]
fn we_receive_reed_solomon_frames_of_gr_satellites() {
    theirs_to_ours(Coding::ReedSolomon { corrects: 16, depth: 1 }, 8.0);
}

#[test]
fn we_receive_interleaved_reed_solomon_frames_of_gr_satellites() {
    theirs_to_ours(Coding::ReedSolomon { corrects: 16, depth: 5 }, 8.0);
}

#[test]
fn we_receive_convolutional_frames_of_gnu_radio() {
    theirs_to_ours(Coding::Convolutional { rate: Rate::Half, frame_octets: 200 }, 8.0);
}

#[test]
fn we_receive_concatenated_frames_of_gr_satellites() {
    theirs_to_ours(concatenated(5), 3.5);
}

/// Bit by bit what their coders make of frames is what ours make, and is not with any other of their settings.
#[test]
fn their_other_settings_are_not_ccsds() {
    let waveform = waveform(concatenated(5));
    let sent = frames(&waveform);
    let ours = channel_bits(&waveform, &sent);
    let others = [
        ("basis", "conventional"),
        ("scrambler", "none"),
        ("convolutional", "NASA-DSN"),
        ("convolutional", "CCSDS uninverted"),
        ("convolutional", "NASA-DSN uninverted"),
    ];
    let job = |other: Option<(&'static str, &str)>| {
        let mut options = settings(&waveform);
        options.extend(other.map(|(name, value)| (name, value.to_string())));
        Job { work: "transmit", options, input: sent.concat() }
    };
    let jobs: Vec<Job> = std::iter::once(None).chain(others.map(Some)).map(job).collect();
    let theirs = run_all(&jobs);
    let (ccsds, theirs) = theirs.split_first().unwrap();
    // Theirs fills up its last block.
    assert!(ccsds[..ours.len()] == ours, "their settings for CCSDS");
    for (other, theirs) in others.into_iter().zip(theirs) {
        assert!(theirs.len() >= ours.len() && theirs[..ours.len()] != ours, "{other:?}");
    }
}

/// Both codecs of the convolutional code, at all rates: the same symbols of the same bits, and the same bits of noisy symbols.
#[test]
fn convolutional_codes_are_those_of_gnu_radio() {
    let octets: Vec<u8> = (0..4200u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let bits: Vec<u8> = octets.iter().flat_map(|octet| (0..8).map(move |at| octet >> (7 - at) & 1)).collect();
    let job = |work, rate: Rate, input| {
        // Only the code of rate 1/2 inverts its second symbol.
        let name = if rate == Rate::Half { "CCSDS" } else { "CCSDS uninverted" };
        Job { work, options: vec![("rate", rate.to_string()), ("convolutional", name.to_string())], input }
    };
    let encoded = run_all(&Rate::ALL.map(|rate| job("encode", rate, bits.clone())));
    let mut jobs = Vec::new();
    for ((rate, theirs), es_n0_db) in Rate::ALL.into_iter().zip(encoded).zip([1.0, 2.5, 4.0, 5.0, 6.0]) {
        let mut ours = Vec::new();
        convolutional::Encoder::new(rate).encode(&octets, &mut ours);
        assert!(ours == theirs, "rate {rate}: {} symbols and {}", ours.len(), theirs.len());
        let (soft, wrong) = noisy(&theirs, es_n0_db, 23);
        assert!(wrong > 30, "rate {rate}: {wrong} wrong symbols are nothing to correct");
        let (decoded, _) = Viterbi::new(rate).decode_block(&soft, End::Unknown);
        // The last bits have little behind them to be decided by.
        assert!(decoded[..4190] == octets[..4190], "rate {rate}: ours, with {wrong} wrong symbols");
        // Theirs decodes in blocks, and decides near their ends by less.
        let (soft, wrong) = noisy(&ours, es_n0_db + 1.0, 23);
        assert!(wrong > 30, "rate {rate}: {wrong} wrong symbols are nothing to correct");
        jobs.push(job("decode", rate, signed(&soft)));
    }
    for (rate, theirs) in Rate::ALL.into_iter().zip(run_all(&jobs)) {
        // It keeps its last block of 840 bits.
        assert!(theirs.len() >= bits.len() - 840, "rate {rate}: {} bits", theirs.len());
        let errors: Vec<usize> = (0..theirs.len()).filter(|&at| theirs[at] != bits[at]).collect();
        assert!(errors.is_empty(), "rate {rate}: theirs is wrong at bits {errors:?}");
    }
}

/// Telemetry frames and space packets in their parsers and builders, the error control by GNU Radio's CRC.
#[test]
fn gr_satellites_reads_our_headers() {
    let mut octets = Vec::new();
    let mut expected = String::new();
    for number in 0..50u16 {
        let spread = number.wrapping_mul(40_503);
        let (pointer, length) = (number % 40, 1 + number % 30);
        let packet = SpacePacket {
            telecommand: number % 3 == 1,
            secondary_header: number % 5 == 2,
            application: spread & 0x7FF,
            grouping: [Grouping::Continuation, Grouping::First, Grouping::Last, Grouping::Unsegmented]
                [usize::from(number % 4)],
            count: spread >> 2,
            data: &[number as u8; 30][..length.into()],
        };
        let mut data = vec![0xE0; pointer.into()];
        packet.emit(&mut data).unwrap();
        data.resize(80, 0xE0);
        let frame = TmFrame {
            spacecraft: spread >> 6,
            virtual_channel: (number % 8) as u8,
            master_count: spread as u8,
            virtual_count: (spread >> 8) as u8,
            first_header: FirstHeader::At(pointer),
            segment_length: 3,
            data: &data,
            operational_control: (number % 2 == 1).then_some([1, 2, 3, 4]),
            ..TmFrame::default()
        };
        // All frames have one length.
        let frame = if number % 2 == 1 { TmFrame { data: &data[..76], ..frame } } else { frame };
        let before = octets.len();
        frame.emit(true, &mut octets);
        let made =
            [&octets[before..][..6], &octets[before + 6 + usize::from(pointer)..][..6], &octets[octets.len() - 2..]];
        let made: String = made.concat().iter().map(|octet| format!("{octet:02x}")).collect();
        let TmFrame { spacecraft, virtual_channel, master_count, virtual_count, .. } = frame;
        let operational_control = u8::from(frame.operational_control.is_some());
        let (telecommand, secondary) = (u8::from(packet.telecommand), u8::from(packet.secondary_header));
        expected += &format!(
            "0 {spacecraft} {virtual_channel} {operational_control} {master_count} {virtual_count} 0 0 0 3 {pointer} \
             0 {telecommand} {secondary} {} {} {} {} 1 {made}\n",
            packet.application,
            number % 4,
            packet.count,
            length - 1
        );
    }
    let job = Job { work: "headers", options: vec![("frame-size", "88".into())], input: octets };
    assert_eq!(String::from_utf8(run(job)).unwrap(), expected);
}
