//! What the tests of the chain share.
#![allow(dead_code, reason = "each test file uses its part")]

use farlink_coding::convolutional::Rate;
use farlink_coding::ldpc;
use farlink_modem::{Modulation, Subcarrier, SubcarrierShape};
use farlink_radio::waveform::{Coding, Waveform};
use farlink_wire::ccsds::{AosFrame, FirstHeader};

pub fn all_modulations() -> [Modulation; 7] {
    let wave = |shape| Subcarrier { shape, cycles_per_symbol: 2 };
    [
        Modulation::Bpsk,
        Modulation::Qpsk,
        Modulation::Oqpsk,
        Modulation::Psk8,
        Modulation::Gmsk { bandwidth_time: 0.5 },
        Modulation::ResidualCarrier { index_rad: 1.0, subcarrier: wave(SubcarrierShape::Sine) },
        Modulation::ResidualCarrier { index_rad: 1.0, subcarrier: wave(SubcarrierShape::Square) },
    ]
}

/// One of each kind; lengths that are no multiple of three, so that frames of 8PSK begin anywhere in a symbol.
pub fn all_codings() -> Vec<Coding> {
    let mut all = vec![
        Coding::Uncoded { frame_octets: 200 },
        Coding::ReedSolomon { corrects: 16, depth: 1 },
        Coding::ReedSolomon { corrects: 8, depth: 2 },
        Coding::Concatenated { corrects: 16, depth: 2, rate: Rate::Half },
        Coding::Concatenated { corrects: 8, depth: 1, rate: Rate::ThreeQuarters },
        Coding::Ldpc { rate: ldpc::Rate::Half, length: ldpc::Length::K1024 },
        Coding::Ldpc { rate: ldpc::Rate::FourFifths, length: ldpc::Length::K4096 },
    ];
    all.extend(Rate::ALL.map(|rate| Coding::Convolutional { rate, frame_octets: 223 }));
    all
}

/// An AOS frame with this number and data of its own.
pub fn frame(waveform: &Waveform, number: u32) -> Vec<u8> {
    let empty = AosFrame::default();
    let length = waveform.frame_octets() - empty.overhead(waveform.frame_error_control);
    let data: Vec<u8> = (0..length as u32)
        .map(|at| ((at ^ number.wrapping_mul(977)).wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let mut octets = Vec::new();
    let frame = AosFrame { count: number, first_header: FirstHeader::NoStart, data: &data, ..empty };
    frame.emit(waveform.frame_error_control, &mut octets);
    octets
}
