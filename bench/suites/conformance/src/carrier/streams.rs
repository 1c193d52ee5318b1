//! Bundles one after the other in streams: STCP and MTCP.

use std::collections::BTreeMap;

use farlink_wire::{mtcp, stcp};

use super::LONGEST_TAKEN;
use crate::medium::{Door, Happening, Stream};
use crate::outcome::Finding;
use crate::tester::Tester;

/// The streams of a case. The tester writes to one that it has opened; whatever the node writes to any is read.
pub struct Streams {
    door: Door,
    out: Option<Stream>,
    open: BTreeMap<Stream, Deframer>,
}

enum Deframer {
    Stcp(stcp::Deframer),
    Mtcp(mtcp::Deframer),
}

impl Deframer {
    fn new(door: Door) -> Self {
        match door {
            Door::Mtcp => Deframer::Mtcp(mtcp::Deframer::new(LONGEST_TAKEN)),
            _ => Deframer::Stcp(stcp::Deframer::new(LONGEST_TAKEN)),
        }
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, String> {
        match self {
            Deframer::Stcp(deframer) => deframer.read(input).map_err(|error| error.to_string()),
            Deframer::Mtcp(deframer) => deframer.read(input).map_err(|error| error.to_string()),
        }
    }
}

impl Streams {
    pub(super) fn new(door: Door) -> Self {
        Streams { door, out: None, open: BTreeMap::new() }
    }

    pub(super) fn send(&mut self, tester: &mut Tester<'_>, bundle: &[u8]) -> Result<(), Finding> {
        let head = match self.door {
            Door::Mtcp => mtcp::head(bundle.len()),
            _ => stcp::preamble(bundle.len())
                .ok_or_else(|| Finding::bench_error("the bundle is too long for STCP"))?
                .to_vec(),
        };
        let stream = match self.out {
            Some(stream) => stream,
            None => {
                let stream = tester.connect(self.door)?;
                self.open.insert(stream, Deframer::new(self.door));
                *self.out.insert(stream)
            }
        };
        tester.write(stream, &[&head, bundle].concat())
    }

    pub(super) fn take(&mut self, what: &Happening) -> Result<Vec<Vec<u8>>, Finding> {
        let mut bundles = Vec::new();
        match what {
            Happening::Octets { stream, octets } if stream.door == self.door => {
                let door = self.door;
                let deframer = self.open.entry(*stream).or_insert_with(|| Deframer::new(door));
                let mut input = octets.as_slice();
                loop {
                    match deframer.read(&mut input) {
                        Ok(Some(bundle)) => bundles.push(bundle),
                        Ok(None) => break,
                        Err(why) => {
                            return Err(Finding::deviation(format!("bundles framed as {} has it", door.as_str()), why));
                        }
                    }
                }
            }
            Happening::Finished { stream } | Happening::Reset { stream } => {
                self.open.remove(stream);
                // What the node does not want to hear any more goes over a new connection.
                self.out = self.out.filter(|out| out != stream);
            }
            _ => {}
        }
        Ok(bundles)
    }

    pub(super) fn close(&mut self, tester: &mut Tester<'_>) {
        if let Some(stream) = self.out.take() {
            tester.finish(stream);
        }
        self.open.clear();
    }
}
