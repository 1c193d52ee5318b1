//! Hostile inputs from a seed.

use farlink_wire::bpv7::*;
use farlink_wire::ltp::{
    CancelReason, Checkpoint, Claim, Content, Data, DataKind, Extension as LtpExtension, Party, Report, Segment,
    SessionId,
};

/// SplitMix64: fast, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// All widths alike, and often an edge.
    pub fn number(&mut self) -> u64 {
        let number = self.next() >> self.below(64);
        match self.below(8) {
            0 => number.checked_next_power_of_two().unwrap_or(u64::MAX),
            1 => number.checked_next_power_of_two().unwrap_or(0).wrapping_sub(1),
            _ => number,
        }
    }

    pub fn octets(&mut self, most: u64) -> Vec<u8> {
        let len = self.below(most + 1) as usize;
        let mut octets = Vec::with_capacity(len + 8);
        while octets.len() < len {
            octets.extend_from_slice(&self.next().to_le_bytes());
        }
        octets.truncate(len);
        octets
    }

    pub fn eid(&mut self) -> Eid {
        match self.below(5) {
            0 => Eid::None,
            1 => Eid::ipn_with_allocator(self.next() as u32 >> self.below(32), self.next() as u32, self.number()),
            2 => Eid::Dtn(["//n/", "//node/app~1", "//a%2Fb.c/~x/y?z"][self.below(3) as usize].into()),
            _ => Eid::ipn(self.number(), self.number()),
        }
    }

    fn creation(&mut self) -> CreationTimestamp {
        CreationTimestamp { time_ms: self.number(), sequence: self.number() }
    }
}

/// One of the seeds with one to four changes, or none.
pub fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    // Octets at which formats turn: CBOR heads, widths, breaks, continuation bits.
    const TURNING: [u8; 24] = [
        0x00, 0x01, 0x7F, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x9F, 0x18, 0x19, 0x1A, 0x1B, 0x1F, 0x40, 0x5B,
        0x5F, 0x60, 0xC0, 0xF4, 0xF5, 0xFF,
    ];
    let mut octets = seeds[random.below(seeds.len() as u64) as usize].clone();
    for _ in 0..random.below(5) {
        let at = random.below(octets.len() as u64 + 1) as usize;
        let octet = match random.below(2) {
            0 => TURNING[random.below(TURNING.len() as u64) as usize],
            _ => random.next() as u8,
        };
        match random.below(16) {
            0..=4 if at < octets.len() => octets[at] = octet,
            5..=8 if at < octets.len() => octets[at] ^= 1 << random.below(8),
            9 if at < octets.len() => octets[at] = octets[at].wrapping_add(1),
            10 if at < octets.len() => drop(octets.remove(at)),
            11 | 12 => octets.insert(at, octet),
            13 => octets.truncate(at),
            14 => {
                // A stretch of the same input, once more.
                let from = random.below(at as u64 + 1) as usize;
                let stretch = octets[from..at].to_vec();
                octets.splice(at..at, stretch);
            }
            15 => {
                // The rest of another.
                let other = &seeds[random.below(seeds.len() as u64) as usize];
                octets.truncate(at);
                octets.extend_from_slice(&other[at.min(other.len())..]);
            }
            _ => {}
        }
    }
    octets
}

/// Valid segments of every type.
pub fn segment_seeds(random: &mut Random) -> Vec<Vec<u8>> {
    (0..16)
        .map(|index| {
            let session = SessionId { originator: random.number(), number: random.number() };
            let data = random.octets(16);
            let checkpoint = Checkpoint { serial: random.number().max(1), report_serial: random.number() };
            let mut claims = Vec::new();
            let mut end = 0;
            for _ in 0..=random.below(4) {
                let offset = end + u64::from(end > 0) + (random.number() >> 8);
                let length = (random.number() >> 8) + 1;
                claims.push(Claim { offset, length });
                end = offset + length;
            }
            let by = [Party::Sender, Party::Receiver][index % 2];
            let kind = match index {
                0 => DataKind::Red,
                1 => DataKind::RedCheckpoint(checkpoint),
                2 => DataKind::RedEndOfRedPart(checkpoint),
                3 => DataKind::RedEndOfBlock(checkpoint),
                4 => DataKind::Green,
                _ => DataKind::GreenEndOfBlock,
            };
            let content = match index {
                0..=5 => Content::Data(Data { kind, client_service: 1, offset: random.number() >> 1, data: &data }),
                6..=9 => Content::Report(Report {
                    report_serial: random.number().max(1),
                    checkpoint_serial: random.number(),
                    upper_bound: end + 5,
                    lower_bound: 5,
                    claims,
                }),
                10 | 11 => Content::ReportAck { report_serial: random.number().max(1) },
                12 | 13 => Content::Cancel { by, reason: CancelReason::from_code(random.next() as u8) },
                _ => Content::CancelAck { by },
            };
            let mut segment = Segment::new(session, content);
            let (header, trailer) = (random.octets(5), random.octets(5));
            for _ in 0..random.below(3) {
                segment.header_extensions.push(LtpExtension { tag: random.next() as u8, value: &header });
            }
            for _ in 0..random.below(3) {
                segment.trailer_extensions.push(LtpExtension { tag: random.next() as u8, value: &trailer });
            }
            let mut octets = Vec::new();
            segment.emit(&mut octets);
            octets
        })
        .collect()
}

/// Valid bundles, mostly without CRCs so that changes get past them into the structure.
pub fn bundles(random: &mut Random) -> Vec<Vec<u8>> {
    (0..16)
        .map(|index| {
            let crc = match index {
                0 => CrcType::Crc16,
                1 => CrcType::Crc32c,
                _ => CrcType::None,
            };
            let flags = BundleFlags(random.number());
            let primary = PrimaryBlock {
                flags,
                crc,
                destination: random.eid(),
                source: random.eid(),
                report_to: random.eid(),
                creation: random.creation(),
                lifetime_ms: random.number(),
                fragment: flags
                    .contains(BundleFlags::IS_FRAGMENT)
                    .then(|| Fragment { offset: random.number(), total_length: random.number() }),
            };
            let mut blocks: Vec<_> = (0..random.below(4))
                .map(|place| {
                    let (block_type, data) = match random.below(5) {
                        0 => (block_type::PREVIOUS_NODE, PreviousNode(random.eid()).emit()),
                        1 => (block_type::BUNDLE_AGE, BundleAge(random.number()).emit()),
                        2 => (block_type::HOP_COUNT, HopCount { limit: 30, count: random.below(40) }.emit()),
                        // A security block that targets the primary block.
                        3 => (11, vec![0x81, 0x00, 0x01]),
                        _ => (random.number().max(2), random.octets(12)),
                    };
                    let flags = BlockFlags(random.number());
                    CanonicalBlock { block_type, number: place + 2, flags, crc, data: data.into() }
                })
                .collect();
            let records = records(random);
            blocks.push(CanonicalBlock {
                block_type: block_type::PAYLOAD,
                number: 1,
                flags: BlockFlags(random.below(32)),
                crc,
                data: records[index % records.len()].clone().into(),
            });
            Bundle { primary, blocks }.emit()
        })
        .collect()
}

/// Valid administrative records.
pub fn records(random: &mut Random) -> Vec<Vec<u8>> {
    let item = |random: &mut Random| {
        let asserted = random.below(2) == 1;
        StatusItem { asserted, time_ms: (asserted && random.below(2) == 1).then(|| random.number()) }
    };
    let mut records: Vec<_> = (0..4)
        .map(|index| {
            let extent = FragmentExtent { offset: random.number(), length: random.number() };
            let report = StatusReport {
                received: item(random),
                forwarded: item(random),
                delivered: item(random),
                deleted: item(random),
                further: (0..random.below(3)).map(|_| item(random)).collect(),
                reason: ReasonCode::from_code(random.below(20)),
                source: random.eid(),
                creation: random.creation(),
                fragment: (index % 2 == 1).then_some(extent),
            };
            AdministrativeRecord::StatusReport(report).emit()
        })
        .collect();
    // A map of text to a tagged array with a half-precision float.
    let content = vec![0xA1, 0x61, 0x61, 0xC1, 0x82, 0xF9, 0x3C, 0x00, 0xF6];
    records.push(AdministrativeRecord::Unknown { record_type: random.number().max(2), content }.emit());
    records
}

/// A few bundles, each behind what the fuzz target of the bundle agent wants: an octet that says "arrives", and its length;
/// after it another operation.
pub fn arrivals(random: &mut Random) -> Vec<Vec<u8>> {
    let bundles = bundles(random);
    (0..8)
        .map(|_| {
            let mut octets = Vec::new();
            for _ in 0..=random.below(4) {
                let bundle = &bundles[random.below(16) as usize];
                octets.push(random.below(2) as u8 * 8);
                octets.extend((bundle.len() as u16).to_be_bytes());
                octets.extend(bundle);
                octets.push(random.next() as u8 | 2);
            }
            octets
        })
        .collect()
}

/// Transfer frames and packets of all kinds.
pub fn ccsds_frames(random: &mut Random) -> Vec<Vec<u8>> {
    use farlink_wire::ccsds::{AosFrame, Encapsulation, FirstHeader, Protocol, SpacePacket, TcFrame, TmFrame};
    let data = random.octets(60);
    let error_control = random.below(2) == 1;
    let first_header = FirstHeader::from_code(random.below(70) as u16);
    let operational_control = (random.below(2) == 1).then_some([random.next() as u8; 4]);
    let mut frames = vec![Vec::new(); 5];
    let secondary = random.octets(10);
    let secondary_header = (!secondary.is_empty()).then_some(&secondary[..]);
    TmFrame { first_header, data: &data, operational_control, secondary_header, ..TmFrame::default() }
        .emit(error_control, &mut frames[0]);
    AosFrame { first_header, data: &data, operational_control, ..AosFrame::default() }
        .emit(error_control, &mut frames[1]);
    let tc = TcFrame { data: &data, virtual_channel: random.below(64) as u8, ..TcFrame::default() };
    tc.emit(error_control, &mut frames[2]).expect("it is short");
    let protocol = Protocol(random.below(8) as u8);
    Encapsulation::new(protocol, &data).emit(&mut frames[3]).expect("it is short");
    let data = [&data[..], &[0]].concat();
    SpacePacket { data: &data, application: random.below(2048) as u16, ..SpacePacket::default() }
        .emit(&mut frames[4])
        .expect("it is short");
    frames
}

/// Zones of frames as the fuzz target takes them: a count, a pointer and a length before each.
pub fn ccsds_zones(random: &mut Random) -> Vec<Vec<u8>> {
    let mut packer = farlink_wire::ccsds::Packer::new(1 + random.below(100) as usize);
    let mut out = Vec::new();
    for count in 0..8 {
        for packet in &ccsds_frames(random)[3..] {
            packer.push(packet).expect("a packet");
        }
        while let Some(zone) = packer.zone(random.below(8) == 0 && !packer.is_empty()) {
            out.push(count);
            out.extend(zone.first_header.code().to_be_bytes());
            out.push(zone.data.len() as u8);
            out.extend(zone.data);
        }
    }
    vec![out]
}
