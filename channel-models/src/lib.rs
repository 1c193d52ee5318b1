//! What space does to a link: how long light is under way, when the ends see each other, which bits arrive wrong.
//!
//! A [`Geometry`] is the solar system of one run. It answers for [`Place`]s: centres of bodies, [`Site`]s that turn with them,
//! [`Orbit`]s about them. [`LightTime`] and [`BitErrors`] are what a channel holds.
//!
//! ```
//! use farlink_channel_models::{Body, Geometry, Orbit, Place, Site, Visibility};
//! use farlink_units::{Duration, Instant};
//! use hifitime::Epoch;
//!
//! let geometry = Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 3, 1));
//! let goldstone =
//!     Place::Site(Site { body: Body::Earth, latitude_deg: 35.4259, longitude_deg: -116.8895, altitude_km: 1.0014 });
//! let orbiter = Place::Orbit(Orbit {
//!     body: Body::Mars,
//!     semi_major_axis_km: 3780.0,
//!     eccentricity: 0.01,
//!     inclination_deg: 93.0,
//!     ascending_node_deg: 40.0,
//!     argument_of_periapsis_deg: 270.0,
//!     mean_anomaly_deg: 0.0,
//! });
//!
//! let lt = geometry.light_time(&orbiter, &goldstone, Instant::ZERO);
//! assert_eq!(lt.as_secs_f64().round(), 484.0);
//!
//! let rules = Visibility { elevation_mask_deg: 10.0, occulters: vec![Body::Mars, Body::Sun] };
//! let day = Instant::ZERO + Duration::from_secs(86_400);
//! let contacts = geometry.contacts(&orbiter, &goldstone, &rules, Instant::ZERO, day);
//! assert!(contacts.len() > 3 && contacts.iter().all(|c| geometry.visible(&orbiter, &goldstone, &rules, c.start)));
//! ```
//!
//! # Time
//! [`Instant::ZERO`](farlink_units::Instant::ZERO) stands for the epoch; instants count SI seconds from there. The ephemerides
//! are asked in TDB, the Earth is turned by UT1 from a table of measured values. A leap second moves neither.
//!
//! # How right it is
//! Worst differences from Skyfield 1.55 with JPL's DE421, over random epochs from 2000 to 2050 (`tests/skyfield.rs`):
//!
//! | what | worst |
//! |---|---|
//! | light time between the centres of Earth and Mars, 1,000 epochs both ways | 66 µs (20 km) |
//! | light time between the centres of Earth and Moon, 1,000 epochs both ways | 0.6 µs (0.2 km) |
//! | elevation at which random stations see Mars and Moon and aim at them, 1,000 epochs, aberration taken in | 1.2″ (0.0003°) |
//! | elevation of the Earth at random places of the Moon, 200 epochs | 12″ (0.0035°) |
//! | rise and set of Mars and Moon above 10° at random stations, 40 days, one with a leap second | 0.04 s |
//! | the Moon hides the Sun, Mercury, Venus, Mars from random stations, 40 passages | 0.2 s |
//! | the Moon hides Jupiter, Saturn, 20 passages | 0.7 s |
//! | Mars and Moon hide orbiters of theirs from the Earth, 24 orbits | 0.002 s |
//!
//! With DE421 and its librations as SPICE kernels (feature `spice`) 1 ns of light time, 0.0003° of elevation, 0.05 s of rise and set
//! and 0.04 s of occultation are left, which is UT1 and what Skyfield's apparent places have and these have not.
//!
//! And of the parts: polynomial pieces from the series they stand for, 4 cm; the Moon's centre from DE421, 0.3 km; its axes from
//! DE421's librations, 0.003°; the Earth's pole from the full IAU 2006/2000A model, 2 mas; UT1 from its measured value, 0.09 s (1.3″, 40 m at the equator) up to 2026. After that UT1 is held at TT − 69.10 s:
//! what the Earth does instead is not known, and stays below 0.9 s for as long as UTC has no new leap second.
//!
//! Left out: refraction (0.09° at 10° elevation), polar motion (20 m), the bending of light in the Sun's gravity (0.0005° at its
//! limb, 0.05″ at worst in the epochs above) and its delay there (0.12 ms near conjunction), the offset of the giant planets
//! from their systems' barycentres (up to 300 km), and for orbits everything but the secular part of J2.

mod bit_errors;
mod body;
mod contacts;
mod earth;
mod ephemeris;
mod geometry;
#[cfg(feature = "spice")]
mod kernels;
mod light_time;
mod pieces;
mod place;
mod rotation;
mod timescale;
mod vector;
mod visibility;

pub use bit_errors::BitErrors;
pub use body::Body;
pub use contacts::Interval;
pub use geometry::{Geometry, SPEED_OF_LIGHT_KM_S};
#[cfg(feature = "spice")]
pub use kernels::{KernelError, KernelPath, Kernels};
pub use light_time::LightTime;
pub use place::{Orbit, Place, PlaceError, SecularRates, Site};
pub use visibility::Visibility;
