//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use farlink_record::recording::hex;
use sha2::{Digest, Sha256};

/// Writes a file under a temporary name in the same folder and gives it its own when it is on the disk. What has the name
/// already is replaced. The name is on the disk, too, when this returns.
pub(super) fn write(folder: &Path, temporary: &Path, path: &Path, pieces: &[Bytes]) -> io::Result<()> {
    let written = || -> io::Result<()> {
        remove_if_there(temporary)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(temporary)?;
        for piece in pieces {
            file.write_all(piece)?;
        }
        file.sync_all()?;
        fs::rename(temporary, path)
    };
    written().inspect_err(|_| drop(fs::remove_file(temporary)))?;
    sync_folder(folder)
}

/// Puts the names in a folder on the disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn sha256(pieces: &[Bytes]) -> String {
    let mut hash = Sha256::new();
    pieces.iter().for_each(|piece| hash.update(piece));
    hex(&hash.finalize())
}

/// Why a file could not be written, and what to do.
pub(super) fn told(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("no room left on the disk for {path}: free some, or name a place on another disk")
        }
        io::ErrorKind::NotFound => format!("cannot write {path}: its folder has gone: make it again"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("cannot write {path}: {error}: let this user write there")
        }
        _ => format!("cannot write {path}: {error}"),
    }
}
