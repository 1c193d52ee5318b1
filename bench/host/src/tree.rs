//! The files in which a system tells of itself.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The most that is read of a file. Those of `/proc` and `/sys` are far shorter.
const LONGEST: u64 = 4 << 20;

/// Where the files of the system are, and where programs are looked for.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
    programs: Vec<PathBuf>,
}

impl Tree {
    /// This system, with the programs of `PATH`.
    pub fn of_this_system() -> Self {
        let programs = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
        Tree { root: PathBuf::from("/"), programs }
    }

    /// Files below `root` as if it were `/`, with the programs of its `usr/bin`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Tree { programs: vec![root.join("usr/bin")], root }
    }

    /// Where a file is, given without a leading `/`.
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.root.join(file)
    }

    /// What is in a file, without white space at its ends.
    ///
    /// # Errors
    /// It cannot be read, is no text, or is longer than 4 MiB.
    pub fn read(&self, file: impl AsRef<Path>) -> io::Result<String> {
        use std::io::Read;
        let mut text = String::new();
        fs::File::open(self.path(file))?.take(LONGEST + 1).read_to_string(&mut text)?;
        if text.len() as u64 > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than 4 MiB"));
        }
        Ok(text.trim().to_owned())
    }

    /// The number that a file holds.
    ///
    /// # Errors
    /// It cannot be read, or holds something else.
    pub fn number(&self, file: impl AsRef<Path>) -> io::Result<i64> {
        let text = self.read(file)?;
        text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("`{text}` is no number")))
    }

    /// Names in a folder, in order.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn list(&self, folder: impl AsRef<Path>) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(folder))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Names in a folder that may not be there, in order.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn list_if_there(&self, folder: impl AsRef<Path>) -> io::Result<Vec<String>> {
        match self.list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other,
        }
    }

    /// Where a program is, if there is such a file that may be executed.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let executable =
            |path: &PathBuf| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
        self.programs.iter().map(|folder| folder.join(name)).find(executable)
    }
}

/// Reads a list of cores such as `0-2,5`; nothing if it is something else.
pub(crate) fn cores(text: &str) -> Option<Vec<usize>> {
    // The kernel knows of no machine with more.
    const MOST: usize = 1 << 16;
    let mut cores = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if last >= MOST {
            return None;
        }
        cores.extend(first..=last);
    }
    Some(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read_and_nonsense_is_not() {
        assert_eq!(cores("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(cores(""), Some(Vec::new()));
        assert_eq!(cores("3"), Some(vec![3]));
        for nonsense in ["a", "1-", "-1", "0-99999999999", "0-9999999"] {
            assert_eq!(cores(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_program_is_a_file_that_may_be_executed() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("usr/bin");
        fs::create_dir_all(bin.join("folder")).unwrap();
        for (name, mode) in [("tool", 0o755), ("text", 0o644)] {
            fs::write(bin.join(name), "#!/bin/sh\n").unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let tree = Tree::at(root.path());
        assert_eq!(tree.program("tool"), Some(bin.join("tool")));
        for nothing in ["text", "folder", "missing"] {
            assert_eq!(tree.program(nothing), None, "{nothing}");
        }
    }
}
