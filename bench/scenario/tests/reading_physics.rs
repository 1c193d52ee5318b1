//! What comes out of a file that uses all there is of physics.

mod support;

use farlink_channel_models::errors::{Band, Bursts, Code, Erasures, ErrorModel, Fading, Trace};
use farlink_channel_models::radio::{Antenna, Budget, Pointing, Receiver, Table, Transmitter};
use farlink_channel_models::{Body, HorizonTable, KeepOut, Place, Rate, SunLimit};
use farlink_scenario::{Coding, Depth, Distance, Link, Path, RateSource, Scenario, Scintillation};
use farlink_units::{BitRate, Duration, Instant};
use support::{edited, read};

const FULL: &str = r#"scenario: physics
epoch: 2020-07-12T22:00:00Z
duration: 2 h
places:
  centre: { body: mars }
  station:
    site:
      body: earth
      latitude: 40 deg
      longitude: -4 deg
      horizon: [{ azimuth: 0 deg, elevation: 5 deg }, { azimuth: 180 deg, elevation: 10.5 deg }]
  by-number: { satellite: { tle: ../../fixtures/golden/geometry/satellites.tle, object: 25544 } }
  by-positions: { trajectory: { oem: ../../fixtures/golden/geometry/iss_teme.oem, object: ISS (ZARYA) } }
nodes:
  mars: { eid: "ipn:1.0", at: centre }
  ground: { eid: "ipn:2.0", at: station }
  sat: { eid: "ipn:3.0", at: by-number }
  copy: { eid: "ipn:4.0", at: by-positions }
  far: { eid: "ipn:5.0" }
links:
  deep:
    forward:
      from: mars
      to: ground
      rate: { highest_of: [1 kbit/s, 64 kbit/s], margin: 2.5 dB }
      radio:
        frequency: 8.42 GHz
        power: 100 W
        circuit_loss: 1 dB
        transmit_antenna: { diameter: 3 m }
        transmit_pointing: { offset: 0.1 deg, beamwidth: 0.8 deg }
        atmosphere: [{ elevation: 10 deg, loss: 0.4 dB }, { elevation: 90 deg, loss: 0.1 dB }]
        rain: 0.5 dB
        polarisation_loss: 0.2 dB
        other_losses: { radome: 0.3 dB, cable: 0.25 dB }
        receive_antenna: { gain: 68 dBi }
        receive_pointing: { loss: 0.15 dB }
        noise_temperature: 30 K
        implementation_loss: 0.75 dB
        required_eb_n0: 2 dB
      errors:
        coding: { code: reed-solomon, interleaving: 4, scintillation: { band: ka, correlation_time: 1 s } }
    return:
      from: ground
      to: mars
      rate: none
      radio: { frequency: 7.1 GHz, eirp: 90 dBW, gain_over_temperature: 10 dB/K, required_eb_n0: 9.6 dB }
    visibility:
      elevation_mask: 6 deg
      max_range: 400000000 km
      antennas:
        ground:
          keep_out: [{ body: moon, angle: 1 deg }, { body: sun, angle: 2 deg }]
          conjunction: { outage_below: 2 deg, degraded_below: 5 deg, degraded_ber: 1e-4 }
        mars: { conjunction: { degraded_below: 3 deg } }
  low:
    forward: { from: sat, to: ground, rate: [{ at: 0 s, rate: 1 Mbit/s }, { at: 2020-07-12T22:10:00Z, rate: none }] }
    return: { from: ground, to: sat, rate: 1 kbit/s, errors: { erasures: { probability: 0.25 } } }
    visibility: {}
  table:
    forward:
      from: copy
      to: far
      rate: 1 kbit/s
      errors:
        bursts: { mean_burst_bits: 400, mean_gap_bits: 1e7, ber_in_gap: 1e-9 }
        erasures: { mean_burst_frames: 4, mean_gap_frames: 1000 }
        trace: TRACE
        coding: { code: ldpc-4096, eb_n0: 1.5 dB, scintillation: { index: 0.3, fading: log-normal } }
    return: { from: far, to: copy, rate: 1 kbit/s }
    range_table: RANGES
"#;

fn scenario() -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let text = FULL.replace("TRACE", &file("trace", "# bits\n7\n"));
    let text = text.replace("RANGES", &file("ranges.csv", "0,300000\n7200,600000\n"));
    let scenario = read(&text).unwrap_or_else(|error| panic!("{error}"));
    assert!(scenario.warnings().is_none(), "{}", scenario.warnings().unwrap());
    scenario
}

fn kbit(kbit: u64) -> BitRate {
    BitRate::from_bps(kbit * 1000).unwrap()
}

#[test]
fn places() {
    let scenario = scenario();
    let [centre, station, satellite, trajectory] = &scenario.places[..] else { panic!("four places") };
    assert_eq!((centre.name.as_str(), &centre.place), ("centre", &Place::Center(Body::Mars)));
    assert_eq!(station.horizon, Some(HorizonTable::new(vec![(0.0, 5.0), (180.0, 10.5)]).unwrap()));
    assert!(matches!(&satellite.place, Place::Satellite(s) if s.catalogue_number() == Some(25544)));
    assert!(matches!(&trajectory.place, Place::Table(table) if table.name() == "ISS (ZARYA)"));
    assert_eq!(scenario.nodes[2].place.as_ref(), Some(&satellite.place));
    assert!([centre, satellite, trajectory].iter().all(|place| place.horizon.is_none()));
}

#[test]
fn what_a_ray_must_meet() {
    let scenario = scenario();
    let [deep, low, _] = &scenario.links[..] else { panic!("three links") };
    let Path::Geometry(rules) = &deep.path else { panic!("geometry") };
    assert_eq!((rules.elevation_mask_deg, rules.max_range_km), (6.0, Some(4e8)));
    let sun = |degraded_below_deg, outage_below_deg| Some(SunLimit { degraded_below_deg, outage_below_deg });
    // Mars transmits forward.
    assert_eq!((rules.transmitter.sun, &rules.transmitter.horizon), (sun(3.0, 0.0), &None));
    let cones = [KeepOut { body: Body::Moon, angle_deg: 1.0 }, KeepOut { body: Body::Sun, angle_deg: 2.0 }];
    assert_eq!((rules.receiver.sun, &rules.receiver.keep_out[..]), (sun(5.0, 2.0), &cones[..]));
    assert_eq!(rules.receiver.horizon, scenario.places[1].horizon);
    assert!(rules.check().is_ok());
    assert_eq!(deep.degraded_ber.map(|ber| ber.get()), [0.0, 1e-4]);
    let Path::Geometry(rules) = &low.path else { panic!("geometry") };
    assert_eq!((rules.max_range_km, rules.receiver.horizon.is_some()), (None, true));
    assert_eq!(low.degraded_ber.map(|ber| ber.get()), [0.0; 2]);
}

#[test]
fn the_radio() {
    let Link { forward, return_, .. } = &scenario().links[0];
    let budget = Budget {
        frequency_hz: 8.42e9,
        transmitter: Transmitter::Amplifier {
            power_w: 100.0,
            circuit_loss_db: 1.0,
            antenna: Antenna::Dish { diameter_m: 3.0, efficiency: 0.6 },
        },
        transmitter_pointing: Pointing::Offset { offset_deg: 0.1, beamwidth_deg: 0.8 },
        atmosphere_db: Some(Table::new(vec![(10.0, 0.4), (90.0, 0.1)]).unwrap()),
        rain_db: Some(Table::constant(0.5).unwrap()),
        polarisation_loss_db: 0.2,
        other_losses_db: vec![("radome".to_owned(), 0.3), ("cable".to_owned(), 0.25)],
        receiver_pointing: Pointing::Loss { db: 0.15 },
        receiver: Receiver::System {
            antenna: Antenna::Gain { dbi: 68.0 },
            noise_temperature_k: Table::constant(30.0).unwrap(),
        },
        implementation_loss_db: 0.75,
        required_eb_n0_db: 2.0,
    };
    assert_eq!(forward.radio.as_ref(), Some(&budget));
    assert_eq!(forward.rate, RateSource::Highest { of: vec![kbit(1), kbit(64)], margin_db: 2.5 });
    let back = return_.radio.as_ref().unwrap();
    assert_eq!(back.transmitter, Transmitter::Eirp { dbw: 90.0 });
    assert_eq!(back.receiver, Receiver::FigureOfMerit { db_per_k: Table::constant(10.0).unwrap() });
    assert_eq!((back.transmitter_pointing, back.receiver_pointing), (Pointing::EXACT, Pointing::EXACT));
    assert_eq!((&back.atmosphere_db, &back.rain_db, back.implementation_loss_db), (&None, &None, 0.0));
    assert_eq!(return_.rate, RateSource::Given(Rate::silent()));
}

#[test]
fn rates_and_errors() {
    let scenario = scenario();
    let [deep, low, table] = &scenario.links[..] else { panic!("three links") };
    let at = |secs| Instant::ZERO + Duration::from_secs(secs);
    let stepping = Rate::steps(vec![(at(0), Some(kbit(1000))), (at(600), None)]).unwrap();
    assert_eq!(low.forward.rate, RateSource::Given(stepping));
    assert_eq!(low.return_.errors, [ErrorModel::Erasures(Erasures::Independent { probability: 0.25 })]);
    let fading =
        Scintillation { depth: Depth::Sun(Band::Ka), fading: Fading::Rician, correlation_time: Duration::from_secs(1) };
    let code = Code::ReedSolomon { interleaving: 4 };
    assert_eq!(deep.forward.coding, Some(Coding { code, eb_n0_db: None, scintillation: Some(fading) }));
    let bursts = Bursts { mean_burst_bits: 400.0, mean_gap_bits: 1e7, ber_in_burst: 0.5, ber_in_gap: 1e-9 };
    let lost = Erasures::Bursts { mean_burst_frames: 4.0, mean_gap_frames: 1000.0 };
    let trace = Trace::parse(b"# bits\n7\n").unwrap();
    let models = [ErrorModel::Bursts(bursts), ErrorModel::Erasures(lost), ErrorModel::Recorded(trace)];
    assert_eq!(table.forward.errors, models);
    let fading = Scintillation {
        depth: Depth::Index(0.3),
        fading: Fading::LogNormal,
        correlation_time: Duration::from_millis(200),
    };
    let coding = Coding { code: Code::Ldpc4096, eb_n0_db: Some(1.5), scintillation: Some(fading) };
    assert_eq!(table.forward.coding, Some(coding));
    assert!(table.return_.errors.is_empty() && table.return_.coding.is_none() && table.return_.radio.is_none());
}

#[test]
fn a_table_of_ranges() {
    let Path::Fixed { distance: Distance::Table(table), contacts } = &scenario().links[2].path else {
        panic!("a table")
    };
    assert_eq!(contacts[..], [(Instant::ZERO, Instant::MAX)]);
    // One light second at the start, two after two hours.
    let after = |secs| table.light_time(Instant::ZERO + Duration::from_secs(secs)).unwrap().as_secs_f64();
    assert!((after(0) - 1.0007).abs() < 1e-4 && (after(7200) - 2.0014).abs() < 1e-4, "{}", after(0));
}

#[test]
fn each_code_has_its_name() {
    for (name, code) in [
        ("uncoded", Code::Uncoded),
        ("convolutional", Code::Convolutional),
        ("reed-solomon", Code::ReedSolomon { interleaving: 5 }),
        ("concatenated", Code::Concatenated { interleaving: 5 }),
        ("ldpc-1024", Code::Ldpc1024),
        ("ldpc-4096", Code::Ldpc4096),
        ("turbo-1784", Code::Turbo1784),
    ] {
        let text = format!("rate: 2 Mbit/s, errors: {{ coding: {{ code: {name}, eb_n0: 3 dB }} }}");
        let scenario = read(&edited("rate: 2 Mbit/s, ber: 1e-6", &text)).unwrap();
        assert_eq!(scenario.links[0].forward.coding.as_ref().unwrap().code, code);
    }
}
