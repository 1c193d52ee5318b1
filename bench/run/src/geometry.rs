//! The solar system of a scenario.

use farlink_channel_models::Geometry;
use farlink_scenario::Scenario;
use thiserror::Error;

/// Why a scenario has no solar system.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GeometryError {
    /// Its kernels have some bodies for some of the time, and others or the rest would come from series that differ from them.
    #[error("{why}; in `kernels`, give files that cover the bodies of all places over the whole run, or none")]
    Kernels {
        /// What the kernels lack.
        why: String,
    },
}

/// The solar system as it is during the run, from the kernels of the scenario if it has any.
///
/// Kernels that place some body must place all that nodes are at or about, and whatever they place, over the whole run and for a
/// quarter of a day more, while light is still under way: the built-in series count from another barycentre, up to 1,200 km off,
/// by which a change from the one to the other would shift positions.
///
/// # Errors
/// Kernels that do not.
pub fn geometry(scenario: &Scenario) -> Result<Geometry, GeometryError> {
    #[cfg(feature = "spice")]
    if let Some(kernels) = &scenario.kernels {
        return with_kernels(scenario, kernels);
    }
    Ok(Geometry::new(scenario.epoch))
}

#[cfg(feature = "spice")]
fn with_kernels(
    scenario: &Scenario,
    kernels: &std::sync::Arc<farlink_channel_models::Kernels>,
) -> Result<Geometry, GeometryError> {
    // Light takes 4.2 hours to Neptune.
    const UNDER_WAY: farlink_units::Duration = farlink_units::Duration::from_secs(6 * 3600);
    let mut bodies: Vec<_> = kernels.bodies().collect();
    if !bodies.is_empty() {
        bodies.extend(scenario.nodes.iter().filter_map(|node| node.place.as_ref()).map(|place| place.body()));
    }
    Geometry::with_kernels(scenario.epoch, kernels.clone(), &bodies, scenario.duration + UNDER_WAY)
        .map_err(|error| GeometryError::Kernels { why: error.to_string() })
}
