//! The scenarios that come with the project are sound.

use std::path::{Path, PathBuf};

use farlink_scenario::{Content, Overrides, Path as LinkPath, load};
use farlink_units::Duration;

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/scenarios")
}

#[test]
fn every_scenario_is_accepted_without_a_warning() {
    let mut seen = 0;
    for entry in std::fs::read_dir(scenarios()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let scenario = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error:#}"));
            assert!(scenario.warnings().is_none(), "{:#}", scenario.warnings().unwrap());
            assert_eq!(Some(scenario.name.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
            seen += 1;
        }
    }
    assert!(seen >= 2);
}

#[test]
fn the_mars_relay_is_as_described() {
    let scenario = load(&scenarios().join("mars-relay.yaml"), &Overrides::default()).unwrap();
    assert_eq!(scenario.duration, Duration::from_secs(86_400));
    let names: Vec<_> = scenario.nodes.iter().map(|node| (node.name.as_str(), node.node_number)).collect();
    assert_eq!(names, [("lander", 10), ("orbiter", 20), ("station", 30)]);
    let rates: Vec<_> = scenario.links.iter().map(|l| (l.forward.rate.bps(), l.return_.rate.bps())).collect();
    assert_eq!(rates, [(2_000_000, 128_000), (256_000, 2000)]);
    assert!(scenario.links.iter().all(|link| matches!(link.path, LinkPath::Geometry(_))));
    let Content::File(image) = &scenario.traffic[0].content else { panic!("a file") };
    let bytes = std::fs::metadata(image).unwrap().len();
    assert!((1_800_000..2_200_000).contains(&bytes), "{bytes}");
    assert!(!scenario.traffic[0].report_delivery && scenario.traffic[1].report_delivery);
}

#[test]
fn the_long_haul_takes_a_payload() {
    let payload = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let overrides = Overrides { payload: Some(payload.clone()), ..Overrides::default() };
    let scenario = load(&scenarios().join("long-haul.yaml"), &overrides).unwrap();
    assert_eq!(scenario.traffic[0].content, Content::File(payload));
}
