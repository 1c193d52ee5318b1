//! Shells of satellites: where each is, who its neighbours are and for how long, and what it is called.
//!
//! A [`Shell`] is a Walker pattern on circular orbits; a [`Constellation`] is several of them. Satellites go by index, and each
//! index gives an [`Orbit`](farlink_channel_models::Orbit) of `farlink-channel-models`, for contacts with the ground and with
//! anything else. Within a shell everything has a closed form: [`Motion`] is how two satellites move against one another, and
//! [`Shell::contacts`] is when a link between them carries.
//!
//! ```
//! use farlink_channel_models::{Body, Geometry, Place};
//! use farlink_constellation::{LinkRules, Mesh, Pattern, Pointing, Relation, Shell, Slot, Walker};
//! use farlink_units::{Duration, Instant};
//! use hifitime::Epoch;
//!
//! let shell = Shell::new(Walker {
//!     body: Body::Earth,
//!     altitude_km: 550.0,
//!     inclination_deg: 53.0,
//!     planes: 72,
//!     satellites_per_plane: 22,
//!     phasing: 17,
//!     pattern: Pattern::Delta,
//!     first_node_deg: 0.0,
//!     first_argument_deg: 0.0,
//! })?;
//!
//! // By index to an orbit, and from there to all that channel-models knows.
//! let place = Place::Orbit(shell.orbit(Slot { plane: 71, satellite: 21 })?);
//! let geometry = Geometry::new(Epoch::from_gregorian_utc_at_midnight(2026, 12, 15));
//! let to_earth = geometry.light_time(&place, &Place::Center(Body::Earth), Instant::ZERO)?;
//! assert_eq!(to_earth.as_millis(), 23);
//!
//! // Two links for each of 1,584 satellites: in the plane, and to the plane on the right.
//! let links = shell.links(Mesh::PlusGrid);
//! assert_eq!(links.len(), 2 * 1584);
//!
//! // Those between planes change sides where the planes cross, and lasers then look for each other again.
//! let rules = LinkRules {
//!     max_range_km: 5000.0,
//!     grazing_altitude_km: 80.0,
//!     max_latitude_deg: 90.0,
//!     pointing: Pointing::OneTerminalPerSide { acquisition: Duration::from_secs(10) },
//! };
//! let day = Instant::ZERO + Duration::from_secs(86_400);
//! for link in links.iter().take(50) {
//!     let contacts = shell.contacts(link, &rules, Instant::ZERO, day)?;
//!     match link.relation {
//!         Relation::SamePlane => assert_eq!(contacts.len(), 1),
//!         _ => assert!((31..=32).contains(&contacts.len())), // 15 revolutions
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Coverage`] says how many satellites it takes; [`Ipv6SatelliteAddress`], [`MacSatelliteAddress`] and
//! [`ShortSatelliteAddress`] put the indices into addresses. These, the indices and the classes of neighbours
//! ([`Relation`]) follow *Satellite Semantic Addressing for Satellite Constellation*,
//! draft-lhan-satellite-semantic-addressing-01 (2022); the tests have its tables and figures.
//!
//! # How right it is
//! Orbits are circles with the secular rates of J2, as in `farlink-channel-models`, and for these the closed forms are exact:
//! ranges agree with its positions to 1e-6 km (`tests/links.rs`). The body hides as a sphere of its equatorial radius plus
//! [`LinkRules::grazing_altitude_km`]. Left out: the light time between satellites (at most some 20 ms in low orbits), periodic
//! perturbations, drag and station keeping.

mod address;
mod constellation;
mod coverage;
mod motion;
mod neighbours;
mod shell;
mod visibility;

pub use address::{FieldTooWide, Ipv6SatelliteAddress, MacSatelliteAddress, ShortSatelliteAddress};
pub use constellation::{Constellation, ConstellationError, NoSuchSatellite, SatelliteIndex};
pub use coverage::{Coverage, CoverageError};
pub use motion::{Motion, Side};
pub use neighbours::{Link, Mesh, Neighbours, Relation};
pub use shell::{MAX_COUNT, NoSuchSlot, Pattern, Shell, ShellError, Slot, Walker};
pub use visibility::{LinkError, LinkRules, Pointing};
