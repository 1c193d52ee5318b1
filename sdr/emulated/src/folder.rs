//! Where the sockets of links are, and whose.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;

use crate::server::ServeError;

/// What the name of a link's socket ends with.
pub(crate) const SUFFIX: &str = "link";

/// Longest name of a link: the path of a socket has 107 bytes at most.
const LONGEST_NAME: usize = 40;

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether the process at the other end of a connection is this user's, or root's.
pub(crate) fn is_ours(stream: &UnixStream) -> bool {
    socket_peercred(stream.as_fd()).is_ok_and(|peer| [own_uid(), 0].contains(&peer.uid.as_raw()))
}

/// Where links are served and looked for: `$FARLINK_LINKS`; else `$XDG_RUNTIME_DIR/farlink`; else `/tmp/farlink-UID`.
pub fn default_folder() -> PathBuf {
    let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = named("FARLINK_LINKS") {
        return folder;
    }
    match named("XDG_RUNTIME_DIR").filter(|path| path.is_dir()) {
        Some(runtime) => runtime.join("farlink"),
        None => PathBuf::from(format!("/tmp/farlink-{}", own_uid())),
    }
}

/// The socket of the link of a name in a folder.
///
/// # Errors
/// No link can be called so.
pub fn path_of(folder: &Path, name: &str) -> Result<PathBuf, ServeError> {
    let tame = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') || !name.chars().all(tame) {
        return Err(ServeError::Name { name: name.into(), longest: LONGEST_NAME });
    }
    Ok(folder.join(format!("{name}.{SUFFIX}")))
}

/// Makes the folder if there is none, and refuses one in which others could put a socket of theirs.
pub(crate) fn prepare(folder: &Path) -> Result<(), ServeError> {
    let failed = |source| ServeError::Folder { folder: folder.to_owned(), source };
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let metadata = fs::metadata(folder).map_err(failed)?;
    if !metadata.is_dir() {
        return Err(failed(io::ErrorKind::NotADirectory.into()));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(ServeError::OpenFolder { folder: folder.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    if ![own_uid(), 0].contains(&metadata.uid()) {
        return Err(ServeError::ForeignFolder { folder: folder.to_owned(), uid: metadata.uid() });
    }
    Ok(())
}
