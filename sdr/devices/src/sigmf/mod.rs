//! Recordings in the Signal Metadata Format, SigMF 1.x: samples in `NAME.sigmf-data` and what they are in `NAME.sigmf-meta`.
//!
//! Read and written are conforming datasets of one channel in `cf32_le` or `ci16_le`, with the core namespace and no extension
//! of it. Source: the SigMF specification 1.2, <https://sigmf.org>.

mod meta;
mod read;
mod write;

use std::path::{Path, PathBuf};

pub use meta::{Annotation, Capture, Extension, Global, Meta};
pub use read::{Check, SigmfReader};
pub use write::{About, SigmfWriter};

/// The version of the specification that is written.
const VERSION: &str = "1.2.6";
const META: &str = ".sigmf-meta";
const DATA: &str = ".sigmf-data";

/// The two files of a recording, by either of them or by their name without its ending.
fn files(path: &Path) -> (PathBuf, PathBuf) {
    let name = path.as_os_str().to_string_lossy();
    // A name may have dots of its own, so nothing but these two endings is one.
    let base = match name.strip_suffix(META).or_else(|| name.strip_suffix(DATA)) {
        Some(base) => PathBuf::from(base).into_os_string(),
        None => path.as_os_str().to_owned(),
    };
    let with = |ending| {
        let mut name = base.clone();
        name.push(ending);
        PathBuf::from(name)
    };
    (with(META), with(DATA))
}
