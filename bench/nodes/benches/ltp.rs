//! LTP segments a second under the virtual clock, on one core: two engines and the channels between them.
//!
//! `cargo bench -p farlink-nodes --bench ltp`. One element is one segment that was made, carried, parsed and taken in. The
//! goal is a million a second for data segments of 1360 bytes.
//!
//! What is measured is processor time, so that what else the machine does counts only as far as it takes caches away.
#![allow(missing_docs)]

use std::hint::black_box;

use bytes::Bytes;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_engine::ltp::{BUNDLE_PROTOCOL, Config, Engine, Notice, PathInfo, PeerConfig};
use farlink_link::{Channel, ChannelConfig, Contacts, Damaged};
use farlink_record::ChannelId;
use farlink_units::{BitRate, Duration, Instant};
use farlink_wire::ltp::security::AuthKey;
use nix::sys::resource::{UsageWho, getrusage};

const EARTH: u64 = 1;
const MARS: u64 = 2;
/// So far that a whole block is under way at once, and memory is what counts.
const FAR: Duration = Duration::from_secs(600);
/// So near that a megabyte is under way at most.
const NEAR: Duration = Duration::from_millis(1);
const RATE_BPS: u64 = 10_000_000_000;

/// Time that this process has spent on a processor.
struct ProcessorTime;

fn processor_time() -> std::time::Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system's own count");
    let micros = [usage.user_time(), usage.system_time()].map(|t| t.tv_sec() * 1_000_000 + t.tv_usec());
    std::time::Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs())
}

impl Measurement for ProcessorTime {
    type Intermediate = std::time::Duration;
    type Value = std::time::Duration;

    fn start(&self) -> Self::Intermediate {
        processor_time()
    }

    fn end(&self, start: Self::Intermediate) -> Self::Value {
        processor_time() - start
    }

    fn add(&self, a: &Self::Value, b: &Self::Value) -> Self::Value {
        *a + *b
    }

    fn zero(&self) -> Self::Value {
        std::time::Duration::ZERO
    }

    fn to_f64(&self, value: &Self::Value) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

struct Pair {
    now: Instant,
    engines: [Engine; 2],
    /// From the engine of the same place to the other.
    channels: [Channel; 2],
    segments: u64,
    delivered: u64,
}

impl Pair {
    fn new(light_time: Duration, ber: f64, config: PeerConfig) -> Self {
        let engine = |id: u64, peer: u64| {
            let mut engine = Engine::new(Config::new(id, id));
            engine.add_peer(peer, config.clone());
            let path = PathInfo {
                light_time_out: light_time,
                light_time_back: light_time,
                rate_out_bps: RATE_BPS,
                rate_back_bps: RATE_BPS,
                overhead_bits: 0,
            };
            engine.set_path(peer, path);
            engine
        };
        let channel = |id: u16| {
            Channel::new(ChannelConfig {
                id: ChannelId(id),
                rate: Rate::constant(BitRate::from_bps(RATE_BPS).expect("a rate")),
                overhead_bits: 0,
                contacts: Contacts::Always,
                light_time: LightTime::Constant(light_time),
                errors: Errors::independent(ber, u64::from(id)),
                damaged: Damaged::Drop,
                radio: None,
                queue_bits: 1 << 30,
                seed: 1,
            })
        };
        Pair {
            now: Instant::ZERO,
            engines: [engine(EARTH, MARS), engine(MARS, EARTH)],
            channels: [channel(0), channel(1)],
            segments: 0,
            delivered: 0,
        }
    }

    /// Sends what can be sent now. Frames queue for the transmitter, which changes nothing for the engines' work.
    fn transmit(&mut self) {
        for (place, peer) in [MARS, EARTH].into_iter().enumerate() {
            let channel = &mut self.channels[place];
            while channel.busy_until() <= self.now {
                let Some(frame) = self.engines[place].poll_transmit(self.now, peer, usize::MAX) else { break };
                channel.offer(self.now, frame, |event| {
                    black_box(&event);
                });
                self.segments += 1;
            }
        }
    }

    fn run(&mut self) {
        loop {
            self.transmit();
            for (place, engine) in self.engines.iter_mut().enumerate() {
                while let Some(notice) = engine.poll_notice() {
                    if let Notice::RedPart { data, .. } = notice {
                        self.delivered += data.len() as u64;
                        assert_eq!(place, 1);
                    }
                }
            }
            let dues = self.channels.iter().filter_map(Channel::next_due);
            let busy = self.channels.iter().map(Channel::busy_until).filter(|busy| *busy > self.now);
            let timeouts = self.engines.iter().filter_map(Engine::poll_timeout);
            let Some(next) = dues.chain(busy).chain(timeouts).min() else { return };
            self.now = next.max(self.now);
            for (place, from) in [EARTH, MARS].into_iter().enumerate() {
                while let Some(arrival) = self.channels[place].take_due(self.now) {
                    black_box(arrival.event(ChannelId(place as u16)));
                    if arrival.delivered() {
                        self.engines[1 - place].handle_frame(self.now, from, &arrival.content);
                    }
                }
            }
            for engine in &mut self.engines {
                engine.handle_timeout(self.now);
            }
        }
    }
}

const BLOCK: usize = 8 << 20;

fn loaded(light_time: Duration, blocks: usize, block: usize, ber: f64, config: &PeerConfig) -> Pair {
    let mut pair = Pair::new(light_time, ber, config.clone());
    let data = Bytes::from(vec![0x5a; block]);
    for _ in 0..blocks {
        pair.engines[0].send(MARS, BUNDLE_PROTOCOL, data.clone().into(), block as u64).expect("room for a block");
    }
    pair
}

fn bench(c: &mut Criterion<ProcessorTime>) {
    let mut group = c.benchmark_group("ltp");
    group.sample_size(20);
    let plain = PeerConfig::default();
    let signed = PeerConfig { security: Some(AuthKey::null().into()), ..plain.clone() };
    for (name, light_time, blocks, block, ber, config) in [
        ("100 blocks of 84 kB, near", NEAR, 100, BLOCK / 100, 0.0, &plain),
        ("100 blocks of 84 kB, far", FAR, 100, BLOCK / 100, 0.0, &plain),
        ("one block of 8 MB, near", NEAR, 1, BLOCK, 0.0, &plain),
        ("one block of 8 MB, far", FAR, 1, BLOCK, 0.0, &plain),
        ("one block of 8 MB, far, one segment in ten lost", FAR, 1, BLOCK, 1e-5, &plain),
        ("100 blocks of 84 kB, near, authenticated", NEAR, 100, BLOCK / 100, 0.0, &signed),
    ] {
        let mut once = loaded(light_time, blocks, block, ber, config);
        once.run();
        assert_eq!(once.delivered, (blocks * block) as u64);
        group.throughput(Throughput::Elements(once.segments));
        group.bench_function(name, |b| {
            b.iter_batched(
                || loaded(light_time, blocks, block, ber, config),
                |mut pair| {
                    pair.run();
                    pair
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(name = benches; config = Criterion::default().with_measurement(ProcessorTime); targets = bench);
criterion_main!(benches);
