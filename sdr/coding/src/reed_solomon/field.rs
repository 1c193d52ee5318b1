//! The field GF(256) of CCSDS 131.0-B clause 4.3.3, x^8 + x^7 + x^2 + x + 1, and its two bases.

/// Products are looked up by sums of logarithms; zero has one so large that every sum with it finds a zero.
const ZERO: u16 = 512;

/// Powers of α, twice around, then zeros.
static EXP: [u8; 1025] = EXP_TABLE;
const EXP_TABLE: [u8; 1025] = {
    let mut exp = [0; 1025];
    let mut value = 1u16;
    let mut at = 0;
    while at < 510 {
        exp[at] = value as u8;
        value <<= 1;
        if value & 0x100 != 0 {
            value ^= 0x187;
        }
        at += 1;
    }
    exp
};

static LOG: [u16; 256] = LOG_TABLE;
const LOG_TABLE: [u16; 256] = {
    let mut log = [ZERO; 256];
    let mut at = 0;
    while at < 255 {
        log[EXP_TABLE[at] as usize] = at as u16;
        at += 1;
    }
    log
};

#[inline(always)]
pub(super) fn mul(one: u8, other: u8) -> u8 {
    EXP[usize::from(LOG[usize::from(one)] + LOG[usize::from(other)])]
}

/// One over a value that is not zero.
#[inline(always)]
pub(super) fn inverse(value: u8) -> u8 {
    debug_assert_ne!(value, 0);
    EXP[255 - usize::from(LOG[usize::from(value)] % 255)]
}

pub(super) const fn product(one: u8, other: u8) -> u8 {
    EXP_TABLE[(LOG_TABLE[one as usize] + LOG_TABLE[other as usize]) as usize]
}

/// γ = α^11, whose powers are the roots of the generator polynomial, to any power.
pub(super) const fn gamma(power: usize) -> u8 {
    EXP_TABLE[11 * (power % 255) % 255]
}

/// Products of each value with the sixteen low halves of an octet, and with the sixteen high ones.
pub(super) static NIBBLES: [[[u8; 16]; 2]; 256] = {
    let mut all = [[[0; 16]; 2]; 256];
    let mut value = 0;
    while value < 256 {
        let mut nibble = 0;
        while nibble < 16 {
            all[value][0][nibble] = product(value as u8, nibble as u8);
            all[value][1][nibble] = product(value as u8, (nibble << 4) as u8);
            nibble += 1;
        }
        value += 1;
    }
    all
};

/// From the conventional basis (the coefficient of α^7 first) to the dual one: bit z_i, the first the most significant, is the trace of the
/// value times β^i with β = α^117 (annex F).
pub(super) static TO_DUAL: [u8; 256] = TO_DUAL_TABLE;
const TO_DUAL_TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut value = 0;
    while value < 256 {
        let mut bit = 0;
        while bit < 8 {
            let mut power = product(value as u8, EXP_TABLE[117 * bit % 255]);
            let mut trace = 0;
            let mut turn = 0;
            while turn < 8 {
                trace ^= power;
                power = product(power, power);
                turn += 1;
            }
            table[value] |= trace << (7 - bit);
            bit += 1;
        }
        value += 1;
    }
    table
};

/// From the dual basis to the conventional one.
pub(super) static FROM_DUAL: [u8; 256] = {
    let mut table = [0; 256];
    let mut value = 0;
    while value < 256 {
        table[TO_DUAL_TABLE[value] as usize] = value as u8;
        value += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_polynomials() {
        for one in 0..=255u8 {
            for other in 0..=255u8 {
                let mut sum =
                    (0..8).filter(|bit| other >> bit & 1 == 1).fold(0u16, |sum, bit| sum ^ u16::from(one) << bit);
                for bit in (8..16).rev() {
                    if sum >> bit & 1 == 1 {
                        sum ^= 0x187 << (bit - 8);
                    }
                }
                assert_eq!(u16::from(mul(one, other)), sum);
                let [low, high] = NIBBLES[usize::from(one)];
                assert_eq!(u16::from(low[usize::from(other & 15)] ^ high[usize::from(other >> 4)]), sum);
            }
            if one != 0 {
                assert_eq!(mul(one, inverse(one)), 1);
            }
        }
    }
}
