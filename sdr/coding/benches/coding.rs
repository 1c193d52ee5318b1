//! How fast bits come out of the decoders, and how libfec does beside them, where it is installed.
#![allow(missing_docs)]

#[path = "../tests/peer/mod.rs"]
mod peer;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use farlink_coding::convolutional::{Encoder, End, Rate, Viterbi};
use farlink_coding::reed_solomon::{Code, ReedSolomon};
use peer::Libfec;
use rand::seq::index::sample;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const BITS: usize = 200_000;
const BLOCKS: usize = 200;

/// Soft symbols of a block with a tail, some of them wrong.
fn symbols(rate: Rate) -> Vec<i8> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut data = vec![0; BITS / 8];
    random.fill_bytes(&mut data);
    *data.last_mut().unwrap() = 0;
    let mut sent = Vec::new();
    Encoder::new(rate).encode(&data, &mut sent);
    let soft = sent.iter().map(|symbol| 40 - 80 * *symbol as i8);
    soft.map(|soft| soft.saturating_add(random.random_range(-60..=60))).collect()
}

/// Blocks with so many wrong symbols each.
fn blocks(code: &ReedSolomon, errors: usize) -> Vec<Vec<u8>> {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut spoilt = || {
        let mut block = vec![0; code.block_len()];
        let (data, parity) = block.split_at_mut(code.data_len());
        random.fill_bytes(data);
        code.encode(data, parity).unwrap();
        sample(&mut random, block.len(), errors)
            .iter()
            .for_each(|place| block[place] ^= random.random_range(1..=255u8));
        block
    };
    (0..BLOCKS).map(|_| spoilt()).collect()
}

fn viterbi(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("viterbi");
    group.throughput(Throughput::Elements(BITS as u64));
    let mut run = |name: &str, mut decoder: Viterbi| {
        let symbols = symbols(decoder.rate());
        let mut octets = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                octets.clear();
                decoder.decode(&symbols, &mut octets);
                decoder.finish(End::Zero, &mut octets)
            });
        });
    };
    run("1/2", Viterbi::new(Rate::Half));
    run("7/8", Viterbi::new(Rate::SevenEighths));
    run("1/2, portable", Viterbi::portable(Rate::Half));
    group.finish();
}

fn reed_solomon(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reed-solomon");
    let whole = ReedSolomon::new(Code::E16);
    group.throughput(Throughput::Elements((BLOCKS * 8 * whole.data_len()) as u64));
    for (name, code, errors) in [
        ("(255,223), no errors", whole, 0),
        ("(255,223), 8 errors", whole, 8),
        ("(255,223), 16 errors", whole, 16),
        ("(255,223), 8 errors, portable", whole.portable(), 8),
    ] {
        let spoilt = blocks(&code, errors);
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || spoilt.clone(),
                |blocks| blocks.iter_mut().map(|block| code.decode(block).unwrap()).sum::<usize>(),
                BatchSize::LargeInput,
            );
        });
    }
    let data = blocks(&whole, 0);
    let mut parity = [0; 32];
    group.bench_function("(255,223), encoder", |bencher| {
        bencher.iter(|| data.iter().for_each(|block| whole.encode(&block[..223], &mut parity).unwrap()));
    });
    group.finish();
}

/// Median of five runs, by the processor time that libfec's process takes.
fn libfec(_: &mut Criterion) {
    let libfec = match Libfec::build() {
        Ok(libfec) => libfec,
        Err(error) => return println!("libfec: not measured: {error}"),
    };
    let rate = |bits: usize, arguments: &[&str], input: &[u8]| {
        let mut seconds: Vec<f64> = (0..5)
            .map(|_| String::from_utf8(libfec.run(arguments, input).unwrap()).unwrap().trim().parse().unwrap())
            .collect();
        seconds.sort_by(f64::total_cmp);
        bits as f64 / seconds[2] / 1e6
    };
    let offset: Vec<u8> =
        symbols(Rate::Half).iter().map(|symbol| (127 - i16::from(*symbol)).clamp(0, 255) as u8).collect();
    println!("libfec: viterbi 1/2: {:.1} Mbit/s", rate(10 * BITS, &["time-viterbi", "10"], &offset));
    for errors in [0, 8, 16] {
        let input = blocks(&ReedSolomon::new(Code::E16), errors).concat();
        let speed = rate(20 * BLOCKS * 223 * 8, &["time-rs-decode", "ccsds", "20"], &input);
        println!("libfec: (255,223), {errors} errors: {speed:.1} Mbit/s");
    }
}

criterion_group!(benches, viterbi, reed_solomon, libfec);
criterion_main!(benches);
