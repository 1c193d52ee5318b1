//! SPICE kernels in a scenario: read in a build with the feature `spice`, refused by name in others.

mod support;

use support::{Refusal, edited, refuse};

const SKY: &str = "sky: { orbit: { body: mars, semi_major_axis: 3796 km, eccentricity: 0.005, inclination: 75 deg } }";

#[cfg(not(feature = "spice"))]
#[test]
fn this_build_says_that_it_reads_none() {
    refuse(&[
        Refusal(
            SKY,
            "sky: { trajectory: { spk: ^orbiters.bsp, object: \"-902\" } }",
            &["this build reads no SPICE kernels", "--features spice", "OEM"],
        ),
        Refusal(
            "duration: 24 h",
            "duration: 24 h\nkernels: [^de421.bsp, leap.tls]",
            &["this build reads no SPICE kernels", "--features spice", "leave `kernels` out"],
        ),
    ]);
    // No kernels are none to be refused.
    assert!(support::read(&edited("duration: 24 h", "duration: 24 h\nkernels: []")).is_ok());
}

#[cfg(feature = "spice")]
mod with_the_feature {
    use farlink_channel_models::{Body, Place};
    use farlink_scenario::Scenario;

    use super::support::read;
    use super::*;

    const FOLDER: &str = "../../fixtures/golden/geometry";

    /// The sound scenario with an orbiter of the fixture.
    fn flying(spk: &str) -> String {
        let sky = format!("sky: {{ trajectory: {{ {spk} }} }}").replace("DIR", FOLDER);
        edited(SKY, &sky)
    }

    fn with_kernels(text: &str, kernels: &str) -> String {
        text.replace("duration: 24 h", &format!("duration: 24 h\nkernels: [{}]", kernels.replace("DIR", FOLDER)))
    }

    fn sound(text: &str) -> Scenario {
        read(text).unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn body(scenario: &Scenario) -> Body {
        let sky = scenario.places.iter().find(|place| place.name == "sky").unwrap();
        assert!(matches!(&sky.place, Place::Kernel(way) if way.target() < 0), "{sky:?}");
        sky.place.body()
    }

    #[test]
    fn a_spacecraft_in_a_kernel_is_a_place() {
        let text = with_kernels(&flying("spk: DIR/orbiters.bsp, object: \"-902\""), "DIR/de421.bsp");
        let scenario = sound(&text);
        assert_eq!(body(&scenario), Body::Mars);
        assert!(scenario.kernels.as_ref().is_some_and(|kernels| kernels.bodies().any(|body| body == Body::Mars)));
        let moon = sound(&text.replace("-902", "-901"));
        assert_eq!(body(&moon), Body::Moon);
        assert_eq!(sound(super::support::SOUND).kernels, None);
    }

    #[test]
    fn what_kernels_lack_is_said_where_they_are_named() {
        refuse(&[
            Refusal(
                SKY,
                "sky: { trajectory: { spk: ^missing.bsp, object: \"-902\" } }",
                &["missing.bsp", "does not exist"],
            ),
            Refusal("duration: 24 h", "duration: 24 h\nkernels: [^Cargo.toml]", &["is not a SPICE kernel"]),
            Refusal(
                SKY,
                "sky: { trajectory: { spk: ^../../fixtures/golden/geometry/orbiters.bsp } }",
                &["nothing says whose trajectory", "`object`"],
            ),
            Refusal(
                SKY,
                "sky: { trajectory: { spk: ../../fixtures/golden/geometry/orbiters.bsp, object: ^probe } }",
                &["`probe` is no NAIF number"],
            ),
            Refusal(
                SKY,
                "sky: { trajectory: { spk: ../../fixtures/golden/geometry/orbiters.bsp, object: ^\"-902\" } }",
                &["where -902 is", "`kernels`"],
            ),
        ]);
    }

    #[test]
    fn the_numbers_of_spacecraft_are_told() {
        let text = with_kernels(&flying("spk: DIR/orbiters.bsp"), "DIR/de421.bsp");
        let error = format!("{:?}", read(&text).unwrap_err());
        assert!(error.contains("-901") && error.contains("-905"), "{error}");
        // One that nobody has.
        let text = with_kernels(&flying("spk: DIR/orbiters.bsp, object: \"-7\""), "DIR/de421.bsp");
        let error = read(&text).unwrap_err().to_string() + &format!("{:?}", read(&text).unwrap_err());
        assert!(error.contains("-7"), "{error}");
    }
}
