//! The end of the socket from which an emulator is told what to do.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::place::{own_uid, peer_uid};
use crate::protocol::{Answer, Ask, RequestLine, VERSION, VersionOnly, read_answer};
use crate::server::Lines;

/// How long an answer is waited for: longer than an emulator takes to say that it has none.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longest answer that is read, in bytes: a snapshot of many channels.
const MAX_ANSWER: usize = 1 << 24;

/// Why an emulator could not be told.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nothing listens there.
    #[error("{}: no emulator listens there ({source}): start one with `--control`", path.display())]
    Connect {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another user's process listens there.
    #[error("{}: user {uid} listens there, not you: nothing was said to it", path.display())]
    Foreign {
        /// The path.
        path: PathBuf,
        /// Who listens.
        uid: u32,
    },
    /// The connection broke.
    #[error("{}: the connection broke: {source}", path.display())]
    Broken {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It went away without an answer.
    #[error("{}: the emulator ended before it answered", path.display())]
    Ended {
        /// The path.
        path: PathBuf,
    },
    /// What it says is no answer.
    #[error("{}: what listens there does not answer as an emulator does: {reason}", path.display())]
    NoAnswer {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A connection to an emulator of the same user.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: UnixStream,
    lines: Lines,
}

impl Client {
    /// Connects to the emulator that listens at `path`.
    ///
    /// # Errors
    /// None listens there, or another user does.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let path = path.to_owned();
        let connected = UnixStream::connect(&path).and_then(|stream| {
            stream.set_write_timeout(Some(PATIENCE))?;
            let uid = peer_uid(&stream)?;
            Ok((stream, uid))
        });
        match connected {
            Ok((_, uid)) if uid != own_uid() => Err(ClientError::Foreign { path, uid }),
            Ok((stream, _)) => Ok(Client { path, stream, lines: Lines { buffer: Vec::new(), limit: MAX_ANSWER } }),
            Err(source) => Err(ClientError::Connect { path, source }),
        }
    }

    /// Asks, and waits for the answer. `channel` is the name of a channel; `None` is all of them.
    ///
    /// # Errors
    /// No answer came. That it was refused is an answer.
    pub fn ask(&mut self, channel: Option<&str>, ask: Ask) -> Result<Answer, ClientError> {
        let line = RequestLine { version: VERSION, channel: channel.map(Into::into), ask };
        let mut text = serde_json::to_vec(&line).map_err(|error| self.broken(error.into()))?;
        text.push(b'\n');
        // Whoever is turned away has been told why, though nobody takes what it says.
        let written = self.stream.write_all(&text);
        let read = self.lines.next(&mut self.stream, PATIENCE);
        match (read, written) {
            (Ok(Some(line)), _) => self.read(&line),
            (_, Err(error)) | (Err(error), _) => Err(self.broken(error)),
            (Ok(None), Ok(())) => Err(ClientError::Ended { path: self.path.clone() }),
        }
    }

    fn broken(&self, source: io::Error) -> ClientError {
        ClientError::Broken { path: self.path.clone(), source }
    }

    fn read(&self, line: &[u8]) -> Result<Answer, ClientError> {
        let no_answer = |reason: String| ClientError::NoAnswer { path: self.path.clone(), reason };
        let VersionOnly { version } = serde_json::from_slice(line).map_err(|error| no_answer(error.to_string()))?;
        if version != VERSION {
            return Err(no_answer(format!("it speaks version {version} of the protocol, and this program {VERSION}")));
        }
        read_answer(line).map_err(|error| no_answer(error.to_string()))
    }
}
