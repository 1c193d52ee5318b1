//! Disks of a few kilobytes, in memory, in a mount namespace of their own.
//!
//! An ordinary user needs a user namespace for that; where the system refuses both, the tests fail and say so.

use std::fs;
use std::path::Path;
use std::process::Command;

const NO_MOUNT: i32 = 99;

/// `sh -c SCRIPT` with a disk of that size mounted at `$1`; further arguments are `$2` and so on.
pub fn with_disk(disk: &Path, size: &str, script: &str) -> Command {
    fs::create_dir_all(disk).unwrap();
    let id = Command::new("id").arg("-u").output().expect("id starts");
    let is_root = id.stdout.trim_ascii() == b"0";
    let mut command = Command::new("unshare");
    command.arg(if is_root { "-m" } else { "-rm" }).args(["sh", "-c"]);
    command.arg(format!("mount -t tmpfs -o size={size} none \"$1\" || exit {NO_MOUNT}\n{script}")).arg("sh").arg(disk);
    command
}

pub fn expect_mounted(code: i32, stderr: &str) {
    let refused = code == NO_MOUNT || stderr.contains("unshare:");
    assert!(!refused, "this system lets nobody mount a small disk; allow user namespaces, or run as root:\n{stderr}");
}
