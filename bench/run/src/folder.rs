//! The run folder.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use farlink_record::results::{Results, write_json, write_junit};
use thiserror::Error;

/// Why a run folder could not be made or written.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Something is there already.
    #[error("{} is not empty: choose another folder with --out, or remove it", path.display())]
    NotEmpty {
        /// Which.
        path: PathBuf,
    },
    /// The disk is full.
    #[error(
        "no room left on the disk for {}: free some, or choose a folder on another disk with --out; what was written up to \
         now is kept", path.display()
    )]
    NoRoom {
        /// What was being written.
        path: PathBuf,
    },
    /// A limit on the size of files has been reached.
    #[error(
        "no room left in {}: it has reached the limit on file sizes; raise it with `ulimit -f`, or choose a folder on another \
         disk with --out; what was written up to now is kept", path.display()
    )]
    TooLarge {
        /// What was being written.
        path: PathBuf,
    },
    /// Anything else that the system refuses.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// What was being written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl FolderError {
    pub(crate) fn new(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FolderError::NoRoom { path },
            io::ErrorKind::FileTooLarge => FolderError::TooLarge { path },
            _ => FolderError::Io { path, source },
        }
    }
}

/// A folder with the recording, the capture, the results and the delivered files of one run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder. An empty one that exists is taken.
    ///
    /// # Errors
    /// It is not empty, or the system refuses.
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        let fail = |source| FolderError::new(path, source);
        fs::create_dir_all(path).map_err(fail)?;
        if fs::read_dir(path).map_err(fail)?.next().is_some() {
            return Err(FolderError::NotEmpty { path: path.to_owned() });
        }
        Ok(RunFolder { path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the recording is.
    pub fn recording(&self) -> PathBuf {
        self.path.join("recording.jsonl")
    }

    /// Where the capture is.
    pub fn capture(&self) -> PathBuf {
        self.path.join("capture.pcapng")
    }

    /// Where the results are.
    pub fn results(&self) -> PathBuf {
        self.path.join("results.json")
    }

    /// Where the results for build servers are.
    pub fn junit(&self) -> PathBuf {
        self.path.join("junit.xml")
    }

    pub(crate) fn open(&self, path: &Path) -> Result<File, FolderError> {
        File::create(path).map_err(|source| FolderError::new(path, source))
    }

    /// Writes the results. Each file is replaced as a whole, so that a reader never finds half of one.
    pub fn write_results(&self, results: &Results) -> Result<(), FolderError> {
        replace(&self.results(), |out| write_json(results, out))?;
        replace(&self.junit(), |out| write_junit(results, out))
    }

    /// Writes what was delivered; returns its path within the folder.
    pub(crate) fn write_delivered(&self, name: &str, pieces: &[Bytes]) -> Result<String, FolderError> {
        let folder = self.path.join("delivered");
        fs::create_dir_all(&folder).map_err(|source| FolderError::new(&folder, source))?;
        replace(&folder.join(name), |out| pieces.iter().try_for_each(|piece| out.write_all(piece)))?;
        Ok(format!("delivered/{name}"))
    }
}

fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FolderError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = || -> io::Result<()> {
        let mut out = BufWriter::new(File::create(&part)?);
        write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        fs::rename(&part, path)
    };
    written().map_err(|source| {
        // Half a file helps nobody, and its room may be just what is missing.
        let _ = fs::remove_file(&part);
        FolderError::new(path, source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/run");
        RunFolder::create(&path).unwrap();
        RunFolder::create(&path).unwrap();
        fs::write(path.join("precious"), "data").unwrap();
        let error = RunFolder::create(&path).unwrap_err();
        assert!(matches!(error, FolderError::NotEmpty { .. }) && error.to_string().contains("--out"), "{error}");
    }

    #[test]
    fn a_full_disk_is_called_by_its_name_and_leaves_what_was_there() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("results.json");
        fs::write(&path, "old").unwrap();
        let error = replace(&path, |_| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert!(matches!(error, FolderError::NoRoom { .. }) && error.to_string().contains("no room"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }
}
