use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use farlink_inspect::capture::CaptureError;
use thiserror::Error;

use crate::text::{Form, Key, Parts, PortTextError};

/// How fast the frames of a file come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// When they came then, by the file's time stamps.
    #[default]
    Capture,
    /// As soon as they are asked for.
    None,
}

/// What the frames of a capture are: a number of the registry at tcpdump.org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkType(pub u16);

const ETHERNET: u16 = 1;
const RAW_IP: u16 = 101;
const USER0: u16 = 147;
const USER15: u16 = USER0 + 15;

impl LinkType {
    fn read(text: &str) -> Option<Self> {
        let number = match text {
            "ethernet" => ETHERNET,
            "raw" => RAW_IP,
            _ => match text.strip_prefix("user") {
                Some(user) => user.parse::<u16>().ok().filter(|user| *user < 16)? + USER0,
                None => text.parse().ok()?,
            },
        };
        Some(LinkType(number))
    }
}

impl Default for LinkType {
    fn default() -> Self {
        LinkType(USER0)
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ETHERNET => write!(f, "ethernet"),
            RAW_IP => write!(f, "raw"),
            user @ USER0..=USER15 => write!(f, "user{}", user - USER0),
            number => write!(f, "{number}"),
        }
    }
}

/// A file of frames as a port: `file:in=frames.pcapng,out=out.pcapng`; see the [module](super).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileConfig {
    /// The capture to play. Without it the port gives nothing.
    pub input: Option<PathBuf>,
    /// The capture to write. Without it the port refuses what is sent to it.
    pub output: Option<PathBuf>,
    /// How fast the capture is played.
    pub pace: Pace,
    /// What the frames that are written are.
    pub link_type: LinkType,
}

pub(crate) const FORM: Form = Form {
    kind: "file",
    place: None,
    keys: &[
        Key::value("in", "the path of a pcap or pcapng file"),
        Key::value("out", "the path of the pcapng file to write"),
        Key::value("pace", "capture (as the file's time stamps say) or none (at once)"),
        Key::value("linktype", "ethernet, raw (IP), user0 to user15, or a number of the registry at tcpdump.org"),
    ],
    example: "file:in=frames.pcapng,out=out.pcapng",
};

impl FromStr for FileConfig {
    type Err = PortTextError;
    fn from_str(text: &str) -> Result<Self, PortTextError> {
        let parts = Parts::read(text, &FORM)?;
        let path = |text| Some(PathBuf::from(text));
        let (input, output) = (parts.value("in", path)?, parts.value("out", path)?);
        let pace = parts.choice("pace", &[("capture", Pace::Capture), ("none", Pace::None)])?;
        let link_type = parts.value("linktype", LinkType::read)?;
        if input.is_none() && output.is_none() {
            return Err(parts.refuse("it has neither `in=` nor `out=`"));
        }
        if input.is_none() && pace.is_some() {
            return Err(parts.refuse("`pace=` is for `in=`, which is missing"));
        }
        if output.is_none() && link_type.is_some() {
            return Err(parts.refuse("`linktype=` is for `out=`, which is missing"));
        }
        let (pace, link_type) = (pace.unwrap_or_default(), link_type.unwrap_or_default());
        Ok(FileConfig { input, output, pace, link_type })
    }
}

impl fmt::Display for FileConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = self.input.as_ref().map(|path| format!("in={}", path.display()));
        let output = self.output.as_ref().map(|path| format!("out={}", path.display()));
        let pace = (self.pace == Pace::None).then(|| "pace=none".to_owned());
        let link_type = (self.link_type != LinkType::default()).then(|| format!("linktype={}", self.link_type));
        let keys: Vec<_> = [input, output, pace, link_type].into_iter().flatten().collect();
        write!(f, "file:{}", keys.join(","))
    }
}

/// Why a file of frames cannot be played or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// It is not there.
    #[error("{} does not exist: check the path (from the directory in which this runs)", path.display())]
    Missing {
        /// Which.
        path: PathBuf,
    },
    /// Its directory is not there.
    #[error("{} cannot be written: its directory does not exist; make it with `mkdir -p`", path.display())]
    NoDirectory {
        /// Which.
        path: PathBuf,
    },
    /// This user may not.
    #[error("no permission for {}: see its owner and mode with `ls -l`, or choose another place", path.display())]
    Permission {
        /// Which.
        path: PathBuf,
    },
    /// Something else than a file.
    #[error("{} is {what}, not a file: frames are played from and written to files", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It would be overwritten while it is played.
    #[error("{} is to be played and to be written: write to another file", path.display())]
    Same {
        /// Which.
        path: PathBuf,
    },
    /// What is in it cannot be played.
    #[error("{}: {source} (a file for `in=` is pcap or pcapng, as `tshark -w` writes it)", path.display())]
    Capture {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: CaptureError,
    },
    /// There is no room for it.
    #[error("{} cannot be written: the disk is full (`df` shows what is left); make room or write elsewhere", path.display())]
    Full {
        /// Which.
        path: PathBuf,
    },
    /// Anything else.
    #[error("{} cannot be opened: {source}", path.display())]
    Other {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl FileError {
    pub(super) fn reading(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::NotFound => FileError::Missing { path },
            ErrorKind::PermissionDenied => FileError::Permission { path },
            _ => FileError::Other { path, source },
        }
    }

    pub(super) fn writing(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::NotFound => FileError::NoDirectory { path },
            ErrorKind::PermissionDenied => FileError::Permission { path },
            ErrorKind::IsADirectory => FileError::NotAFile { path, what: "a directory" },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FileError::Full { path },
            _ => FileError::Other { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in [
            "file:in=frames.pcapng,out=/tmp/out.pcapng",
            "file:in=a b=c:d.pcap,pace=none",
            "file:out=x,linktype=ethernet",
            "file:out=x,linktype=raw",
            "file:out=x,linktype=user15",
            "file:out=x,linktype=222",
        ] {
            assert_eq!(text.parse::<FileConfig>().unwrap().to_string(), text);
        }
        let spelt_out: FileConfig = "file:linktype=147,pace=capture,out=x,in=y".parse().unwrap();
        assert_eq!(spelt_out.to_string(), "file:in=y,out=x");
        for (wrong, why) in [
            ("files:in=x", "no kind of port (file)"),
            ("file:", "neither `in=` nor `out=`"),
            ("file:in=", "`in` has no value: it is the path of a pcap or pcapng file"),
            ("file:frames.pcapng", "`frames.pcapng` is no key of `file` (it has in=, out=, pace=, linktype=)"),
            ("file:out=x,pace=none", "`pace=` is for `in=`"),
            ("file:in=x,linktype=1", "`linktype=` is for `out=`"),
            ("file:pace=none", "neither `in=` nor `out=`"),
            ("file:in=x,pace=fast", "it is capture"),
            ("file:out=x,linktype=user16", "user0 to user15"),
            ("file:out=x,linktype=65536", "user0 to user15"),
        ] {
            let error = wrong.parse::<FileConfig>().unwrap_err().to_string();
            assert!(error.contains(why) && error.ends_with("`file:in=frames.pcapng,out=out.pcapng`"), "{error}");
        }
    }

    #[test]
    fn what_the_system_says_is_told_with_a_remedy() {
        let path = Path::new("frames.pcapng");
        let denied = || io::Error::from(ErrorKind::PermissionDenied);
        for error in [FileError::reading(path, denied()), FileError::writing(path, denied())] {
            assert!(error.to_string().starts_with("no permission for frames.pcapng: see its owner"), "{error}");
        }
        let other = FileError::writing(path, ErrorKind::ReadOnlyFilesystem.into());
        assert!(other.to_string().contains("frames.pcapng cannot be opened: "), "{other}");
    }
}
