//! A place with the module, as it was built, and with links.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use farlink_emulated_link::{DelayAndNoise, LinkConfig, Pace, Server};
use tempfile::TempDir;

pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let modules = folder.path().join("modules");
        std::fs::create_dir(&modules).expect("a folder for the module");
        // SoapySDR loads all that is in a folder, and beside the library are others.
        let built = library();
        std::fs::copy(&built, modules.join("libFarlinkSupport.so"))
            .unwrap_or_else(|e| panic!("{}: {e}", built.display()));
        Place { folder }
    }

    pub fn links(&self) -> PathBuf {
        self.folder.path().join("links")
    }

    /// Serves a link without noise.
    #[must_use]
    pub fn serve(&self, name: &str, pace: Pace, delay_samples: u64, buffer_samples: usize) -> Server {
        let medium = Arc::new(move |_, _| Ok(Box::new(DelayAndNoise::new(delay_samples, 0.0, 0)?) as _));
        let config = LinkConfig { pace, buffer_samples, ..LinkConfig::new(medium) };
        Server::start(&self.links(), name, config).expect("a link")
    }

    /// A program that finds the module and the links.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env("SOAPY_SDR_PLUGIN_PATH", self.folder.path().join("modules")).env("FARLINK_LINKS", self.links());
        command
    }
}

/// Beside the tests, where cargo puts what they depend on.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    test.with_file_name("libFarlinkSupport.so")
}

/// What a program says that has to be there.
pub fn started<T>(started: io::Result<T>, program: &str, package: &str) -> T {
    started.unwrap_or_else(|error| panic!("{program}: {error}: install it with `apt-get install {package}`"))
}

/// Everything that a program has said, for the failure of a test.
pub fn said(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
