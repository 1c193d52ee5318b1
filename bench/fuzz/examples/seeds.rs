//! Writes inputs for a fuzzer to begin with: `cargo run --example seeds -- FOLDER` makes one folder for each target.
#![allow(missing_docs)]

#[path = "../../wire/tests/support/mod.rs"]
#[allow(dead_code)]
mod support;

use std::path::Path;
use std::{env, fs, io};

use support::{Random, arrivals, bundles, ccsds_frames, ccsds_zones, records, segment_seeds};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).ok_or_else(|| io::Error::other("name the folder to write to"))?;
    let mut random = Random::new(1);
    let mut write = |target: &str, seeds: fn(&mut Random) -> Vec<Vec<u8>>| {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        (0..4)
            .flat_map(|_| seeds(&mut random))
            .enumerate()
            .try_for_each(|(index, seed)| fs::write(folder.join(format!("seed-{index}")), seed))
    };
    write("sdnv", |random| (0..8).map(|_| random.octets(12)).collect())?;
    write("ltp_segment", segment_seeds)?;
    write("ltp_frame", segment_seeds)?;
    write("ltp_operations", |random| (0..8).map(|_| random.octets(600)).collect())?;
    write("bundle", bundles)?;
    write("record", records)?;
    write("extension", |random| (0..8).map(|_| farlink_wire::bpv7::PreviousNode(random.eid()).emit()).collect())?;
    write("eid_text", |random| (0..8).map(|_| random.eid().to_string().into_bytes()).collect())?;
    write("ccsds_frame", ccsds_frames)?;
    write("ccsds_zones", ccsds_zones)?;
    write("agent", arrivals)
}
