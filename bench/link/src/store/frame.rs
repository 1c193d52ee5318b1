//! A frame as it lies in a chunk: a header of fixed length, little-endian, and the content.

use bytes::Bytes;
use farlink_record::{Delays, DurationNanos, LossCause};
use farlink_units::Instant;

use crate::channel::Arrival;

/// Length of the header in bytes.
pub(super) const HEADER_BYTES: usize = 56;

/// Length of a frame in a chunk, in bytes.
pub(super) const fn length(content: usize) -> usize {
    HEADER_BYTES + content
}

/// Writes a frame to the start of `to` and returns its length; there must be room for it.
pub(super) fn write(arrival: &Arrival, to: &mut [u8]) -> usize {
    // Every field by name: one that is added must be added here.
    let Arrival { at, frame, bytes, content, flipped_bits, lost, delays } = arrival;
    let Delays { queueing, serialisation, propagation } = delays;
    let lost = lost.and_then(|cause| LossCause::ALL.iter().position(|known| *known == cause)).map_or(0, |i| i + 1);
    let (header, rest) = to.split_at_mut(HEADER_BYTES);
    let mut fields = Fields(header);
    fields.put(at.as_nanos().to_le_bytes());
    fields.put(frame.to_le_bytes());
    fields.put(bytes.to_le_bytes());
    fields.put((content.len() as u32).to_le_bytes());
    fields.put(flipped_bits.to_le_bytes());
    fields.put((lost as u32).to_le_bytes());
    fields.put(queueing.0.to_le_bytes());
    fields.put(serialisation.0.to_le_bytes());
    fields.put(propagation.0.to_le_bytes());
    rest[..content.len()].copy_from_slice(content);
    length(content.len())
}

/// When the frame that starts at `at` is due.
pub(super) fn due(chunk: &[u8], at: usize) -> Option<Instant> {
    let nanos = chunk.get(at..)?.first_chunk()?;
    Some(Instant::from_nanos(i64::from_le_bytes(*nanos)))
}

/// Reads the frame that starts at `at`, and where the next one does. `content` makes the content of a range of the chunk.
/// `None` if what lies there is no frame.
pub(super) fn read(
    chunk: &[u8],
    at: usize,
    content: impl FnOnce(std::ops::Range<usize>) -> Bytes,
) -> Option<(Arrival, usize)> {
    let header: &[u8; HEADER_BYTES] = chunk.get(at..)?.first_chunk()?;
    let mut rest = &header[..];
    let due = i64::from_le_bytes(take(&mut rest)?);
    let frame = u64::from_le_bytes(take(&mut rest)?);
    let bytes = u32::from_le_bytes(take(&mut rest)?);
    let content_bytes = u32::from_le_bytes(take(&mut rest)?) as usize;
    let flipped_bits = u32::from_le_bytes(take(&mut rest)?);
    let lost = match u32::from_le_bytes(take(&mut rest)?) as usize {
        0 => None,
        code => Some(*LossCause::ALL.get(code - 1)?),
    };
    let mut nanos = || Some(DurationNanos(i64::from_le_bytes(take(&mut rest)?)));
    let delays = Delays { queueing: nanos()?, serialisation: nanos()?, propagation: nanos()? };
    let start = at + HEADER_BYTES;
    let end = start.checked_add(content_bytes).filter(|end| *end <= chunk.len())?;
    let at = Instant::from_nanos(due);
    Some((Arrival { at, frame, bytes, content: content(start..end), flipped_bits, lost, delays }, end))
}

struct Fields<'a>(&'a mut [u8]);

impl Fields<'_> {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let (field, rest) = std::mem::take(&mut self.0).split_at_mut(N);
        field.copy_from_slice(&bytes);
        self.0 = rest;
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (field, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn any_arrival()(
            at in any::<i64>(),
            frame in any::<u64>(),
            bytes in any::<u32>(),
            content in prop::collection::vec(any::<u8>(), 0..300),
            flipped_bits in any::<u32>(),
            lost in prop::option::of(prop::sample::select(&LossCause::ALL[..])),
            delays in any::<(i64, i64, i64)>(),
        ) -> Arrival {
            let delays = Delays {
                queueing: DurationNanos(delays.0),
                serialisation: DurationNanos(delays.1),
                propagation: DurationNanos(delays.2),
            };
            Arrival { at: Instant::from_nanos(at), frame, bytes, content: content.into(), flipped_bits, lost, delays }
        }
    }

    proptest! {
        #[test]
        fn every_field_comes_back(arrivals in prop::collection::vec(any_arrival(), 1..5)) {
            let mut chunk = vec![0; arrivals.iter().map(|a| length(a.content.len())).sum()];
            let mut end = 0;
            for arrival in &arrivals {
                end += write(arrival, &mut chunk[end..]);
            }
            prop_assert_eq!(end, chunk.len());
            let chunk = Bytes::from(chunk);
            let mut at = 0;
            for arrival in &arrivals {
                prop_assert_eq!(due(&chunk, at), Some(arrival.at));
                let (read, next) = read(&chunk, at, |range| chunk.slice(range)).unwrap();
                prop_assert_eq!(&read, arrival);
                at = next;
            }
            prop_assert_eq!(due(&chunk, at), None);
            prop_assert_eq!(read(&chunk, at, |range| chunk.slice(range)), None);
        }

        #[test]
        fn what_is_no_frame_is_refused(chunk in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..250) {
            let chunk = Bytes::from(chunk);
            if let Some((arrival, next)) = read(&chunk, at, |range| chunk.slice(range)) {
                prop_assert_eq!(next, at + length(arrival.content.len()));
                prop_assert!(next <= chunk.len());
            }
        }
    }
}
