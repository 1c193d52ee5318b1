//! The files that a file names.

use std::path::Path;

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
