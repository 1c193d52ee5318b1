//! Sync markers before frames, and the synchroniser that finds frames by them in a stream of soft symbols (131.0-B-5 section 9).
//!
//! The synchroniser also resolves what phase the receiver locked to: an inverted BPSK stream has inverted markers, and QPSK turned by a
//! quarter has the two symbols of each pair exchanged and one of them inverted. Frames come out upright.
//!
//! ```
//! use farlink_coding::marker::{Ambiguity, Marker, Settings, Synchroniser};
//!
//! let frame = [0x00, 0xFF];
//! let octets = [Marker::STANDARD.octets(), &frame, Marker::STANDARD.octets()].concat();
//! let inverted: Vec<i8> = octets.iter().flat_map(|o| (0..8).rev().map(move |b| if o >> b & 1 == 0 { -9 } else { 9 })).collect();
//! let mut synchroniser = Synchroniser::new(Marker::STANDARD, 16, Settings { ambiguity: Ambiguity::Half, ..Settings::default() })?;
//! let found = synchroniser.read(&mut &inverted[..]).unwrap();
//! assert_eq!(found.soft, [[9i8; 8], [-9; 8]].concat());
//! # Ok::<(), farlink_coding::marker::SettingsError>(())
//! ```

/// A sync marker: a whole number of octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Marker(&'static [u8]);

impl Marker {
    /// For data that are uncoded, convolutional, Reed–Solomon or concatenated, and for LDPC of rate 7/8 (131.0-B-5 section 9.3).
    pub const STANDARD: Marker = Marker(&[0x1A, 0xCF, 0xFC, 0x1D]);
    /// For turbo of rate 1/2 and LDPC of rates 1/2, 2/3 and 4/5. It is the start sequence of LDPC-coded commands, too.
    pub const LDPC: Marker = Marker(&[0x03, 0x47, 0x76, 0xC7, 0x27, 0x28, 0x95, 0xB0]);
    /// For turbo of rate 1/3.
    pub const TURBO_THIRD: Marker = Marker(&[0x25, 0xD5, 0xC0, 0xCE, 0x89, 0x90, 0xF6, 0xC9, 0x46, 0x1B, 0xF7, 0x9C]);
    /// For turbo of rate 1/4: the one of rate 1/2, then its complement.
    pub const TURBO_QUARTER: Marker =
        Marker(&[0x03, 0x47, 0x76, 0xC7, 0x27, 0x28, 0x95, 0xB0, 0xFC, 0xB8, 0x89, 0x38, 0xD8, 0xD7, 0x6A, 0x4F]);
    /// For turbo of rate 1/6: the one of rate 1/3, then its complement.
    pub const TURBO_SIXTH: Marker = Marker(&[
        0x25, 0xD5, 0xC0, 0xCE, 0x89, 0x90, 0xF6, 0xC9, 0x46, 0x1B, 0xF7, 0x9C, 0xDA, 0x2A, 0x3F, 0x31, 0x76, 0x6F,
        0x09, 0x36, 0xB9, 0xE4, 0x08, 0x63,
    ]);
    /// The start sequence of BCH-coded commands (231.0-B-4 section 5).
    pub const COMMAND: Marker = Marker(&[0xEB, 0x90]);

    /// The marker's octets.
    pub const fn octets(self) -> &'static [u8] {
        self.0
    }

    /// The marker's length, in bits.
    pub const fn bits(self) -> usize {
        8 * self.0.len()
    }

    /// The marker as soft symbols of 1 and -1.
    pub(crate) fn signs(self) -> Vec<i8> {
        crate::marker::signs(self.0)
    }
}

/// Packed bits as soft symbols of 1 and -1.
pub(crate) fn signs(octets: &[u8]) -> Vec<i8> {
    octets.iter().flat_map(|octet| (0..8).map(move |at| if octet << at & 0x80 == 0 { 1 } else { -1 })).collect()
}

/// How far the constellation is turned against the transmitter's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// By 90°: of each pair (I, Q) of symbols arrived (-Q, I).
    Quarter,
    /// By 180°: all symbols are inverted.
    Half,
    /// By 270°: of each pair (I, Q) of symbols arrived (Q, -I).
    ThreeQuarters,
}

impl Rotation {
    /// Turns symbols back, in pairs for the quarters. A last symbol without its pair is left as it is.
    pub fn undo(self, soft: &mut [i8]) {
        match self {
            Rotation::None => {}
            Rotation::Half => soft.iter_mut().for_each(|s| *s = s.saturating_neg()),
            Rotation::Quarter => soft.chunks_exact_mut(2).for_each(|p| (p[0], p[1]) = (p[1], p[0].saturating_neg())),
            Rotation::ThreeQuarters => {
                soft.chunks_exact_mut(2).for_each(|p| (p[0], p[1]) = (p[1].saturating_neg(), p[0]))
            }
        }
    }
}

/// What the receiver cannot know about its phase.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Ambiguity {
    /// Nothing: a carrier was tracked, or the symbols come out of a decoder that resolved it.
    None,
    /// Half a turn: BPSK.
    #[default]
    Half,
    /// Any quarter: QPSK. Markers then begin with a pair, so the frame's length must be even.
    Quarter,
}

/// How a synchroniser decides.
///
/// Errors count by their confidence: one that is as sure as the marker's symbols on average counts 1, an erasure that of an
/// average symbol, half. So `errors` is what it is for hard decisions, and soft ones do better by it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Settings {
    /// Errors allowed in a marker while searching.
    pub search_errors: f32,
    /// Errors allowed in a marker where one is due.
    pub lock_errors: f32,
    /// Whether a first marker counts only if the next one is where it is due, which costs the last frame of a transmission.
    pub confirm: bool,
    /// Markers that may be missed in a row, with the frames behind them taken all the same.
    pub flywheel: u32,
    /// What is resolved by the marker.
    pub ambiguity: Ambiguity,
}

impl Default for Settings {
    /// For the marker of 32 bits after a decoder: 2 errors in search, 5 in lock, two markers missed.
    fn default() -> Self {
        Settings { search_errors: 2.0, lock_errors: 5.0, confirm: false, flywheel: 2, ambiguity: Ambiguity::Half }
    }
}

/// Why a synchroniser cannot be made.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// As many errors as a quarter of the marker, with which noise would do, or less than none.
    #[error("{errors} errors are allowed in a marker of {bits} bits: take less than {}", .bits / 4)]
    Errors {
        /// The setting.
        errors: f32,
        /// The marker's length.
        bits: usize,
    },
    /// Quarter turns are undone in pairs of symbols.
    #[error("a frame of {0} symbols leaves no pairs to turn: with quarter turns its length must be even")]
    OddFrame(usize),
    /// No frame.
    #[error("a frame of 0 symbols cannot be found: give its length behind the marker, in symbols")]
    EmptyFrame,
}

/// What the synchroniser knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lock {
    /// Nothing: it tries each symbol.
    Search,
    /// The marker was where it was due.
    Locked,
    /// That many markers in a row were not.
    Flywheel(u32),
}

/// A frame that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Its soft symbols, without the marker, turned upright.
    pub soft: Vec<i8>,
    /// Where its first symbol is in the stream, the marker not counted.
    pub at: u64,
    /// Symbols of its marker whose sign is wrong.
    pub marker_errors: u32,
    /// How the stream was turned.
    pub rotation: Rotation,
    /// Whether the marker was found, or only due.
    pub lock: Lock,
}

/// Finds frames of one length in a stream of soft symbols. It holds no more than two frames with two markers each.
#[derive(Clone, Debug)]
pub struct Synchroniser {
    marker: Vec<i8>,
    frame: usize,
    settings: Settings,
    held: Vec<i8>,
    /// The first symbol of `held` that counts, and where it is in the stream.
    head: usize,
    at: u64,
    lock: Lock,
    rotation: Rotation,
}

impl Synchroniser {
    /// A synchroniser for frames of `frame` symbols behind each marker.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn new(marker: Marker, frame: usize, settings: Settings) -> Result<Self, SettingsError> {
        let allowed = 0.0..marker.bits() as f32 / 4.0;
        // Neither is a NaN allowed, which no range contains.
        let refused = [settings.search_errors, settings.lock_errors].into_iter().find(|e| !allowed.contains(e));
        if let Some(errors) = refused {
            return Err(SettingsError::Errors { errors, bits: marker.bits() });
        }
        if frame == 0 {
            return Err(SettingsError::EmptyFrame);
        }
        if settings.ambiguity == Ambiguity::Quarter && !frame.is_multiple_of(2) {
            return Err(SettingsError::OddFrame(frame));
        }
        let marker = marker.signs();
        Ok(Synchroniser {
            marker,
            frame,
            settings,
            held: Vec::new(),
            head: 0,
            at: 0,
            lock: Lock::Search,
            rotation: Rotation::None,
        })
    }

    /// What it knows.
    pub fn lock(&self) -> Lock {
        self.lock
    }

    /// Takes symbols from the front of `input` up to the end of a frame, which it returns; `None` once `input` is used up.
    /// So it is to be called until it returns `None`.
    pub fn read(&mut self, input: &mut &[i8]) -> Option<Found> {
        loop {
            match self.lock {
                Lock::Search => self.search(input)?,
                Lock::Locked | Lock::Flywheel(_) => {
                    let marker = self.marker.len();
                    self.fill(input, marker + self.frame)?;
                    let missed = match self.judge(self.head, self.settings.lock_errors) {
                        Some(rotation) => {
                            self.rotation = rotation;
                            self.lock = Lock::Locked;
                            None
                        }
                        None => Some(if let Lock::Flywheel(missed) = self.lock { missed + 1 } else { 1 }),
                    };
                    if let Some(missed) = missed {
                        if missed > self.settings.flywheel {
                            self.lock = Lock::Search;
                            continue;
                        }
                        self.lock = Lock::Flywheel(missed);
                    }
                    let mut whole = self.held[self.head..][..marker + self.frame].to_vec();
                    self.rotation.undo(&mut whole);
                    let marker_errors =
                        whole.iter().zip(&self.marker).filter(|(s, m)| (**s < 0) != (**m < 0)).count() as u32;
                    let at = self.at + marker as u64;
                    self.pass(marker + self.frame);
                    let soft = whole.split_off(marker);
                    return Some(Found { soft, at, marker_errors, rotation: self.rotation, lock: self.lock });
                }
            }
        }
    }

    /// Passes over symbols until a marker is next; `None` if the input ends before.
    fn search(&mut self, input: &mut &[i8]) -> Option<()> {
        let step = if self.settings.ambiguity == Ambiguity::Quarter { 2 } else { 1 };
        let due = self.marker.len() + self.frame;
        loop {
            self.fill(input, self.marker.len())?;
            if let Some(rotation) = self.judge(self.head, self.settings.search_errors) {
                if self.settings.confirm {
                    self.fill(input, due + self.marker.len())?;
                }
                let confirmed =
                    !self.settings.confirm || self.judge(self.head + due, self.settings.lock_errors).is_some();
                if confirmed {
                    self.lock = Lock::Locked;
                    self.rotation = rotation;
                    return Some(());
                }
            }
            self.pass(step);
        }
    }

    /// The rotation by which the symbols at `from` are a marker with no more than these errors.
    fn judge(&self, from: usize, errors: f32) -> Option<Rotation> {
        let soft = &self.held[from..from + self.marker.len()];
        let total: i32 = soft.iter().map(|&s| i32::from(s).abs()).sum();
        let sure = soft.iter().filter(|&&s| s != 0).count();
        // Each error takes twice its confidence from the agreement, an erasure once that of an average symbol.
        let least = total as f32 * (soft.len() as f32 - 2.0 * errors) / sure as f32;
        let judge = |rotation, agreement: i32| (sure > 0 && agreement as f32 >= least).then_some(rotation);
        let along: i32 = soft.iter().zip(&self.marker).map(|(&s, &m)| i32::from(s) * i32::from(m)).sum();
        let mut found = judge(Rotation::None, along);
        if self.settings.ambiguity != Ambiguity::None {
            found = found.or_else(|| judge(Rotation::Half, -along));
        }
        if self.settings.ambiguity == Ambiguity::Quarter {
            let pairs = soft.chunks_exact(2).zip(self.marker.chunks_exact(2));
            let across: i32 =
                pairs.map(|(s, m)| i32::from(s[1]) * i32::from(m[0]) - i32::from(s[0]) * i32::from(m[1])).sum();
            found =
                found.or_else(|| judge(Rotation::Quarter, across)).or_else(|| judge(Rotation::ThreeQuarters, -across));
        }
        found
    }

    /// Holds at least `needed` symbols, or as many as there are.
    fn fill(&mut self, input: &mut &[i8], needed: usize) -> Option<()> {
        let missing = needed.saturating_sub(self.held.len() - self.head);
        if missing > 0 && self.head > 0 && self.held.len() + missing > 2 * (self.frame + 2 * self.marker.len()) {
            self.held.drain(..self.head);
            self.head = 0;
        }
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.held.extend_from_slice(taken);
        *input = rest;
        (taken.len() == missing).then_some(())
    }

    fn pass(&mut self, symbols: usize) {
        self.head += symbols;
        self.at += symbols as u64;
    }
}
