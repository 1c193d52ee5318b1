//! Values from the standard and from other implementations: `fixtures/golden/coding`.

use farlink_coding::convolutional::{Encoder, Rate};
use farlink_coding::reed_solomon::{Basis, Code, ReedSolomon};

fn lines(file: &str) -> Vec<Vec<String>> {
    let path = format!("{}/../../fixtures/golden/coding/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

fn row<'a>(lines: &'a [Vec<String>], words: &[&str]) -> &'a [String] {
    let found = lines.iter().find(|line| line.iter().zip(words).all(|(one, other)| one == other));
    &found.unwrap_or_else(|| panic!("no line {words:?}"))[words.len()..]
}

#[test]
fn the_sync_marker_encodes_to_what_others_look_for() {
    let lines = lines("convolutional.txt");
    assert_eq!(lines.len(), Rate::ALL.len());
    for rate in Rate::ALL {
        let [count, octets] = row(&lines, &[&rate.to_string()]) else { panic!("{rate}: not two values") };
        let mut symbols = Vec::new();
        let mut encoder = Encoder::new(rate);
        // The six bits before the marker's seventh, which need not be zero.
        encoder.encode_bits(&[0, 0, 0, 1, 1, 0], &mut symbols);
        symbols.clear();
        encoder.encode_bits(&[1, 0], &mut symbols);
        encoder.encode(&[0xcf, 0xfc, 0x1d], &mut symbols);
        assert_eq!(symbols.len(), count.parse().unwrap(), "{rate}");
        symbols.resize(octets.len() * 4, 0);
        let hex: String =
            symbols.chunks(4).map(|bits| format!("{:X}", bits.iter().fold(0, |sum, bit| sum << 1 | bit))).collect();
        assert_eq!(&hex, octets, "{rate}");
    }
}

#[test]
fn parity_of_a_one_is_the_generator_polynomial() {
    let lines = lines("reed_solomon.txt");
    let mut powers = vec![1u16];
    while powers.len() < 255 {
        let next = powers[powers.len() - 1] << 1;
        powers.push(if next & 0x100 == 0 { next } else { next ^ 0x187 });
    }
    for (code, e) in [(Code::E16, "16"), (Code::E8, "8")] {
        let exponents: Vec<usize> = row(&lines, &["generator", e]).iter().map(|word| word.parse().unwrap()).collect();
        assert_eq!(exponents.len(), code.parity() + 1);
        let expected: Vec<u8> = exponents.iter().rev().skip(1).map(|exponent| powers[*exponent] as u8).collect();
        let mut data = vec![0; code.data()];
        *data.last_mut().unwrap() = 1;
        let mut parity = vec![0; code.parity()];
        ReedSolomon::new(code).with_basis(Basis::Conventional).encode(&data, &mut parity).unwrap();
        assert_eq!(parity, expected, "E = {e}");
    }
}

#[test]
fn the_dual_basis_is_that_of_the_standards_matrix() {
    let lines = lines("reed_solomon.txt");
    let matrix = |name: &str| -> Vec<u8> {
        let rows: Vec<u8> = row(&lines, &[name]).iter().map(|row| u8::from_str_radix(row, 2).unwrap()).collect();
        assert_eq!(rows.len(), 8);
        rows
    };
    let apply = |matrix: &[u8], symbol: u8| {
        (0..8).filter(|bit| symbol >> (7 - bit) & 1 == 1).fold(0, |sum, bit| sum ^ matrix[bit])
    };
    let (to_dual, from_dual) = (matrix("dual"), matrix("conventional"));
    for symbol in 0..=255u8 {
        assert_eq!(apply(&from_dual, apply(&to_dual, symbol)), symbol);
        let mut data = [0; 223];
        data[17] = symbol;
        data[222] = !symbol;
        let (mut dual, mut conventional) = ([0; 32], [0; 32]);
        ReedSolomon::new(Code::E16).encode(&data.map(|symbol| apply(&to_dual, symbol)), &mut dual).unwrap();
        ReedSolomon::new(Code::E16).with_basis(Basis::Conventional).encode(&data, &mut conventional).unwrap();
        assert_eq!(dual, conventional.map(|symbol| apply(&to_dual, symbol)));
    }
}
