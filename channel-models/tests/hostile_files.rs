//! Files that are nearly right: whatever a byte or a line of them is turned into, they are read or refused. What is read has
//! positions that are numbers.

use farlink_channel_models::{EphemerisTable, Geometry, Place, RangeTable, Satellite, Visibility};
use farlink_units::{Duration, Instant};

/// Numbers that look random and are always the same (Knuth's MMIX generator).
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end.max(1)
    }
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../fixtures/golden/geometry/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

const OMM_KVN: &str = "\
CCSDS_OMM_VERS = 2.0
OBJECT_NAME = ISS (ZARYA)
CENTER_NAME = EARTH
REF_FRAME = TEME
TIME_SYSTEM = UTC
EPOCH = 2020-07-12T21:16:01.000416
MEAN_MOTION = 15.49507896
ECCENTRICITY = 0.0001413
INCLINATION = 51.6461
RA_OF_ASC_NODE = 221.2784
ARG_OF_PERICENTER = 89.1723
MEAN_ANOMALY = 280.4612
BSTAR = -0.31515E-04
";

const OMM_JSON: &str = "[{\"OBJECT_NAME\":\"ISS (ZARYA)\",\"EPOCH\":\"2020-07-12T21:16:01.000416\",\"MEAN_MOTION\":15.49507896,\
\"ECCENTRICITY\":0.0001413,\"INCLINATION\":\"51.6461\",\"RA_OF_ASC_NODE\":221.2784,\"ARG_OF_PERICENTER\":89.1723,\
\"MEAN_ANOMALY\":280.4612,\"BSTAR\":-3.1515e-5}]";

/// The file with some of it changed, doubled, moved or cut.
fn spoil(file: &[u8], draw: &mut Draw) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "nan",
        "inf",
        "-1",
        "1e308",
        "9999",
        "0",
        "\n",
        " ",
        "=",
        ",",
        "Z",
        "META_START",
        "META_STOP",
        "99999999999999999999",
        "-",
        "\u{e9}",
    ];
    let mut file = file.to_vec();
    for _ in 0..=draw.below(3) {
        let at = draw.below(file.len());
        match draw.below(6) {
            0 => file[at] = draw.below(256) as u8,
            1 => file[at] = b"0123456789.-+ "[draw.below(14)],
            2 => file.truncate(at),
            3 => {
                let word = WORDS[draw.below(WORDS.len())];
                let end = (at + draw.below(word.len() + 1)).min(file.len());
                file.splice(at..end, word.bytes());
            }
            4 => {
                let end = (at + draw.below(80)).min(file.len());
                let part = file[at..end].to_vec();
                let to = draw.below(file.len());
                file.splice(to..to, part);
            }
            _ => {
                let end = (at + draw.below(80)).min(file.len());
                file.drain(at..end);
            }
        }
        if file.is_empty() {
            break;
        }
    }
    file
}

/// A TLE's checksums made right, so that what is wrong is found behind them.
fn with_checksums(file: Vec<u8>) -> Vec<u8> {
    let sum = |line: &[u8]| {
        line.iter().map(|b| if *b == b'-' { 1 } else { u32::from(b.wrapping_sub(b'0').min(10)) % 10 }).sum::<u32>() % 10
    };
    let fix = |line: &[u8]| match line.len() {
        69 => [&line[..68], &[b'0' + sum(&line[..68]) as u8]].concat(),
        _ => line.to_vec(),
    };
    file.split(|b| *b == b'\n').map(fix).collect::<Vec<_>>().join(&b'\n')
}

/// Positions of the place over its first days are numbers or refused, and its contacts come to an end.
fn use_it(place: &Place, epoch: hifitime::Epoch) {
    let geometry = Geometry::new(epoch);
    for hour in [-100, -1, 0, 1, 50] {
        let at = Instant::ZERO + Duration::from_secs(3600 * hour + 7);
        if let Ok(position) = geometry.position_km(place, at) {
            assert!(position.iter().all(|x| x.is_finite()), "{place:?} {position:?}");
        }
    }
    let end = Instant::ZERO + Duration::from_secs(600);
    let earth = Place::Center(farlink_channel_models::Body::Earth);
    geometry.contacts(place, &earth, &Visibility::default(), Instant::ZERO, end);
}

#[test]
fn spoilt_elements_are_read_or_refused() {
    let mut draw = Draw(1);
    let tle = golden("satellites.tle");
    let (mut read, mut refused) = (0, 0);
    for case in 0..12_000 {
        let found = match case % 4 {
            0 => Satellite::all_from_tle(spoil(&tle, &mut draw)).map_err(|e| e.to_string()),
            1 => Satellite::all_from_tle(with_checksums(spoil(&tle, &mut draw))).map_err(|e| e.to_string()),
            2 => Satellite::from_omm_kvn(spoil(OMM_KVN.as_bytes(), &mut draw))
                .map(|s| vec![s])
                .map_err(|e| e.to_string()),
            _ => Satellite::all_from_omm_json(spoil(OMM_JSON.as_bytes(), &mut draw)).map_err(|e| e.to_string()),
        };
        match found {
            Ok(all) => {
                read += 1;
                if case % 8 < 4 {
                    all.into_iter().take(1).for_each(|s| use_it(&Place::Satellite(s.clone()), s.epoch()));
                }
            }
            Err(why) => {
                refused += 1;
                assert!(why.contains("line") || why.contains("the file has"), "{why}");
            }
        }
    }
    println!("{read} read, {refused} refused");
    assert!(read > 300 && refused > 1000);
}

#[test]
fn spoilt_tables_are_read_or_refused() {
    let mut draw = Draw(2);
    let oem = golden("iss_teme.oem");
    let oem = String::from_utf8(oem).unwrap().lines().take(30).collect::<Vec<_>>().join("\n");
    let ranges = b"time_s,range_km\n0,400000\n60,400600\n180,400900\n240,400900\n300,400100\n";
    let (mut read, mut refused) = ([0; 2], [0; 2]);
    for _ in 0..6_000 {
        match EphemerisTable::all_from_oem(spoil(oem.as_bytes(), &mut draw)) {
            Ok(all) => {
                read[0] += 1;
                if let Some(table) = all.first() {
                    use_it(&Place::Table(table.clone()), table.spans()[0].0);
                }
            }
            Err(why) => {
                refused[0] += 1;
                assert!(why.to_string().starts_with("line "), "{why}");
            }
        }
        match RangeTable::from_csv(spoil(ranges, &mut draw)) {
            Ok(table) => {
                read[1] += 1;
                let (start, end) = table.span();
                for at in [start, start + Duration::from_millis(1500), end] {
                    assert!(table.range_km(at).is_none_or(f64::is_finite) && table.light_time(start).is_some());
                }
            }
            Err(why) => {
                refused[1] += 1;
                assert!(why.to_string().contains("line ") || why.to_string().contains("no entries"), "{why}");
            }
        }
    }
    println!("{read:?} read, {refused:?} refused");
    assert!(read.iter().chain(&refused).all(|n| *n > 300), "{read:?} {refused:?}");
}

/// What is large is read in time and memory that go with its size.
#[test]
fn large_files_are_read_as_fast_as_their_size() {
    let lines = (0..200_000).map(|s| {
        let (day, s) = (1 + s / 86_400, s % 86_400);
        format!("2031-03-{day:02}T{:02}:{:02}:{:02} 7000 0 0 0 7.5 0\n", s / 3600, s / 60 % 60, s % 60)
    });
    let meta = "META_START\nOBJECT_NAME = A\nCENTER_NAME = EARTH\nREF_FRAME = ICRF\nTIME_SYSTEM = TAI\n\
                START_TIME = 2031-03-01T00:00:00\nSTOP_TIME = 2031-03-30T00:00:00\nMETA_STOP\n";
    let text = format!("CCSDS_OEM_VERS = 2.0\n{meta}{}", lines.collect::<String>());
    assert_eq!(EphemerisTable::from_oem(text).unwrap().spans().len(), 1);
    // Many objects of two lines each.
    let objects: String = (0..20_000)
        .map(|k| {
            let meta = meta.replace("= A\n", &format!("= A{k}\n"));
            format!("{meta}2031-03-01T00:00:00 7000 0 0 0 7.5 0\n2031-03-01T00:00:01 7000 7.5 0 0 7.5 0\n")
        })
        .collect();
    let objects = format!("CCSDS_OEM_VERS = 2.0\n{objects}");
    assert_eq!(EphemerisTable::all_from_oem(objects).unwrap().len(), 20_000);
}
