//! Delivery into a directory: one file for each unit.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::error::system;
use super::worker::{NotTaken, Queue, Sink};
use super::{OpenError, unit_name, whole};
use crate::builtin::Delivery;

const TEMPORARY: (&str, &str) = (".farlink-unit-", ".part");

/// The folders of a node, each locked against other nodes.
#[derive(Debug, Default)]
pub(super) struct Folders(BTreeMap<PathBuf, Arc<File>>);

impl Folders {
    fn open(&mut self, folder: &Path) -> Result<Arc<File>, OpenError> {
        if let Some(known) = self.0.get(folder) {
            return Ok(known.clone());
        }
        let lock = File::open(folder).map_err(system("open", folder))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::FolderInUse { path: folder.to_owned() }),
            // Some network file systems have no locks; their folders work all the same.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(system("lock", folder)(error)),
        }
        remove_leftovers(folder).map_err(system("clear of unfinished files the folder", folder))?;
        Ok(self.0.entry(folder.to_owned()).or_insert(Arc::new(lock)).clone())
    }
}

fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let ours = entry.file_name().to_str().is_some_and(|name| {
            let number = name.strip_prefix(TEMPORARY.0).and_then(|rest| rest.strip_suffix(TEMPORARY.1));
            number.is_some_and(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
        });
        if ours && entry.file_type()?.is_file() {
            whole::remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

/// A folder that takes units.
#[derive(Debug)]
pub(super) struct Directory {
    folder: PathBuf,
    temporary: PathBuf,
    /// Held for as long as the folder is written.
    _lock: Arc<File>,
}

impl Directory {
    pub fn open(path: &Path, endpoint: usize, folders: &mut Folders) -> Result<Self, OpenError> {
        fs::create_dir_all(path).map_err(system("make the folder", path))?;
        let folder = fs::canonicalize(path).map_err(system("open", path))?;
        let lock = folders.open(&folder)?;
        let temporary = folder.join(format!("{}{endpoint}{}", TEMPORARY.0, TEMPORARY.1));
        Ok(Directory { folder, temporary, _lock: lock })
    }

    /// The file for the unit, and whether it is there already. Data of the same name and another content, which only a
    /// faulty or hidden source has, goes beside the first, under a name that its content decides.
    fn place(&self, name: &str, pieces: &[Bytes], hash: &str) -> io::Result<(PathBuf, bool)> {
        let first = self.folder.join(name);
        match compare(&first, pieces)? {
            Found::Nothing => return Ok((first, false)),
            Found::Same => return Ok((first, true)),
            Found::Other => {}
        }
        let second = self.folder.join(format!("{name}_{}", &hash[..32]));
        match compare(&second, pieces)? {
            Found::Nothing => Ok((second, false)),
            Found::Same => Ok((second, true)),
            Found::Other => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file of this name has another content: move it away",
            )),
        }
    }
}

impl Sink for Directory {
    fn take(&mut self, delivery: &Delivery, _: &Queue) -> Result<String, NotTaken> {
        let name = unit_name(&delivery.id);
        let hash = whole::sha256(&delivery.payload);
        let done = || -> io::Result<(PathBuf, bool)> {
            let (path, there) = self.place(&name, &delivery.payload, &hash)?;
            if there {
                // The name may not have been on the disk when the node ended.
                whole::sync_folder(&self.folder)?;
            } else {
                whole::write(&self.folder, &self.temporary, &path, &delivery.payload)?;
            }
            Ok((path, there))
        };
        let (path, there) = done().map_err(|error| NotTaken::Because(whole::told(&self.folder.join(&name), &error)))?;
        let length: usize = delivery.payload.iter().map(Bytes::len).sum();
        let before = if there { ", which was there already" } else { "" };
        let (source, path) = (&delivery.id.source, path.display());
        Ok(format!("received {length} bytes from {source} as {path}{before}, SHA-256 {hash}"))
    }
}

enum Found {
    Nothing,
    Same,
    Other,
}

/// What is at a path, against the data: octet by octet, which is surer than a hash and no slower.
fn compare(path: &Path, pieces: &[Bytes]) -> io::Result<Found> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
    if !metadata.is_file() || metadata.len() != length {
        return Ok(Found::Other);
    }
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 << 10];
    for piece in pieces {
        for part in piece.chunks(buffer.len()) {
            match file.read_exact(&mut buffer[..part.len()]) {
                Ok(()) if buffer[..part.len()] == *part => {}
                Ok(()) => return Ok(Found::Other),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Found::Other),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Found::Same)
}
