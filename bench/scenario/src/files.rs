//! The files that a file names.

use std::fmt::Display;
use std::path::Path;

use crate::located::At;
use crate::notes::Notes;

/// The largest file of positions, elements or errors that is read, in bytes: a month of positions every second.
const MAX_DATA_BYTES: u64 = 256 << 20;

/// The folder that the paths in a file are relative to.
pub(crate) struct Folder<'a>(pub &'a Path);

impl Folder<'_> {
    /// What `parse` makes of the file at `path`.
    pub(crate) fn read<T, E: Display>(
        &self,
        path: &At<String>,
        notes: &mut Notes,
        parse: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Option<T> {
        let full = self.0.join(&path.value);
        let mut refuse = |message: String, help: &str| {
            notes.error(path.position, message, help);
            None
        };
        let here = "a path is relative to the folder of this file";
        if let Err(reason) = can_be_read(&full) {
            return refuse(format!("the file {} {reason}", full.display()), here);
        }
        if std::fs::metadata(&full).is_ok_and(|metadata| metadata.len() > MAX_DATA_BYTES) {
            return refuse(format!("the file {} is larger than 256 MiB", full.display()), "give a shorter one");
        }
        let bytes = match std::fs::read(&full) {
            Ok(bytes) => bytes,
            Err(error) => return refuse(format!("the file {} cannot be read: {error}", full.display()), here),
        };
        parse(&bytes).map_or_else(|error| refuse(format!("{}: {error}", full.display()), "mend that file"), Some)
    }
}

/// Says why the file at `path` cannot be used: it is not there, not open to us, not a file with bytes in it.
pub(crate) fn can_be_read(path: &Path) -> Result<(), String> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err("is a directory".to_owned());
    }
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    std::fs::File::open(path).map_err(unreadable)?;
    if metadata.len() == 0 {
        return Err("is empty".to_owned());
    }
    Ok(())
}
