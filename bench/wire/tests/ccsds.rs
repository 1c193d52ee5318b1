//! Transfer frames and packets: round trips, what is refused, and packets over frames of which some are lost.

use farlink_wire::ccsds::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn first_header(zone: usize) -> impl Strategy<Value = FirstHeader> {
    prop_oneof![
        Just(FirstHeader::NoStart),
        Just(FirstHeader::OnlyIdle),
        (0..zone.max(1) as u16).prop_map(FirstHeader::At)
    ]
}

fn zone() -> impl Strategy<Value = (Vec<u8>, FirstHeader)> {
    vec(any::<u8>(), 1..300).prop_flat_map(|data| {
        let pointers = first_header(data.len());
        (Just(data), pointers)
    })
}

/// A packet of either kind, idle ones not among them.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (1..8u8, vec(any::<u8>(), 0..700)).prop_map(|(protocol, data)| {
            let mut out = Vec::new();
            Encapsulation::new(Protocol(protocol), &data).emit(&mut out).unwrap();
            out
        }),
        (0..2047u16, vec(any::<u8>(), 1..400)).prop_map(|(application, data)| {
            let mut out = Vec::new();
            SpacePacket { application, data: &data, ..SpacePacket::default() }.emit(&mut out).unwrap();
            out
        }),
    ]
}

proptest! {
    #[test]
    fn telemetry_frames_round_trip(
        spacecraft in 0..1024u16, virtual_channel in 0..8u8, master_count: u8, virtual_count: u8,
        secondary in proptest::option::of(vec(any::<u8>(), 1..64)), (data, first_header) in zone(),
        operational_control: Option<[u8; 4]>, error_control: bool, packet_order: bool,
    ) {
        let secondary_header = secondary.as_deref();
        let frame = TmFrame {
            spacecraft, virtual_channel, master_count, virtual_count, secondary_header, access_data: false, packet_order,
            segment_length: 3, first_header, data: &data, operational_control,
        };
        let mut octets = Vec::new();
        frame.emit(error_control, &mut octets);
        prop_assert_eq!(octets.len(), data.len() + frame.overhead(error_control));
        prop_assert_eq!(TmFrame::parse(&octets, error_control), Ok(frame));
    }

    #[test]
    fn aos_frames_round_trip(
        spacecraft: u8, virtual_channel in 0..64u8, count in 0..1u32 << 24, replay: bool,
        count_cycle in proptest::option::of(0..16u8), insert in vec(any::<u8>(), 0..20), (data, first_header) in zone(),
        operational_control: Option<[u8; 4]>, error_control: bool,
    ) {
        let frame = AosFrame {
            spacecraft, virtual_channel, count, replay, count_cycle, insert: &insert, first_header, data: &data, operational_control,
        };
        let agreed = Agreed { insert: insert.len(), operational_control: operational_control.is_some(), error_control };
        let mut octets = Vec::new();
        frame.emit(error_control, &mut octets);
        prop_assert_eq!(octets.len(), data.len() + frame.overhead(error_control));
        prop_assert_eq!(AosFrame::parse(&octets, agreed), Ok(frame));
    }

    #[test]
    fn telecommand_frames_round_trip(
        bypass: bool, spacecraft in 0..1024u16, virtual_channel in 0..64u8, sequence: u8,
        data in vec(any::<u8>(), 1..=1017), fill in vec(any::<u8>(), 0..9), error_control: bool,
    ) {
        let frame = TcFrame { bypass, control: bypass, spacecraft, virtual_channel, sequence, data: &data };
        let mut octets = Vec::new();
        frame.emit(error_control, &mut octets).unwrap();
        let length = octets.len();
        octets.extend_from_slice(&fill);
        prop_assert_eq!(TcFrame::parse(&octets, error_control), Ok((frame, length)));
    }

    #[test]
    fn encapsulation_packets_round_trip(
        protocol in 1..8u8, length_octets in prop_oneof![Just(2u8), Just(4)], user_defined in 0..16u8, extension in 0..16u8,
        ccsds_defined: u16, data in vec(any::<u8>(), 0..600),
    ) {
        let ccsds_defined = if length_octets == 4 { ccsds_defined } else { 0 };
        let packet =
            Encapsulation { protocol: Protocol(protocol), length_octets, user_defined, extension, ccsds_defined, data: &data };
        let mut octets = Vec::new();
        packet.emit(&mut octets).unwrap();
        let length = octets.len();
        prop_assert_eq!(packet_length(&octets), Ok(Some(length as u64)));
        octets.push(0);
        prop_assert_eq!(Encapsulation::parse(&octets), Ok((packet, length)));
    }

    #[test]
    fn space_packets_round_trip(
        telecommand: bool, secondary_header: bool, application in 0..2048u16, count in 0..1u16 << 14, which in 0..4usize,
        data in vec(any::<u8>(), 1..600),
    ) {
        let grouping = [Grouping::Continuation, Grouping::First, Grouping::Last, Grouping::Unsegmented][which];
        let packet = SpacePacket { telecommand, secondary_header, application, grouping, count, data: &data };
        let mut octets = Vec::new();
        packet.emit(&mut octets).unwrap();
        prop_assert_eq!(packet_length(&octets), Ok(Some(octets.len() as u64)));
        prop_assert_eq!(SpacePacket::parse(&octets), Ok((packet, octets.len())));
    }

    #[test]
    fn hostile_octets_are_refused_or_read(octets in vec(any::<u8>(), 0..80), insert in 0..20usize, flags: [bool; 2]) {
        let _ = TmFrame::parse(&octets, flags[0]);
        let _ = TcFrame::parse(&octets, flags[0]);
        let _ = AosFrame::parse(&octets, Agreed { insert, operational_control: flags[1], error_control: flags[0] });
        let _ = Encapsulation::parse(&octets);
        let _ = SpacePacket::parse(&octets);
        let _ = packet_length(&octets);
    }

    #[test]
    fn hostile_zones_give_whole_packets_only(
        frames in vec((any::<u32>(), 0..0x800u16, vec(any::<u8>(), 0..120)), 1..30), max_packet in 0..200usize,
    ) {
        let mut extractor = Extractor::new(256, max_packet);
        for (count, code, zone) in frames {
            extractor.take(count, FirstHeader::from_code(code), &zone, |packet| {
                assert!(packet.len() <= max_packet);
                assert_eq!(packet_length(packet), Ok(Some(packet.len() as u64)));
            });
        }
    }

    /// All packets come through; with frames lost, only those that were in them are missing, and the count of lost frames is right.
    #[test]
    fn packets_go_over_frames(
        packets in vec((packet(), any::<bool>()), 1..30), zone in 1..300usize, lost in proptest::collection::hash_set(0..60u32, 0..6),
    ) {
        let mut packer = Packer::new(zone);
        let mut zones = Vec::new();
        for (packet, flush) in &packets {
            packer.push(packet).unwrap();
            while let Some(zone) = packer.zone(*flush && !packer.is_empty()) {
                zones.push(zone);
            }
        }
        while !packer.is_empty() {
            zones.push(packer.zone(true).unwrap());
        }
        zones.push(packer.zone(true).unwrap());
        prop_assert_eq!(zones.last().unwrap().first_header, FirstHeader::OnlyIdle);
        prop_assert!(zones.iter().all(|z| z.data.len() == zone));

        let packets: Vec<Vec<u8>> = packets.into_iter().map(|(packet, _)| packet).collect();
        let mut all = Vec::new();
        let mut extractor = Extractor::new(1 << 24, 1000);
        for (count, zone) in zones.iter().enumerate() {
            let taken = extractor.take(count as u32, zone.first_header, &zone.data, |packet| all.push(packet.to_vec()));
            prop_assert_eq!((taken.lost_frames, taken.broken, taken.too_long), (0, 0, 0));
        }
        prop_assert_eq!(&all, &packets);

        let mut some = Vec::new();
        let mut extractor = Extractor::new(1 << 24, 1000);
        let (mut told, mut known) = (0, None);
        for (count, zone) in zones.iter().enumerate().filter(|(count, _)| !lost.contains(&(*count as u32))) {
            told += extractor.take(count as u32, zone.first_header, &zone.data, |packet| some.push(packet.to_vec())).lost_frames;
            known = known.or(Some(count as u32)).map(|first| first.min(count as u32));
        }
        let last = zones.len() as u32 - 1;
        let between = lost.iter().filter(|&&l| known.is_some_and(|first| l > first) && l < last).count() as u32;
        if !lost.contains(&last) {
            prop_assert_eq!(told, between);
        }
        // In order, and nothing that was not sent.
        let mut rest = packets.iter();
        prop_assert!(some.iter().all(|packet| rest.any(|sent| sent == packet)));
        if lost.iter().all(|&l| l > last) {
            prop_assert_eq!(some.len(), packets.len());
        }
    }
}

#[test]
fn an_error_in_any_bit_of_a_frame_is_found() {
    let mut octets = Vec::new();
    let frame = TmFrame { spacecraft: 0x155, data: b"packets", first_header: FirstHeader::At(0), ..TmFrame::default() };
    frame.emit(true, &mut octets);
    for bit in 0..8 * octets.len() {
        octets[bit / 8] ^= 0x80 >> (bit % 8);
        assert!(matches!(TmFrame::parse(&octets, true), Err(CcsdsError::ErrorControl { .. })), "bit {bit}");
        octets[bit / 8] ^= 0x80 >> (bit % 8);
    }
}

#[test]
fn errors_say_what_where_and_by_which_clause() {
    let told = |result: Result<(), CcsdsError>| result.unwrap_err().to_string();
    let tm = |octets: &[u8]| told(TmFrame::parse(octets, false).map(|_| ()));
    assert_eq!(tm(&[0; 5]), "octet 0: primary header needs 6 octets, but 5 are left (132.0-B-3 section 4.1.2)");
    assert_eq!(
        tm(&[0x40, 0, 0, 0, 0x18, 0]),
        "octet 0: version 0b1, but telemetry frames have 0b0 (132.0-B-3 section 4.1.2)"
    );
    assert_eq!(
        tm(&[0, 0, 0, 0, 0x18, 2, 0xAA, 0xAA]),
        "octet 4: first header pointer 2, but the packet zone has 2 octets (132.0-B-3 section 4.1.2.7.6)"
    );
    assert_eq!(
        tm(&[0, 0, 0, 0, 0x08, 0, 0xAA]),
        "octet 4: segment length identifier is 1: it is 3 with packets (132.0-B-3 section 4.1.2.7.5)"
    );
    assert_eq!(
        tm(&[0, 1, 0, 0, 0x1F, 0xFF, 0xAA]),
        "octet 3: operational control field needs 4 octets, but 1 are left (132.0-B-3 section 4.1.5)"
    );
    assert_eq!(
        tm(&[0, 0, 0, 0, 0x98, 0, 0x03, 1]),
        "octet 7: secondary header needs 3 octets, but 1 are left (132.0-B-3 section 4.1.3)"
    );
    let aos = AosFrame::parse(&[0x40, 0, 0, 0, 0, 0, 9], Agreed { insert: 2, ..Agreed::default() });
    assert_eq!(told(aos.map(|_| ())), "octet 6: insert zone needs 2 octets, but 1 are left (732.0-B-4 section 4.1.3)");
    let tc = TcFrame::parse(&[0, 0, 0, 9, 0, 1, 2], false);
    assert_eq!(told(tc.map(|_| ())), "octet 2: frame length 10, but 7 octets are there (232.0-B-4 section 4.1.2.7)");
    let control = TcFrame::parse(&[0x10, 0, 0, 5, 0, 1], false);
    assert_eq!(
        told(control.map(|_| ())),
        "octet 0: bypass flag is 0: control commands have it set (232.0-B-4 section 4.1.2.3)"
    );
    let large = TcFrame { data: &[0; 1018], ..TcFrame::default() }.emit(true, &mut Vec::new());
    assert_eq!(told(large), "data field of 1018: at most 1017 can be written (232.0-B-4 section 4.1.2.7)");
    let short = Encapsulation::parse(&[0xE5, 1]);
    assert_eq!(told(short.map(|_| ())), "octet 1: packet length 1, but 2 octets are there (133.1-B-3 section 4.1.2.8)");
    let idle_of_ltp = Encapsulation::parse(&[0xE4]);
    assert!(told(idle_of_ltp.map(|_| ())).contains("only idle packets have no length field"));
    let empty = SpacePacket::default().emit(&mut Vec::new());
    assert!(told(empty).contains("a packet has one octet at least"));
    let mut packer = Packer::new(10);
    assert!(matches!(packer.push(&[0x20]), Err(CcsdsError::Version { found: 1, .. })));
    assert!(matches!(packer.push(&[0xE5, 3, 0, 0]), Err(CcsdsError::Length { announced: 3, has: 4, .. })));
}

#[test]
fn a_packet_that_does_not_end_where_the_next_begins_is_dropped() {
    let mut extractor = Extractor::new(256, 100);
    let mut packets = Vec::new();
    let mut take =
        |count, first, zone: &[u8]| extractor.take(count, first, zone, |packet| packets.push(packet.to_vec()));
    assert_eq!(take(254, FirstHeader::At(0), &[0xE5, 6, 1, 2]), Taken::default());
    let broken = take(255, FirstHeader::At(1), &[3, 0xE5, 3, 9]);
    assert_eq!(broken, Taken { broken: 1, ..Taken::default() });
    assert_eq!(take(0, FirstHeader::OnlyIdle, &[0xE5; 4]), Taken::default(), "the count goes round");
    assert_eq!(
        take(2, FirstHeader::At(0), &[0xE5, 200, 0, 0]),
        Taken { lost_frames: 1, too_long: 1, ..Taken::default() }
    );
    assert_eq!(take(3, FirstHeader::NoStart, &[0; 4]), Taken::default());
    assert_eq!(take(4, FirstHeader::At(3), &[0, 0, 0, 0xE0]), Taken { idle: 1, ..Taken::default() });
    assert_eq!(packets, [[0xE5, 3, 9]]);
}

/// A file of `fixtures/golden/coding`.
fn golden(file: &str) -> String {
    let path = format!("{}/../../fixtures/golden/coding/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn hex(digits: impl Iterator<Item = char>) -> Vec<u8> {
    let digits: Vec<u32> = digits.filter_map(|c| c.to_digit(16)).collect();
    assert!(!digits.is_empty() && digits.len().is_multiple_of(2));
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn golden_frame(name: &str) -> Vec<u8> {
    let text = golden("frames.hex");
    hex(text
        .lines()
        .skip_while(|line| *line != name)
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .flat_map(str::chars))
}

#[test]
fn frames_of_other_encoders_are_read_and_written_again() {
    let octets = golden_frame("aos");
    let frame = AosFrame::parse(&octets, Agreed { error_control: true, ..Agreed::default() }).unwrap();
    assert_eq!((frame.spacecraft, frame.virtual_channel, frame.count), (0xAB, 1, 343));
    assert_eq!(frame.first_header, FirstHeader::At(0));
    assert_eq!(packet_length(frame.data), Ok(Some(397)));
    let mut again = Vec::new();
    frame.emit(true, &mut again);
    assert_eq!(again, octets);

    let octets = golden_frame("tm");
    let frame = TmFrame::parse(&octets, true).unwrap();
    assert_eq!((frame.spacecraft, frame.virtual_channel), (758, 0));
    assert_eq!((frame.first_header, frame.operational_control), (FirstHeader::At(0), Some([1, 0, 0, 0])));
    let mut again = Vec::new();
    frame.emit(true, &mut again);
    assert_eq!(again, octets);
}

#[test]
fn headers_of_space_packets_are_those_of_another_encoder() {
    let text = golden("space_packets.txt");
    let rows: Vec<Vec<&str>> =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect()).collect();
    assert_eq!(rows.len(), 5);
    for row in rows {
        let number = |column: usize| row[column].parse::<usize>().unwrap();
        let data = vec![0; number(5)];
        let grouping = [Grouping::Continuation, Grouping::First, Grouping::Last, Grouping::Unsegmented][number(3)];
        let packet = SpacePacket {
            telecommand: number(0) == 1,
            secondary_header: number(1) == 1,
            application: number(2) as u16,
            grouping,
            count: number(4) as u16,
            data: &data,
        };
        let mut octets = Vec::new();
        packet.emit(&mut octets).unwrap();
        assert_eq!(octets[..6], hex(row[6].chars()), "{row:?}");
        assert_eq!(SpacePacket::parse(&octets), Ok((packet, octets.len())));
    }
}
