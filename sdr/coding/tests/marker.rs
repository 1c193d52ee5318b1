//! Frames found by their markers in noise, in any phase, and over gaps.

mod support;

use farlink_coding::marker::{Ambiguity, Found, Lock, Marker, Rotation, Settings, SettingsError, Synchroniser};
use support::{Random, clean};

const FRAME: usize = 512;

/// Frames with their markers, packed, and the frames.
fn stream(random: &mut Random, marker: Marker, frames: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let frames: Vec<Vec<u8>> = (0..frames).map(|_| random.octets(FRAME / 8)).collect();
    (frames.iter().flat_map(|frame| [marker.octets(), frame].concat()).collect(), frames)
}

fn read_all(synchroniser: &mut Synchroniser, soft: &[i8], piece: usize) -> Vec<Found> {
    let mut found = Vec::new();
    for mut input in soft.chunks(piece) {
        while let Some(frame) = synchroniser.read(&mut input) {
            found.push(frame);
        }
        assert!(input.is_empty());
    }
    found
}

fn turn(soft: &mut [i8], quarters: usize) {
    for pair in soft.chunks_exact_mut(2) {
        for _ in 0..quarters {
            (pair[0], pair[1]) = (-pair[1], pair[0]);
        }
    }
}

#[test]
fn frames_are_found_in_any_phase_and_come_out_upright() {
    let mut random = Random(1);
    for marker in [Marker::STANDARD, Marker::LDPC, Marker::TURBO_THIRD, Marker::TURBO_QUARTER, Marker::TURBO_SIXTH] {
        for (quarters, rotation) in
            [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters].into_iter().enumerate()
        {
            let (octets, frames) = stream(&mut random, marker, 5);
            let mut soft = [clean(&random.octets(20), 50), clean(&octets, 50)].concat();
            turn(&mut soft, quarters);
            let settings = Settings { ambiguity: Ambiguity::Quarter, ..Settings::default() };
            for piece in [1, 7, 100_000] {
                let mut synchroniser = Synchroniser::new(marker, FRAME, settings).unwrap();
                let found = read_all(&mut synchroniser, &soft, piece);
                assert_eq!(found.len(), frames.len(), "{marker:?}, {rotation:?}, pieces of {piece}");
                for (index, (found, frame)) in found.iter().zip(&frames).enumerate() {
                    assert_eq!(found.soft, clean(frame, 50));
                    assert_eq!(found.rotation, rotation);
                    assert_eq!(found.lock, Lock::Locked);
                    assert_eq!(found.at as usize, 160 + (index + 1) * marker.bits() + index * FRAME);
                }
            }
        }
    }
}

/// At the threshold of the rate 1/2 code, where one symbol in nine is wrong.
#[test]
fn soft_symbols_find_the_long_marker_in_noise() {
    let mut random = Random(2);
    let (octets, frames) = stream(&mut random, Marker::LDPC, 200);
    let soft = random.soft(&octets, -1.5, 24.0);
    let settings =
        Settings { search_errors: 9.0, lock_errors: 12.0, ambiguity: Ambiguity::Half, ..Settings::default() };
    let mut synchroniser = Synchroniser::new(Marker::LDPC, FRAME, settings).unwrap();
    let found = read_all(&mut synchroniser, &soft, 1000);
    let place = |index: usize| ((index + 1) * 64 + index * FRAME) as u64;
    let right = found.iter().filter(|f| (0..frames.len()).any(|index| place(index) == f.at)).count();
    assert!(right >= 195 && found.len() - right <= 1, "{right} of {} are frames", found.len());
    let wrong: u32 = found.iter().map(|f| f.marker_errors).sum();
    assert!(wrong > 10 * right as u32 / 2, "{wrong} symbols of the markers were wrong: there was noise");
}

#[test]
fn a_flywheel_goes_over_lost_markers_and_then_searches() {
    let mut random = Random(3);
    let (octets, _) = stream(&mut random, Marker::STANDARD, 8);
    let mut soft = clean(&octets, 30);
    let marker_at = |index: usize| index * (32 + FRAME);
    for index in [2, 3, 5, 6, 7] {
        soft[marker_at(index)..][..32].fill(0);
    }
    let mut synchroniser = Synchroniser::new(Marker::STANDARD, FRAME, Settings::default()).unwrap();
    let locks: Vec<Lock> = read_all(&mut synchroniser, &soft, 333).iter().map(|found| found.lock).collect();
    use Lock::{Flywheel, Locked};
    assert_eq!(locks, [Locked, Locked, Flywheel(1), Flywheel(2), Locked, Flywheel(1), Flywheel(2)]);
    assert_eq!(synchroniser.lock(), Lock::Search);
}

#[test]
fn a_slip_of_the_phase_or_of_symbols_is_got_over() {
    let mut random = Random(4);
    let (octets, frames) = stream(&mut random, Marker::STANDARD, 10);
    let mut soft = clean(&octets, 30);
    let fourth = 4 * (32 + FRAME);
    soft[fourth..].iter_mut().for_each(|s| *s = -*s);
    let slip = fourth + 3 * (32 + FRAME) + 100;
    soft.drain(slip..slip + 5);
    let mut synchroniser =
        Synchroniser::new(Marker::STANDARD, FRAME, Settings { flywheel: 0, ..Settings::default() }).unwrap();
    let found = read_all(&mut synchroniser, &soft, 999);
    let upright: Vec<usize> =
        (0..frames.len()).filter(|&index| found.iter().any(|f| f.soft == clean(&frames[index], 30))).collect();
    // The slip spoils the seventh, and the marker behind it is not where it is due.
    assert_eq!(upright, [0, 1, 2, 3, 4, 5, 6, 9]);
    assert_eq!(found.iter().filter(|f| f.rotation == Rotation::Half).count(), 5);
}

#[test]
fn a_marker_in_data_is_not_confirmed() {
    let mut random = Random(5);
    let (octets, frames) = stream(&mut random, Marker::STANDARD, 4);
    let false_start = [&random.octets(9), Marker::STANDARD.octets(), &random.octets(11)].concat();
    let soft = clean(&[&false_start[..], &octets].concat(), 30);
    let settings = Settings { confirm: true, flywheel: 0, ..Settings::default() };
    let mut synchroniser = Synchroniser::new(Marker::STANDARD, FRAME, settings).unwrap();
    let found = read_all(&mut synchroniser, &soft, 50);
    let expected: Vec<Vec<i8>> = frames.iter().map(|frame| clean(frame, 30)).collect();
    assert_eq!(found.into_iter().map(|f| f.soft).collect::<Vec<_>>(), expected);
}

#[test]
fn noise_and_erasures_are_no_marker() {
    let mut random = Random(6);
    let mut synchroniser = Synchroniser::new(Marker::LDPC, FRAME, Settings::default()).unwrap();
    assert_eq!(read_all(&mut synchroniser, &[0; 10_000], 1000), []);
    let noise: Vec<i8> = (0..200_000).map(|_| random.next() as i8).collect();
    assert_eq!(read_all(&mut synchroniser, &noise, 1000), []);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let make = |frame, settings| Synchroniser::new(Marker::STANDARD, frame, settings).map(|_| ()).unwrap_err();
    let default = Settings::default();
    assert_eq!(make(0, default), SettingsError::EmptyFrame);
    assert_eq!(make(3, Settings { ambiguity: Ambiguity::Quarter, ..default }), SettingsError::OddFrame(3));
    let many = make(8, Settings { lock_errors: 8.0, ..default });
    assert_eq!(many.to_string(), "8 errors are allowed in a marker of 32 bits: take less than 8");
    assert!(matches!(
        make(8, Settings { search_errors: f32::NAN, lock_errors: f32::NAN, ..default }),
        SettingsError::Errors { .. }
    ));
}
