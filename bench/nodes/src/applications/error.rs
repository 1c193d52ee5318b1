//! Why applications cannot be served.

use std::io;
use std::path::PathBuf;

use farlink_wire::bpv7::Eid;
use thiserror::Error;

/// Why a target cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// RFC 9171 §3.1 would allow it; this node serves one application at an endpoint.
    #[error("{endpoint} has two applications: give each an endpoint of its own")]
    Twice {
        /// Which.
        endpoint: Eid,
    },
    /// The folder of another running node.
    #[error("the folder {path} is in use by another node: stop that one, or name another folder")]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// Two endpoints would overwrite each other's data.
    #[error("{path} is named for two endpoints, and each would replace what the other has written: name two files")]
    FileTwice {
        /// The file.
        path: PathBuf,
    },
    /// A directory, a device, a pipe.
    #[error("{path} is there and is no regular file, so it cannot be replaced: name another file, or a directory")]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// An empty command.
    #[error("the program for {endpoint} has no name: write the program, then its arguments")]
    NoProgram {
        /// Which.
        endpoint: Eid,
    },
    /// A limit of the operating system.
    #[error("the socket path {path} has {octets} octets, and the system takes {most}: name a shorter one")]
    SocketPathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        octets: usize,
        /// The limit.
        most: usize,
    },
    /// Somebody listens there.
    #[error("the socket {path} is in use by another program: stop that one, or name another path (`ss -xlp` names it)")]
    SocketInUse {
        /// The path.
        path: PathBuf,
    },
    /// What is there would be lost.
    #[error("{path} is there and is no socket: move it away, or name another path")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("cannot {what} {path}: {source}: {mend}")]
    System {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
        /// What can be done about it.
        mend: &'static str,
    },
    /// No thread to be had.
    #[error("cannot start a thread for an application: {0}: end other programs, or raise the limit on processes")]
    Thread(#[source] io::Error),
}

/// Says of a failed system call what was tried, and how to mend it.
pub(super) fn system(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| {
        let mend = match source.kind() {
            io::ErrorKind::NotFound => "make the folder that it is in",
            io::ErrorKind::PermissionDenied => "let this user write there, or name another place",
            io::ErrorKind::ReadOnlyFilesystem => "name a place that can be written",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some room, or name another disk",
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                "a file is in the way: move it, or name another place"
            }
            _ => "name another place",
        };
        OpenError::System { what, path, source, mend }
    }
}
