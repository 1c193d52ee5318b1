use bytes::Bytes;
use farlink_engine::bp::{Agent, Config};
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{Bundle, CrcType};

const STORAGE_LIMIT: u64 = 50_000;
const MAX_OPERATIONS: usize = 64;

/// Octets as bundles that arrive at a bundle agent while time passes. The store keeps to its limit, and what is forwarded
/// is a bundle.
pub fn agent(data: &[u8]) {
    let mut agent = Agent::new(Config {
        node: 10,
        dtn_time_at_zero_ms: 848_000_000_000,
        storage_limit: STORAGE_LIMIT,
        hop_limit: 30,
        status_reports: true,
    });
    agent.register(1);
    agent.set_default_route(20);
    let mut rest = data;
    let mut now = Instant::ZERO;
    for _ in 0..MAX_OPERATIONS {
        let Some((&operation, after)) = rest.split_first() else { break };
        rest = after;
        match operation % 4 {
            0 | 1 => {
                // The rest up to a length, or to its end.
                let Some((&[high, low], after)) = rest.split_first_chunk() else { break };
                let (octets, after) = after.split_at(after.len().min(usize::from(u16::from_be_bytes([high, low]))));
                rest = after;
                agent.receive(now, 20, &Bytes::from(with_crcs(octets, operation & 8 == 0)));
            }
            2 => {
                now += Duration::from_millis(i64::from(operation) * 10_000);
                agent.handle_timeout(now);
            }
            _ => {
                if let Some(outgoing) = agent.poll_forward(now, 20) {
                    let octets = outgoing.block.slice(0, outgoing.block.len() as usize);
                    Bundle::parse(&octets).expect("what is forwarded is a bundle");
                    if operation & 4 == 0 {
                        agent.forwarded(now, outgoing.handle);
                    } else {
                        agent.forwarding_failed(now, outgoing.handle);
                    }
                }
            }
        }
        while agent.poll_notice().is_some() {}
        assert!(agent.stored_bytes() <= STORAGE_LIMIT);
    }
}

/// A fuzzer finds bundles, but no CRCs.
fn with_crcs(octets: &[u8], wanted: bool) -> Vec<u8> {
    match Bundle::parse(octets) {
        Ok(mut bundle) if wanted => {
            bundle.primary.crc = CrcType::Crc32c;
            bundle.emit()
        }
        _ => octets.to_vec(),
    }
}
