//! Where sockets are, and whose.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;
use thiserror::Error;

use crate::server::SocketError;

/// What the name of a socket ends with.
const SUFFIX: &str = "sock";

/// The user that this process acts for.
pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The user at the other end of a connection, as the kernel knows.
pub(crate) fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    Ok(socket_peercred(stream.as_fd())?.uid.as_raw())
}

/// Where this user's control sockets are unless said otherwise: `$XDG_RUNTIME_DIR/farlink`, or `/tmp/farlink-UID` where there
/// is no such directory.
pub fn default_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute() && path.is_dir()) {
        Some(runtime) => runtime.join("farlink"),
        None => std::env::temp_dir().join(format!("farlink-{}", own_uid())),
    }
}

/// The control socket of an emulator of this name, unless said otherwise. What cannot be in a file name becomes `-`.
pub fn default_path(name: &str) -> PathBuf {
    let tame = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
    // The path of a socket has 107 bytes at most.
    let name: String = name.chars().map(tame).take(40).collect();
    default_folder().join(format!("{name}.{SUFFIX}"))
}

/// Makes the folder of a socket if it is the default one, and refuses one in which others could replace the socket.
pub(crate) fn prepare_folder(socket: &Path) -> Result<PathBuf, SocketError> {
    let folder = match socket.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => return Err(SocketError::NoName { path: socket.to_owned() }),
    };
    let failed = |source| SocketError::Folder { folder: folder.clone(), source };
    if folder == default_folder()
        && let Err(error) = fs::DirBuilder::new().mode(0o700).create(&folder)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(failed(error));
    }
    let metadata = fs::metadata(&folder).map_err(failed)?;
    // In a sticky directory nobody but the owner of a file can replace it.
    let (mode, sticky) = (metadata.mode(), metadata.mode() & 0o1000 != 0);
    if mode & 0o022 != 0 && !sticky {
        return Err(SocketError::OpenFolder { folder, mode: mode & 0o7777 });
    }
    // Whoever owns the folder can replace what is in it.
    if ![own_uid(), 0].contains(&metadata.uid()) {
        return Err(SocketError::ForeignFolder { folder, uid: metadata.uid() });
    }
    Ok(folder)
}

/// Why no socket was found.
#[derive(Debug, Error)]
pub enum FindError {
    /// Nothing listens there.
    #[error(
        "no emulator of yours listens in {}: start one with `--control`, or name its socket with `--socket PATH`",
        folder.display()
    )]
    None {
        /// Where was looked.
        folder: PathBuf,
    },
    /// Several do.
    #[error("several emulators of yours listen: name one with `--socket PATH`:{}", list(sockets))]
    Several {
        /// Their sockets.
        sockets: Vec<PathBuf>,
    },
    /// The folder cannot be read.
    #[error("cannot look for sockets in {}: {source}; name one with `--socket PATH`", folder.display())]
    Unreadable {
        /// Which folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn list(sockets: &[PathBuf]) -> String {
    sockets.iter().map(|path| format!("\n  {}", path.display())).collect()
}

/// The socket of the one emulator of this user that listens at a default path.
///
/// # Errors
/// There is none, or there are several.
pub fn find() -> Result<PathBuf, FindError> {
    let folder = default_folder();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FindError::None { folder }),
        Err(source) => return Err(FindError::Unreadable { folder, source }),
    };
    let mut sockets: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|suffix| suffix == SUFFIX) && is_live(path))
        .collect();
    sockets.sort();
    match sockets.len() {
        0 => Err(FindError::None { folder }),
        1 => Ok(sockets.remove(0)),
        _ => Err(FindError::Several { sockets }),
    }
}

/// Whether a process of this user listens there.
fn is_live(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
    is_socket && UnixStream::connect(path).is_ok_and(|stream| peer_uid(&stream).is_ok_and(|uid| uid == own_uid()))
}
