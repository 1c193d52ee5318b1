//! A VLAN device in user space: not every kernel has its own.

use std::io;

use bytes::Bytes;
use farlink_ports::port::Interest;
use farlink_ports::{Notice, Port, Received, Sent, Timebase};
use farlink_units::Instant;

/// A port whose frames carry a VLAN tag outside and none inside. What comes without the tag is left out.
#[derive(Debug)]
pub struct Tagged<P> {
    pub port: P,
    /// All tags, the outer one first.
    pub tags: Vec<u8>,
}

impl<P: Port> Port for Tagged<P> {
    fn name(&self) -> String {
        self.port.name()
    }

    fn interest<'a>(&'a self, watch: &mut dyn FnMut(Interest<'a>)) {
        self.port.interest(watch);
    }

    fn wake_at(&self) -> Option<Instant> {
        self.port.wake_at()
    }

    fn receive(&mut self, base: &Timebase, frames: &mut Vec<Received>) -> io::Result<()> {
        let mut outer = Vec::new();
        self.port.receive(base, &mut outer)?;
        frames.extend(outer.into_iter().filter_map(|Received { at, content }| {
            let rest = content.get(12..)?.strip_prefix(&self.tags[..])?;
            Some(Received { at, content: [&content[..12], rest].concat().into() })
        }));
        Ok(())
    }

    fn send(&mut self, frames: &[Bytes]) -> Sent {
        let tagged: Vec<Bytes> =
            frames.iter().map(|frame| [&frame[..12], &self.tags, &frame[12..]].concat().into()).collect();
        self.port.send(&tagged)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.port.poll_notice()
    }
}
