//! What losses cost on a path of several links.
//!
//! Source: *Delay-Tolerant Network Architecture*, draft-irtf-ipnrg-arch-01 (2002), section 2.1.1. Losses are independent and
//! the same on each link; acknowledgments are never lost.

use farlink_units::{Ratio, Size};

/// The probability that a message of `message` crosses `links` links whole, when any flipped bit loses it:
/// (1 − p)^(8·m·i) with the bit error ratio p, m octets and i links.
///
/// ```
/// use farlink_channel_models::delivery_probability;
/// use farlink_units::{Ratio, Size};
///
/// let ber = Ratio::new(1e-5).unwrap();
/// assert!((delivery_probability(ber, Size::from_bytes(1000), 4) - 0.726).abs() < 0.001);
/// ```
pub fn delivery_probability(bit_error_ratio: Ratio, message: Size, links: u32) -> f64 {
    let bits = 8.0 * message.bytes() as f64 * f64::from(links);
    // A logarithm of 1 − p that keeps a small p, and no 0 × ∞ for a message without bits.
    if bits == 0.0 { 1.0 } else { (bits * (-bit_error_ratio.get()).ln_1p()).exp() }
}

/// How often, on average, the *source* must send a message again until it has crossed `links` links, each of which loses it
/// with probability `loss`: (1 − q)/q with q = (1 − loss)^links. Infinite where every message is lost.
///
/// Each of these retransmissions uses several links again; [`hop_by_hop_retransmissions`] counts single links.
pub fn end_to_end_retransmissions(loss: Ratio, links: u32) -> f64 {
    // 1/q − 1, without the difference of nearly equal numbers for a small loss.
    if links == 0 { 0.0 } else { (-f64::from(links) * (-loss.get()).ln_1p()).exp_m1() }
}

/// How many retransmissions are needed on average, over all `links` links together, when the node before each link repeats
/// until the next one has the message: links · loss/(1 − loss). Infinite where every message is lost.
pub fn hop_by_hop_retransmissions(loss: Ratio, links: u32) -> f64 {
    if links == 0 { 0.0 } else { f64::from(links) * loss.get() / (1.0 - loss.get()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(value: f64) -> Ratio {
        Ratio::new(value).unwrap()
    }

    #[test]
    fn no_link_costs_nothing_and_a_dead_one_everything() {
        for loss in [0.0, 0.3, 1.0] {
            assert_eq!(end_to_end_retransmissions(ratio(loss), 0), 0.0);
            assert_eq!(hop_by_hop_retransmissions(ratio(loss), 0), 0.0);
            assert_eq!(delivery_probability(ratio(loss), Size::from_bytes(1500), 0), 1.0);
            assert_eq!(delivery_probability(ratio(loss), Size::from_bytes(0), 9), 1.0);
        }
        assert_eq!(end_to_end_retransmissions(ratio(1.0), 2), f64::INFINITY);
        assert_eq!(hop_by_hop_retransmissions(ratio(1.0), 2), f64::INFINITY);
        assert_eq!(delivery_probability(ratio(1.0), Size::from_bytes(1), 1), 0.0);
    }

    #[test]
    fn a_single_link_is_the_same_either_way() {
        for loss in [1e-15, 1e-9, 0.01, 0.5, 0.99] {
            let (end, hop) = (end_to_end_retransmissions(ratio(loss), 1), hop_by_hop_retransmissions(ratio(loss), 1));
            assert!((end / hop - 1.0).abs() < 1e-12, "{loss}: {end} {hop}");
        }
    }
}
