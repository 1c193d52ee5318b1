//! Noise from a seed, and counts with their confidence.
#![allow(dead_code)]

/// SplitMix64: the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// In (0, 1].
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Two independent values of the standard normal distribution.
    fn normals(&mut self) -> [f64; 2] {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        [radius * cos, radius * sin]
    }

    pub fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// Packed bits as BPSK over white noise, with `scale` as the size of a symbol without noise.
    pub fn bpsk(&mut self, octets: &[u8], es_n0_db: f64, scale: f64) -> Vec<f64> {
        let deviation = (0.5 * 10f64.powf(-es_n0_db / 10.0)).sqrt();
        let mut soft = Vec::with_capacity(8 * octets.len());
        for octet in octets {
            for pair in 0..4 {
                for (at, normal) in self.normals().into_iter().enumerate() {
                    let sign = if octet << (2 * pair + at) & 0x80 == 0 { 1.0 } else { -1.0 };
                    soft.push(scale * (sign + deviation * normal));
                }
            }
        }
        soft
    }

    /// As [`bpsk`](Self::bpsk), quantised.
    pub fn soft(&mut self, octets: &[u8], es_n0_db: f64, scale: f64) -> Vec<i8> {
        self.bpsk(octets, es_n0_db, scale).into_iter().map(|s| s.round().clamp(-127.0, 127.0) as i8).collect()
    }
}

/// The soft symbols of packed bits without noise.
pub fn clean(octets: &[u8], size: i8) -> Vec<i8> {
    octets.iter().flat_map(|o| (0..8).map(move |at| if o << at & 0x80 == 0 { size } else { -size })).collect()
}

/// Wilson's interval of a share, at this many deviations.
pub fn wilson(hits: u64, of: u64, z: f64) -> (f64, f64) {
    let (hits, n) = (hits as f64, of as f64);
    let share = hits / n;
    let centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    (centre - half, centre + half)
}
