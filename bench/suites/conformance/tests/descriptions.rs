//! The descriptions that come with the project make sense.
#![allow(missing_docs)]

use std::path::Path;

use farlink_conformance::described::{Description, Real};

#[test]
fn every_description_of_the_fixtures_is_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/nodes");
    let names = ["farlink", "hardy", "dtn7", "dtn7-active", "ion", "hdtn"];
    let files =
        std::fs::read_dir(&folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let described = files.filter(|text| text.lines().any(|line| line.starts_with("name: "))).count();
    assert_eq!(described, names.len(), "each is read here");
    for name in names {
        let description =
            Description::load(&folder.join(format!("{name}.yaml"))).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(description.name, name);
        let target = Real::new(description, Path::new("unused"), Path::new("farlink")).unwrap();
        assert!(target.description().start.is_some(), "{name} is started by the suite");
    }
}
