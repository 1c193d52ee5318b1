//! Frames for when there is nothing to send.

use farlink_wire::ccsds::{AosFrame, FirstHeader};

use crate::waveform::Waveform;

/// The virtual channel of frames with nothing but idle data (732.0-B-4 section 4.1.2.3).
pub(crate) const IDLE_CHANNEL: u8 = 63;

/// An AOS frame of idle data, as long as the waveform's. Its data are pseudo-random and other in each frame, so that one is not taken for another.
pub(crate) fn idle_frame(waveform: &Waveform, spacecraft: u8, count: u32) -> Vec<u8> {
    let empty = AosFrame::default();
    let around = empty.overhead(waveform.frame_error_control);
    let mut data = vec![0; waveform.frame_octets() - around];
    fill(u64::from(count), &mut data);
    let frame = AosFrame {
        spacecraft,
        virtual_channel: IDLE_CHANNEL,
        count: count & 0xFF_FFFF,
        first_header: FirstHeader::OnlyIdle,
        data: &data,
        ..empty
    };
    let mut octets = Vec::with_capacity(waveform.frame_octets());
    frame.emit(waveform.frame_error_control, &mut octets);
    octets
}

/// Octets that look like chance, of a number (SplitMix64).
pub(crate) fn fill(seed: u64, octets: &mut [u8]) {
    let mut state = seed.wrapping_mul(0xD1B5_4A32_D192_ED03);
    for piece in octets.chunks_mut(8) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        piece.copy_from_slice(&(z ^ z >> 31).to_le_bytes()[..piece.len()]);
    }
}
