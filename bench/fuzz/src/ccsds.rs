use farlink_wire::ccsds::*;

/// A transfer frame or a packet: what is read is written again to the same octets, but for spare bits and a control field that is
/// computed anew.
pub fn ccsds_frame(data: &[u8]) {
    for error_control in [false, true] {
        if let Ok(frame) = TmFrame::parse(data, error_control) {
            let mut again = Vec::new();
            frame.emit(error_control, &mut again);
            assert_eq!(again.len(), data.len());
            // With access data the pointer is kept as it came.
            assert_eq!(again, data);
        }
        if let Ok((frame, length)) = TcFrame::parse(data, error_control) {
            let mut again = Vec::new();
            frame.emit(error_control, &mut again).expect("it was read");
            assert_eq!(again.len(), length);
            assert_eq!(TcFrame::parse(&again, error_control), Ok((frame, length)));
        }
        for operational_control in [false, true] {
            let agreed = Agreed { insert: data.len() % 5, operational_control, error_control };
            if let Ok(frame) = AosFrame::parse(data, agreed) {
                let mut again = Vec::new();
                frame.emit(error_control, &mut again);
                assert_eq!(again.len(), data.len());
                assert_eq!(AosFrame::parse(&again, agreed), Ok(frame));
            }
        }
    }
    if let Ok((packet, length)) = Encapsulation::parse(data) {
        let mut again = Vec::new();
        packet.emit(&mut again).expect("it was read");
        assert_eq!(again, data[..length]);
        assert_eq!(packet_length(data), Ok(Some(length as u64)));
    }
    if let Ok((packet, length)) = SpacePacket::parse(data) {
        let mut again = Vec::new();
        packet.emit(&mut again).expect("it was read");
        assert_eq!(again, data[..length]);
        assert_eq!(packet_length(data), Ok(Some(length as u64)));
    }
}

/// Frames' zones in whatever order: packets that come out are whole, and no more octets than went in.
pub fn ccsds_zones(data: &[u8]) {
    let mut rest = data;
    let mut extractor = Extractor::new(256, 300);
    let (mut out, mut zones) = (0, 0);
    while let Some((&[count, high, low, length], after)) = rest.split_first_chunk::<4>() {
        let (zone, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        zones += zone.len();
        let first_header = FirstHeader::from_code(u16::from_be_bytes([high, low]));
        extractor.take(count.into(), first_header, zone, |packet| {
            assert_eq!(packet_length(packet), Ok(Some(packet.len() as u64)));
            assert!(packet.len() <= 300);
            out += packet.len();
        });
    }
    assert!(out <= zones);
}
