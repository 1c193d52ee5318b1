//! The ends of a link, what they are set to and what they lose.

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The first.
    A,
    /// The second.
    B,
}

impl End {
    /// Both.
    pub const BOTH: [End; 2] = [End::A, End::B];

    /// The end opposite.
    #[must_use]
    pub fn other(self) -> End {
        match self {
            End::A => End::B,
            End::B => End::A,
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            End::A => "a",
            End::B => "b",
        })
    }
}

/// Which half of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Half {
    /// What it receives with.
    Receiver,
    /// What it transmits with.
    Transmitter,
}

/// What was lost at an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Losses {
    /// Times that received samples were not taken in time.
    pub overflows: u64,
    /// Times that a burst ran out of samples.
    pub underflows: u64,
    /// Bursts that came after their time.
    pub late: u64,
}

impl std::ops::Add for Losses {
    type Output = Losses;

    fn add(self, other: Losses) -> Losses {
        Losses {
            overflows: self.overflows.saturating_add(other.overflows),
            underflows: self.underflows.saturating_add(other.underflows),
            late: self.late.saturating_add(other.late),
        }
    }
}

/// What an end is set to.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EndSettings {
    /// Samples a second, of both halves.
    pub rate_hz: f64,
    /// Centre frequency of the receiver, in Hz.
    pub receive_hz: f64,
    /// Centre frequency of the transmitter, in Hz.
    pub transmit_hz: f64,
    /// Gain of the receiver, in dB; with 0 a sample comes as it was sent.
    pub receive_gain_db: f64,
    /// Gain of the transmitter, in dB.
    pub transmit_gain_db: f64,
}
