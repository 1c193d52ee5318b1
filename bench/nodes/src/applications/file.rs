//! Delivery into a file that each unit replaces.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use farlink_record::recording::hex;
use sha2::{Digest, Sha256};

use super::error::system;
use super::worker::{NotTaken, Queue, Sink};
use super::{OpenError, whole};
use crate::builtin::Delivery;

/// A file that takes units.
#[derive(Debug)]
pub(super) struct File {
    folder: PathBuf,
    path: PathBuf,
    temporary: PathBuf,
}

impl File {
    /// Finds the place of a file. `taken` holds the files of the other endpoints.
    pub fn open(path: &Path, taken: &mut BTreeSet<PathBuf>) -> Result<Self, OpenError> {
        let not_a_file = || OpenError::NotAFile { path: path.to_owned() };
        // A link stays, and what it leads to is replaced.
        let path = match fs::canonicalize(path) {
            Ok(found) if !found.is_file() => return Err(not_a_file()),
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let name = path.file_name().ok_or_else(not_a_file)?;
                let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
                fs::canonicalize(folder).map_err(system("write", path))?.join(name)
            }
            Err(error) => return Err(system("write", path)(error)),
        };
        if !taken.insert(path.clone()) {
            return Err(OpenError::FileTwice { path });
        }
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let name = path.file_name().unwrap_or(OsStr::new(""));
        let temporary = folder.join(format!(".farlink-file-{}.part", hex(&Sha256::digest(name.as_bytes())[..8])));
        whole::remove_if_there(&temporary).map_err(system("remove the unfinished file", &temporary))?;
        Ok(File { folder, path, temporary })
    }
}

impl Sink for File {
    fn take(&mut self, delivery: &Delivery, _: &Queue) -> Result<String, NotTaken> {
        whole::write(&self.folder, &self.temporary, &self.path, &delivery.payload)
            .map_err(|error| NotTaken::Because(whole::told(&self.path, &error)))?;
        let length: usize = delivery.payload.iter().map(Bytes::len).sum();
        let hash = whole::sha256(&delivery.payload);
        let (source, path) = (&delivery.id.source, self.path.display());
        Ok(format!("received {length} bytes from {source} as {path}, SHA-256 {hash}"))
    }
}
