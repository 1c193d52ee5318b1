//! libfec, run as a process of its own: compiled from `libfec.c` beside this file, which reads stdin and writes stdout.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The compiled program; its folder goes with it.
pub struct Libfec {
    program: PathBuf,
    _folder: tempfile::TempDir,
}

impl Libfec {
    /// Compiles the program.
    ///
    /// # Errors
    /// If there is no C compiler or no libfec, with what to install.
    pub fn build() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no folder for libfec's program: {error}"))?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/libfec.c");
        let program = folder.path().join("libfec");
        let output = Command::new("cc")
            .args(["-std=gnu11", "-O2", "-o"])
            .args([&program, &source])
            .arg("-lfec")
            .output()
            .map_err(|error| {
                format!("cc does not run ({error}); install a C compiler: apt-get install gcc libfec-dev")
            })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("libfec cannot be used; install it: apt-get install libfec-dev\n{said}"));
        }
        Ok(Libfec { program, _folder: folder })
    }

    /// Runs a mode of the program on this input.
    ///
    /// # Errors
    /// If it fails; with what it wrote to stderr.
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let stdin = || -> std::io::Result<File> {
            let mut file = tempfile::tempfile()?;
            file.write_all(input)?;
            file.rewind()?;
            Ok(file)
        };
        let stdin = stdin().map_err(|error| format!("no file for libfec's input: {error}"))?;
        let mut command = Command::new(&self.program);
        let output = command.args(arguments).stdin(Stdio::from(stdin)).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("{arguments:?}: {}, {}", output.status, String::from_utf8_lossy(&output.stderr)));
        }
        Ok(output.stdout)
    }
}
