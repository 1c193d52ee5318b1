//! An exchange as a capture.

use std::io::{self, Write};

use farlink_record::capture::LTP_PORT;
use farlink_record::capture::conversation::{ConversationWriter, Sender};

use super::{By, Deed, Exchange};
use crate::medium::Door;

/// The port by which Wireshark knows what is spoken.
const fn port(door: Door) -> u16 {
    match door {
        Door::Ltp => LTP_PORT,
        Door::SecondLtp => LTP_PORT + 1,
        // RFC 9174 section 9.1 and RFC 7122 section 3.2.2.
        Door::Tcpcl | Door::Udp => 4556,
        // dtn7's and ION's.
        Door::Mtcp => 16_162,
        Door::Stcp => 4557,
    }
}

impl Exchange {
    /// Writes the exchange as pcapng, as the tester saw it. `epoch_unix_nanos` is the tester's instant zero.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn write_capture(
        &self,
        out: impl Write,
        comment: &str,
        farlink: &str,
        epoch_unix_nanos: i64,
    ) -> io::Result<()> {
        let mut capture = ConversationWriter::new(out, comment, farlink, epoch_unix_nanos)?;
        for step in &self.steps {
            let sender = match step.by {
                By::Tester => Sender::Tester,
                By::Node => Sender::Node,
            };
            match &step.deed {
                Deed::Datagram(door, octets) => capture.datagram(step.at, sender, port(*door), octets)?,
                Deed::Opened(stream) => capture.open(step.at, sender, stream.number, port(stream.door))?,
                Deed::Octets(stream, octets) => capture.octets(step.at, sender, stream.number, octets)?,
                Deed::Finished(stream) => capture.finish(step.at, sender, stream.number)?,
                Deed::Reset(stream) => capture.reset(step.at, sender, stream.number)?,
                Deed::Delivered(_) | Deed::Note(_) => {}
            }
        }
        capture.close()
    }
}
