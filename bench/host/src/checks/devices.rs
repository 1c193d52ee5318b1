//! Radios and serial ports.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};

use super::program::{ask, version};
use super::{Check, State};
use crate::Tree;

const TOPIC: &str = "devices";

/// Loading every module of a radio takes a while.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn checks(tree: &Tree, modules: &[PathBuf], sdr_built: bool) -> Vec<Check> {
    let there = sdr_modules(tree, modules);
    vec![build(sdr_built), sdr(tree, &there), farlink_module(&there), remote(tree, &there), serial(tree)]
}

/// Whether this program can use radios at all.
fn build(sdr_built: bool) -> Check {
    const NAME: &str = "sdr-build";
    if sdr_built {
        return Check::new(TOPIC, NAME, State::Good, "this build uses radios through SoapySDR");
    }
    let found = "this build has no SoapySDR: emulated links and recordings work, radios do not";
    Check::new(TOPIC, NAME, State::Absent, found)
        .command("sudo apt-get install libsoapysdr-dev && cargo build --release --features soapy")
}

/// The ends of emulated links, for programs that know SoapySDR.
fn farlink_module(modules: &[String]) -> Check {
    const NAME: &str = "sdr-farlink";
    if modules.iter().any(|module| module == "FarlinkSupport") {
        return Check::new(TOPIC, NAME, State::Good, "the module FarlinkSupport (driver=farlink)");
    }
    let found = "no module FarlinkSupport (driver=farlink); other programs cannot use emulated links";
    Check::new(TOPIC, NAME, State::Absent, found).command(
        "sudo apt-get install g++ pkg-config libsoapysdr-dev && cargo build --release -p farlink-soapy-module --features module && \
         sudo install -D -t /usr/local/lib/SoapySDR/modules0.8 target/release/libFarlinkSupport.so",
    )
}

/// Radios on other hosts, by SoapyRemote: its module here, its server there.
fn remote(tree: &Tree, modules: &[String]) -> Check {
    const NAME: &str = "sdr-remote";
    let module = modules.iter().any(|module| module == "remoteSupport");
    let server = tree.program("SoapySDRServer").is_some();
    let (state, found) = match (module, server) {
        (true, true) => (State::Good, "SoapyRemote: the module (driver=remote) and SoapySDRServer"),
        (true, false) => {
            (State::Good, "SoapyRemote: the module (driver=remote); no SoapySDRServer to offer radios from here")
        }
        (false, true) => (State::Absent, "SoapySDRServer, but not SoapyRemote's module (driver=remote)"),
        (false, false) => (State::Absent, "no SoapyRemote (neither its module nor SoapySDRServer)"),
    };
    Check::new(TOPIC, NAME, state, found).command("sudo apt-get install soapysdr-module-remote soapyremote-server")
}

/// The names of all modules of SoapySDR, without `lib` and ending.
fn sdr_modules(tree: &Tree, told: &[PathBuf]) -> Vec<String> {
    let mut modules: Vec<String> = libraries(tree)
        .iter()
        .flat_map(|folder| modules_below(folder))
        .chain(told.iter().cloned())
        .flat_map(|folder| names_in(&folder))
        .filter(|name| name.contains(".so"))
        .map(|name| name.split('.').next().unwrap_or_default().trim_start_matches("lib").to_owned())
        .collect();
    modules.sort_unstable();
    modules.dedup();
    modules
}

/// Folders of modules that SoapySDR is told of by the environment.
pub fn modules_by_environment() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        env::var_os("SOAPY_SDR_PLUGIN_PATH").map(|paths| env::split_paths(&paths).collect()).unwrap_or_default();
    if let Some(root) = env::var_os("SOAPY_SDR_ROOT") {
        folders.extend(modules_below(&Path::new(&root).join("lib")));
    }
    folders
}

/// `SoapySDR/modules0.8` and the like.
fn modules_below(libraries: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(libraries.join("SoapySDR")).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("modules")))
        .collect()
}

/// Folders of libraries: `usr/lib`, those of architectures in it, `usr/local/lib`.
fn libraries(tree: &Tree) -> Vec<PathBuf> {
    let mut folders = vec![tree.path("usr/local/lib"), tree.path("usr/lib"), tree.path("usr/lib64")];
    let architectures = tree.list_if_there("usr/lib").unwrap_or_default();
    folders.extend(
        architectures.iter().filter(|name| name.contains("-linux-")).map(|name| tree.path("usr/lib").join(name)),
    );
    folders
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn sdr(tree: &Tree, modules: &[String]) -> Check {
    const NAME: &str = "sdr";
    let folders = libraries(tree);
    let library = folders.iter().flat_map(|folder| names_in(folder)).find(|name| name.starts_with("libSoapySDR.so"));
    let tool = tree.program("SoapySDRUtil");
    if library.is_none() && tool.is_none() {
        return Check::new(TOPIC, NAME, State::Absent, "no SoapySDR (neither SoapySDRUtil nor libSoapySDR.so)")
            .command("sudo apt-get install soapysdr-tools soapysdr-module-all");
    }
    let mut found = library.map_or("SoapySDR".to_owned(), |library| format!("SoapySDR ({library})"));
    if let Some(tool) = tool {
        match ask(&tool, &["--info"], "", PATIENCE) {
            Ok(text) => match version(&text, &["version"]) {
                Some(version) => found += &format!(" {version}"),
                None => found += ", SoapySDRUtil tells no version",
            },
            Err(error) => found += &format!(", SoapySDRUtil --info: {error}"),
        }
    }
    if modules.is_empty() {
        let check = Check::new(TOPIC, NAME, State::Absent, format!("{found}, without a module for any radio"));
        return check.command("sudo apt-get install soapysdr-module-all");
    }
    Check::new(TOPIC, NAME, State::Good, format!("{found}; modules: {}", modules.join(", ")))
}

/// Ports that have hardware behind them: what the kernel lists as a `ttyS` may be none (its type is 0 then).
fn serial(tree: &Tree) -> Check {
    const NAME: &str = "serial-ports";
    let names = match tree.list_if_there("sys/class/tty") {
        Ok(names) => names,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    let is_real = |name: &String| {
        let folder = format!("sys/class/tty/{name}");
        tree.path(format!("{folder}/device")).exists()
            && tree.number(format!("{folder}/type")).map_or(true, |kind| kind != 0)
    };
    let ports: Vec<String> = names.into_iter().filter(is_real).collect();
    if ports.is_empty() {
        return Check::new(
            TOPIC,
            NAME,
            State::Absent,
            "none (neither ttyUSB*, ttyACM* nor ttyS*); `pty:` ports need none",
        );
    }
    let ids = tree.list_if_there("dev/serial/by-id").unwrap_or_default();
    let id_of = |port: &str| {
        ids.iter().find(|id| {
            let target = fs::read_link(tree.path("dev/serial/by-id").join(id));
            target.is_ok_and(|target| target.file_name().is_some_and(|name| name.to_string_lossy() == port))
        })
    };
    let described = ports.iter().map(|port| match id_of(port) {
        Some(id) => format!("{port} (/dev/serial/by-id/{id})"),
        None => port.clone(),
    });
    let mut found = described.collect::<Vec<_>>().join(", ");
    let refused: Vec<&str> = ports
        .iter()
        .filter(|port| access(tree.path("dev").join(port), Access::READ_OK | Access::WRITE_OK).is_err())
        .map(String::as_str)
        .collect();
    if refused.is_empty() {
        return Check::new(TOPIC, NAME, State::Good, found);
    }
    found += &format!("; this user may not open {}", refused.join(", "));
    Check::new(TOPIC, NAME, State::Absent, found).command("sudo usermod -aG dialout \"$USER\" && newgrp dialout")
}
