//! A sound node file and what an edit of it leads to.

#![allow(dead_code)] // each test file uses its part

use std::path::PathBuf;
use std::sync::OnceLock;

use farlink_scenario::{FileError, NodeSettings, parse_node};

pub use crate::support::Refusal;
use crate::support::{marked, says};

/// Every check passes on this one.
pub const SOUND: &str = r#"node: ipn:10.0
clock: true
storage: { limit: 1 GiB, folder: store }
status_reports: true
hop_limit: 32
seed: 7
endpoints:
  ipn:10.1: { deliver: { directory: inbox } }
  ipn:10.2: { deliver: { file: latest.bin } }
  ipn:10.3: { deliver: { program: [./handle, --flag, 5] } }
  ipn:10.4: { deliver: { socket: run/app.sock } }
  ipn:10.5: { state: passive, on_failure: abandon }
listen:
  - { ltp: "udp:1113" }
  - { tcpcl: "tcp:4556", tls: { certificate: cert.pem, key: key.pem, require: true, trust: ca.pem } }
  - { stcp: "tcp:4557" }
  - { mtcp: "tcp:[::1]:16162" }
  - { udp: "udp:0.0.0.0:4556" }
neighbours:
  ipn:20.0: { ltp: { to: "udp:127.0.0.1:1114", light_time: 2 s, rate: 256 kbit/s, response_margin: 3 s, segment_size: 1300 B, aggregate: { size: 64 KiB, time: 100 ms }, session_numbers: 64, checkpoint_every: 32 KiB, retransmission_limit: 10, authentication: { suite: hmac-sha1-80, key_id: 1, key_file: key.bin } } }
  ipn:30.0: { tcpcl: { to: "tcp:127.0.0.1:4600", keepalive: 20 s, segment_size: 32 KiB, tls: { trust: ca.pem, name: relay.example, require: false, certificate: cert.pem, key: key.pem } } }
  ipn:35.0: { tcpcl: {} }
  ipn:40.0: { stcp: { to: "tcp:4601" } }
  ipn:50.0: { mtcp: { to: "tcp:4602" } }
  dtn://rover/: { udp: { to: "udp:192.0.2.1:4603", rate: 10 Mbit/s } }
routes:
  - ipn:30.* via ipn:30.0
  - "* via ipn:20.0 metric 10"
contacts:
  - { from: ipn:10.0, to: ipn:20.0, start: 0 s, end: 600 s, rate: 256 kbit/s, light_time: 4 s, confidence: 0.9 }
  - { from: ipn:10.0, to: ipn:20.0, start: 2026-12-15T00:00:00Z, end: 2026-12-15T01:00:00Z }
  - { from: ipn:20.0, to: ipn:60.0, start: 5 s }
opportunistic: true
"#;

/// A folder with the files that [`SOUND`] names.
pub fn folder() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder =
                tempfile::Builder::new().prefix("node").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
            for name in ["cert.pem", "key.pem", "ca.pem", "key.bin"] {
                std::fs::write(folder.join(name), name).unwrap();
            }
            std::fs::write(folder.join("empty.pem"), "").unwrap();
            folder
        })
        .clone()
}

/// Reads `text` as a file in [`folder`].
pub fn read(text: &str) -> Result<NodeSettings, FileError> {
    parse_node(&folder().join("node.yaml"), text)
}

/// [`SOUND`] with the only `old` in it replaced by `new`.
pub fn edited(old: &str, new: &str) -> String {
    assert_eq!(SOUND.matches(old).count(), 1, "the edit must be clear: {old}");
    SOUND.replacen(old, new, 1)
}

/// Asserts that each edit is refused at the marked place with these words, and for nothing else.
pub fn refuse(table: &[Refusal]) {
    for Refusal(old, new, words) in table {
        let (text, line, column) = marked(&edited(old, new));
        let error = match read(&text) {
            Ok(_) => panic!("accepted: {new}"),
            Err(error) => error,
        };
        assert_eq!(error.problems().len(), 1, "{new}:\n{error}");
        says(&error.problems()[0], line, column, words, new);
        let start = format!("{}:{line}:{column}: ", folder().join("node.yaml").display());
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

/// Asserts that each edit is accepted with one warning, at the marked place and with these words.
pub fn warn(table: &[Refusal]) {
    for Refusal(old, new, words) in table {
        let (text, line, column) = marked(&edited(old, new));
        let settings = read(&text).unwrap_or_else(|error| panic!("{new}:\n{error}"));
        let warnings = settings.warnings().unwrap_or_else(|| panic!("no warning: {new}"));
        assert_eq!(warnings.problems().len(), 1, "{new}:\n{warnings}");
        says(&warnings.problems()[0], line, column, words, new);
    }
}
