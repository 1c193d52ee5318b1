//! The sweeps that come with Farlink.

use std::path::PathBuf;

use farlink_scenario::{FileError, Sweep, parse_sweep};

/// The name of each and its file, from `fixtures/throughput`.
pub const SWEEPS: [(&str, &str); 6] = [
    ("ltp", include_str!("../../../../fixtures/throughput/ltp.yaml")),
    ("ltp-sizes", include_str!("../../../../fixtures/throughput/ltp-sizes.yaml")),
    ("ltp-load", include_str!("../../../../fixtures/throughput/ltp-load.yaml")),
    ("hops", include_str!("../../../../fixtures/throughput/hops.yaml")),
    ("tcp", include_str!("../../../../fixtures/throughput/tcp.yaml")),
    ("nodes", include_str!("../../../../fixtures/throughput/nodes.yaml")),
];

/// One of them by its name; `None` if there is none of that name.
///
/// # Errors
/// The file is wrong, which a test excludes.
pub fn sweep(name: &str) -> Option<Result<Sweep, FileError>> {
    let (name, text) = SWEEPS.iter().find(|(known, _)| *known == name)?;
    Some(parse_sweep(&PathBuf::from(format!("fixtures/throughput/{name}.yaml")), text))
}
