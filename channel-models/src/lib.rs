//! What space does to a link: how long light is under way, when the ends see each other, which bits arrive wrong.
//!
//! A [`Geometry`] is the solar system of one run. It answers for [`Place`]s: centres of bodies, [`Site`]s that turn with them,
//! [`Orbit`]s about them, [`Satellite`]s of the Earth from TLE and OMM, [`EphemerisTable`]s from OEM files.
//!
//! | question | answer |
//! |---|---|
//! | where is it, how fast does it move | [`Geometry::position_km`], [`Geometry::velocity_km_s`] |
//! | what is the link at this instant: range, light time, range rate, Doppler, angles, what hides it | [`Geometry::sight`] |
//! | when does it carry, under the rules of a [`Visibility`] | [`Geometry::contacts`], for many channels [`Geometry::contact_table`] |
//! | when does the Sun make it worse | [`Geometry::degraded`] |
//! | when has a place no sunlight | [`Geometry::eclipses`], [`Geometry::sunlit`] |
//!
//! [`LightTime`], [`Rate`] and [`Errors`] are what a channel holds;
//! [`radio`] works out what rate and which errors a link has. What distance and loss do to protocols is in
//! [`acknowledgeable()`], [`tcp_throughput_bound_bps`], [`end_to_end_retransmissions`] and [`hop_by_hop_retransmissions`].
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
//! let lt = geometry.light_time(&orbiter, &goldstone, Instant::ZERO)?;
//! assert_eq!(lt.as_secs_f64().round(), 484.0);
//!
//! let rules =
//!     Visibility { elevation_mask_deg: 10.0, occulters: vec![Body::Mars, Body::Sun], ..Visibility::default() };
//! let day = Instant::ZERO + Duration::from_secs(86_400);
//! let contacts = geometry.contacts(&orbiter, &goldstone, &rules, Instant::ZERO, day);
//! assert!(contacts.len() > 3 && contacts.iter().all(|c| geometry.visible(&orbiter, &goldstone, &rules, c.start)));
//!
//! let sight = geometry.sight(&orbiter, &goldstone, &rules, contacts[0].start)?;
//! assert!(sight.hidden_by.is_none() && sight.receiver.elevation_deg.unwrap() > 9.99);
//! println!("{:.0} km, {:.3} km/s, {:.0} Hz at 8.4 GHz", sight.range_km, sight.range_rate_km_s, sight.doppler_hz(8.4e9));
//! # Ok::<(), farlink_channel_models::NoPosition>(())
//! ```
//!
//! # Time
//! [`Instant::ZERO`](farlink_units::Instant::ZERO) stands for the epoch; instants count SI seconds from there. The ephemerides
//! are asked in TDB, the Earth is turned by UT1 from a table of measured values. A leap second moves neither.
//!
//! # Contacts
//! The search for contacts misses no contact and no gap of a millisecond or more. Each condition of the rules (elevation, limb,
//! angle to the Sun, distance) has a value that changes sign where the condition begins or ends to hold. From bounds on the
//! accelerations of both ends follow bounds on how fast that value and its rate can change, and from these a span in which it
//! cannot change sign; the search goes from span to span. For orbits the bounds are exact; for satellites and tables they are
//! those of the mean elements and of the lines with room to spare. Tests hold the spans to 148,500 instants inside them, and
//! the search to passes whose top only just clears the mask, down to a thousandth of a second.
//!
//! Where SGP4 finds no orbit within the span of its elements, as after a decay, a contact ends within a second.
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
//! Satellites, from Skyfield's `EarthSatellite` (Vallado's SGP4), four of them near and far, over a week: 0.14 m and 0.06 mm/s.
//! Their rises and sets over three days are where both ends, taken at one instant, stand at the mask to 4e-4° (UT1); the time
//! that light takes moves them by up to half a second, for a slow satellite at 40,000 km.
//! The Earth's shadow comes and goes within 0.06 s of where DE421 and an ellipsoid put it.
//!
//! And of the parts: polynomial pieces from the series they stand for, 4 cm; the Moon's centre from DE421, 0.3 km; its axes from
//! DE421's librations, 0.003°; the Earth's pole from the full IAU 2006/2000A model, 2 mas; UT1 from its measured value, 0.09 s (1.3″, 40 m at the equator) up to 2026. After that UT1 is held at TT − 69.10 s:
//! what the Earth does instead is not known, and stays below 0.9 s for as long as UTC has no new leap second.
//!
//! Left out: refraction (0.09° at 10° elevation), polar motion (20 m), the bending of light in the Sun's gravity (0.0005° at its
//! limb, 0.05″ at worst in the epochs above) and its delay there (0.12 ms near conjunction), the offset of the giant planets
//! from their systems' barycentres (up to 300 km), for orbits everything but the secular part of J2, and in Doppler what gravity
//! does to clocks (up to 1e-8).

mod acknowledgeable;
mod body;
mod contacts;
mod earth;
mod ephemeris;
pub mod errors;
mod geometry;
mod guard;
#[cfg(feature = "spice")]
mod kernels;
mod light_time;
mod path;
mod pieces;
mod place;
pub mod radio;
mod range_table;
mod rate;
mod ray;
mod retransmission;
mod rotation;
mod series;
mod sight;
mod sunlight;
mod tcp_bound;
mod timescale;
mod vector;
mod visibility;

pub use acknowledgeable::{acknowledgeable, arrivals};
pub use body::Body;
pub use contacts::{ChannelContacts, Interval, Pair};
pub use errors::Errors;
pub use geometry::{Geometry, SPEED_OF_LIGHT_KM_S};
#[cfg(feature = "spice")]
pub use kernels::{KernelError, KernelPath, Kernels};
pub use light_time::LightTime;
pub use place::{
    CalendarError, EphemerisTable, NoPosition, OemError, OmmError, Orbit, Place, PlaceError, Satellite, SecularRates,
    Site, TextError, TleError,
};
pub use range_table::{RangeTable, RangeTableError};
pub use rate::{Rate, RateError, Sending};
pub use retransmission::{delivery_probability, end_to_end_retransmissions, hop_by_hop_retransmissions};
pub use series::{Cell, Series, SeriesError};
pub use sight::{EndSight, Sight};
pub use sunlight::Eclipses;
pub use tcp_bound::{CongestionAvoidance, tcp_throughput_bound_bps};
pub use visibility::{Antenna, End, HorizonTable, KeepOut, Obstacle, RuleError, SunLimit, Visibility};
