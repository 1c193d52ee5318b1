use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use bytes::Bytes;
use farlink_units::Instant;

use super::sink::Sink;
use super::source::Source;
use super::{FileConfig, FileError};
use crate::Timebase;
use crate::port::{Interest, Notice, Port, Received, Sent, Stopped};

/// A file of frames as a port; see the [module](super).
pub struct FilePort {
    config: FileConfig,
    base: Timebase,
    source: Option<Source>,
    sink: Option<Sink>,
    notices: VecDeque<Notice>,
}

impl fmt::Debug for FilePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePort").field("config", &self.config).field("notices", &self.notices).finish_non_exhaustive()
    }
}

impl FilePort {
    /// Opens the file to play and begins the file to write.
    ///
    /// # Errors
    /// A file that is missing, not permitted, no file, no capture or damaged from the start; no room to write.
    pub fn open(config: FileConfig, base: &Timebase) -> Result<Self, FileError> {
        let mut notices = VecDeque::new();
        if let (Some(input), Some(output)) = (&config.input, &config.output) {
            let identity = |path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
            if let (Ok(input), Ok(output_identity)) = (identity(input), identity(output))
                && input == output_identity
            {
                return Err(FileError::Same { path: output.clone() });
            }
        }
        let source = match &config.input {
            Some(path) => Some(Source::open(path, config.pace, &mut notices)?),
            None => None,
        };
        let sink = match &config.output {
            Some(path) => Some(Sink::open(path, config.link_type, base)?),
            None => None,
        };
        notices.push_front(Notice::Up { detail: String::new() });
        Ok(FilePort { config, base: *base, source, sink, notices })
    }
}

impl Port for FilePort {
    fn name(&self) -> String {
        self.config.to_string()
    }

    fn interest<'a>(&'a self, _watch: &mut dyn FnMut(Interest<'a>)) {}

    fn wake_at(&self) -> Option<Instant> {
        let source = self.source.as_ref().and_then(Source::wake_at);
        let sink = self.sink.as_ref().and_then(Sink::wake_at);
        [source, sink].into_iter().flatten().min()
    }

    fn receive(&mut self, base: &Timebase, frames: &mut Vec<Received>) -> io::Result<()> {
        let now = base.now();
        if let Some(source) = &mut self.source {
            source.receive(now, frames, &mut self.notices);
        }
        if let Some(sink) = &mut self.sink {
            sink.receive(now, &mut self.notices);
        }
        Ok(())
    }

    fn send(&mut self, frames: &[Bytes]) -> Sent {
        match &mut self.sink {
            Some(sink) => sink.send(frames, self.base.now(), &mut self.notices),
            None if frames.is_empty() => Sent::all(0),
            None => {
                let why = "this port writes no file: give it `out=`".to_owned();
                Sent { taken: 0, stopped: Some(Stopped::Refused(why)) }
            }
        }
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    fn is_exhausted(&self) -> bool {
        self.source.as_ref().is_none_or(Source::is_exhausted)
    }
}
