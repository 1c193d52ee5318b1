//! Segments as they leave.

use bytes::{Bytes, BytesMut};
use farlink_units::{Duration, Instant};
use farlink_wire::ltp::security::COOKIE;
use farlink_wire::ltp::{Content, Extension, Segment, SessionId};

use super::cookies::Jars;
use super::peer::{Echo, Peer};

/// How many bytes are allocated at a time. A few segments share an allocation, which lives until the last of them is let go.
const ARENA: usize = 16 << 10;

/// Where segments are encoded.
#[derive(Debug, Default)]
pub(super) struct Output {
    scratch: Vec<u8>,
    arena: BytesMut,
}

impl Output {
    /// Encodes a segment with the extensions of its session and peer. It leaves now. `echo` are its cookies if the session has
    /// none here.
    pub(super) fn encode(
        &mut self,
        now: Instant,
        jars: &mut Jars,
        peer: Option<&Peer>,
        session: SessionId,
        content: Content<'_>,
        echo: &Echo,
    ) -> Bytes {
        let mut segment = Segment::new(session, content);
        if !jars.is_empty() || !echo.is_empty() {
            let extension = |value| Extension { tag: COOKIE, value };
            match jars.get_mut(&session) {
                Some(jar) => {
                    jar.sent(now + peer.map_or(Duration::ZERO, Peer::round_trip));
                    segment.header_extensions.extend(jar.values().map(extension));
                }
                None => segment.header_extensions.extend(echo.iter().map(|c| extension(c))),
            }
        }
        self.scratch.clear();
        match peer.and_then(|p| p.config.security.as_ref()) {
            Some(security) => security.sign.emit(&segment, &mut self.scratch),
            None => segment.emit(&mut self.scratch),
        }
        if self.arena.capacity() < self.scratch.len() {
            self.arena.reserve(self.scratch.len().max(ARENA));
        }
        self.arena.extend_from_slice(&self.scratch);
        self.arena.split().freeze()
    }
}
