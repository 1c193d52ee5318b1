//! Command link transmission units: golden ones, through noise and errors, and hostile streams.

mod support;

use farlink_coding::cltu::*;
use support::{Random, clean};

const SINGLE: Coding = Coding::Bch { mode: Mode::SingleErrorCorrection, randomised: false };
const TRIPLE: Coding = Coding::Bch { mode: Mode::TripleErrorDetection, randomised: false };

/// The named octets of `fixtures/golden/coding/cltu.hex`.
fn golden(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/golden/coding/cltu.hex");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().skip_while(|line| *line != name).skip(1).take_while(|line| line.starts_with(' '));
    let digits: Vec<u32> = lines.flat_map(str::chars).filter_map(|c| c.to_digit(16)).collect();
    assert!(!digits.is_empty(), "{path} has no {name}");
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn receive(coding: Coding, soft: &[i8], piece: usize) -> Vec<Received> {
    let mut receiver = Receiver::new(coding, 150);
    let mut units = Vec::new();
    for mut input in soft.chunks(piece) {
        while let Some(unit) = receiver.read(&mut input) {
            units.push(unit);
        }
        assert!(input.is_empty());
    }
    units
}

/// The alternating bits before and between units.
fn idle(octets: usize) -> Vec<u8> {
    vec![0x55; octets]
}

#[test]
fn units_are_those_of_another_encoder() {
    for number in ["1", "2"] {
        let (frame, cltu) = (golden(&format!("frame {number}")), golden(&format!("cltu {number}")));
        assert_eq!(encode(SINGLE, &frame), cltu, "{number}");
        let units = receive(SINGLE, &clean(&cltu, 20), 13);
        assert_eq!(units.len(), 1);
        assert_eq!(units[0].octets[..frame.len()], frame);
        assert!(units[0].octets[frame.len()..].iter().all(|&octet| octet == 0x55), "fill");
        assert_eq!((units[0].end, units[0].corrected, units[0].at), (End::Tail(0), 0, 16));
    }
}

#[test]
fn units_of_every_coding_come_back_upright_or_not_in_any_pieces() {
    let mut random = Random(1);
    let codings = [
        (SINGLE, End::Tail(0)),
        (TRIPLE, End::Tail(0)),
        (Coding::Bch { mode: Mode::SingleErrorCorrection, randomised: true }, End::Tail(0)),
        (Coding::Bch { mode: Mode::TripleErrorDetection, randomised: true }, End::Tail(0)),
        (Coding::Ldpc128 { tail: true }, End::Tail(0)),
        (Coding::Ldpc128 { tail: false }, End::Undecodable),
        (Coding::Ldpc512, End::Undecodable),
    ];
    for (coding, end) in codings {
        let frames = [random.octets(40), random.octets(64), random.octets(1)];
        let mut octets = idle(30);
        for frame in &frames {
            octets.extend(encode(coding, frame));
            octets.extend(idle(100));
        }
        for inverted in [false, true] {
            let soft = clean(&octets, if inverted { -20 } else { 20 });
            for piece in [1, 50, soft.len()] {
                let units = receive(coding, &soft, piece);
                assert_eq!(units.len(), 3, "{coding:?}, inverted: {inverted}");
                for (unit, frame) in units.iter().zip(&frames) {
                    assert_eq!(unit.octets[..frame.len()], frame[..], "{coding:?}, inverted: {inverted}");
                    assert_eq!((unit.inverted, unit.end), (inverted, end), "{coding:?}");
                }
            }
        }
    }
}

#[test]
fn one_error_a_block_is_corrected_or_ends_the_unit_by_mode() {
    let frame = Random(2).octets(70);
    let mut soft = clean(&encode(SINGLE, &frame), 20);
    soft[3] = -soft[3];
    for block in 0..10 {
        let at = 16 + 64 * block + 5 * block;
        soft[at] = -soft[at];
    }
    let units = receive(SINGLE, &soft, 64);
    assert_eq!((&units[0].octets[..70], units[0].corrected, units[0].end), (&frame[..], 10, End::Tail(0)));
    assert_eq!(receive(TRIPLE, &soft, 64), [], "no error is allowed in the start sequence");
    soft[3] = -soft[3];
    assert_eq!(receive(TRIPLE, &soft, 64), [], "the first block is rejected, so nothing is received");
    for at in [16, 16 + 69] {
        soft[at] = -soft[at];
    }
    let units = receive(TRIPLE, &soft, 64);
    assert_eq!((&units[0].octets[..], units[0].blocks, units[0].end), (&frame[..14], 2, End::Undecodable));
}

#[test]
fn the_short_codes_carry_commands_through_noise() {
    let mut random = Random(3);
    for (coding, es_n0_db) in [(Coding::Ldpc128 { tail: true }, 2.5), (Coding::Ldpc512, 0.5)] {
        let frame = random.octets(256);
        let octets = [idle(40), encode(coding, &frame), idle(70)].concat();
        let soft = random.soft(&octets, es_n0_db, 24.0);
        let wrong = soft.iter().zip(clean(&octets, 1)).filter(|(s, c)| (**s < 0) != (*c < 0)).count();
        assert!(wrong > 20, "{wrong} symbols are wrong");
        let units = receive(coding, &soft, 100);
        assert!(units.iter().any(|unit| unit.octets.starts_with(&frame)), "{coding:?}");
    }
}

#[test]
fn a_unit_ends_where_the_receiver_takes_no_more() {
    let soft = clean(&encode(SINGLE, &[7; 70]), 9);
    let mut receiver = Receiver::new(SINGLE, 4);
    let unit = receiver.read(&mut &soft[..]).unwrap();
    assert_eq!((unit.blocks, unit.end, &unit.octets[..]), (4, End::TooLong, &[7u8; 28][..]));
}

#[test]
fn the_end_of_the_stream_ends_a_unit() {
    for coding in [SINGLE, Coding::Ldpc128 { tail: false }, Coding::Ldpc512] {
        let mut cltu = encode(coding, &[7; 32]);
        if coding == SINGLE {
            cltu.truncate(cltu.len() - BCH_TAIL.len());
        }
        let mut receiver = Receiver::new(coding, 100);
        assert_eq!(receiver.finish(), None);
        assert_eq!(receiver.read(&mut &clean(&cltu, 9)[..]), None);
        let unit = receiver.finish().unwrap();
        assert_eq!((&unit.octets[..32], unit.end), (&[7; 32][..], End::Stream), "{coding:?}");
        assert_eq!(receiver.finish(), None);
    }
}

#[test]
fn the_tail_is_no_code_block() {
    for mode in [Mode::SingleErrorCorrection, Mode::TripleErrorDetection] {
        assert_eq!(bch_decode(&BCH_TAIL, mode), None);
    }
}

#[test]
fn noise_and_erasures_do_not_stop_the_receiver() {
    let mut random = Random(4);
    for coding in [SINGLE, TRIPLE, Coding::Ldpc128 { tail: true }, Coding::Ldpc512] {
        assert_eq!(receive(coding, &[0; 5000], 100), []);
        let mut soft: Vec<i8> = (0..50_000).map(|_| random.next() as i8).collect();
        soft.extend(clean(&[idle(40), encode(coding, b"a command after noise"), idle(70)].concat(), 100));
        let units = receive(coding, &soft, 1000);
        assert!(units.iter().any(|unit| unit.octets.starts_with(b"a command after noise")), "{coding:?}");
    }
}
