//! From a transmitter's power to the Eb/N0 at a receiver.
//!
//! A [`Budget`] is what does not change along a pass; [`Budget::at`] works out every term of it for one [`Look`] and gives them
//! as [`Lines`], which print as a table that adds up. [`Budget::along`] does so over a pass, and [`Budget::rate_following`] and
//! [`Budget::eb_n0_db`] make of that what a channel holds.
//!
//! ```
//! use farlink_channel_models::errors::{Code, ErrorModel};
//! use farlink_channel_models::radio::{Antenna, Budget, Look, Pointing, Receiver, Table, Transmitter};
//! use farlink_channel_models::{Errors, Rate};
//! use farlink_units::{BitRate, Duration, Instant};
//!
//! let interleaving = 5;
//! let code = Code::Concatenated { interleaving };
//! let budget = Budget {
//!     frequency_hz: 8.4e9,
//!     transmitter: Transmitter::Amplifier {
//!         power_w: 100.0,
//!         circuit_loss_db: 1.0,
//!         antenna: Antenna::Dish { diameter_m: 3.0, efficiency: 0.55 },
//!     },
//!     transmitter_pointing: Pointing::Offset { offset_deg: 0.1, beamwidth_deg: 0.8 },
//!     atmosphere_db: Some(Table::new(vec![(10.0, 0.3), (30.0, 0.1), (90.0, 0.05)])?),
//!     rain_db: None,
//!     polarisation_loss_db: 0.1,
//!     other_losses_db: Vec::new(),
//!     receiver_pointing: Pointing::EXACT,
//!     receiver: Receiver::FigureOfMerit { db_per_k: Table::constant(54.0)? },
//!     implementation_loss_db: 0.5,
//!     required_eb_n0_db: code.required_eb_n0_db(1e-8)?,
//! };
//! let look = |_: Instant| Look { range_km: 2.5e8, elevation_deg: 20.0 };
//! println!("{}", budget.at(&look(Instant::ZERO), BitRate::from_bps(500_000).unwrap())?);
//!
//! let end = Instant::ZERO + Duration::from_secs(3600);
//! let c_n0 = budget.along(Instant::ZERO, end, Duration::from_secs(60), look)?;
//! let rates = [100_000, 500_000, 2_000_000].map(|bps| BitRate::from_bps(bps).unwrap());
//! let rate = budget.rate_following(&c_n0, &rates, 3.0)?;
//! assert_eq!(rate.at(Instant::ZERO), Some(rates[1]));
//! let eb_n0_db = budget.eb_n0_db(&c_n0, &rate)?;
//! let errors = Errors::new(&[ErrorModel::Coded { code, eb_n0_db, scintillation: None }], 1)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod lines;
mod table;

pub use budget::{Antenna, Budget, BudgetError, Look, Pointing, Receiver, Transmitter, free_space_loss_db};
pub use lines::{Line, Lines, Role};
pub use table::{Table, TableError};
