//! Contacts and occultations: when a link carries.
//!
//! As on a channel of packets, what is sent during a contact arrives one light time later, also if the contact has closed by then, and what is
//! sent outside it is lost. So the gate stands where samples are sent, before the delay. The receiver's noise goes on.

use farlink_channel_models::Interval;
use farlink_units::Instant;
use num_complex::Complex32;

use crate::error::{ConfigError, within};

/// Lets samples through that are sent during a contact, and puts silence in the place of the others.
#[derive(Clone, Debug)]
pub struct Gate {
    /// First sample inside and first after, in order.
    open: Vec<(u64, u64)>,
    next: u64,
    contact: usize,
    blocked: u64,
}

impl Gate {
    /// A gate that is open in these intervals of the time of sending, in seconds after the first sample; a sample at the very end of one
    /// is outside. They rise and do not overlap; the last may end at infinity. Without any, it never opens.
    ///
    /// # Errors
    /// An interval that is no number, ends before it begins or begins before the one before it ends.
    pub fn new(contacts_s: &[(f64, f64)], rate_hz: f64) -> Result<Self, ConfigError> {
        within("rate_hz", rate_hz, 1.0..=1e11, "from 1 to 1e11, in samples a second")?;
        let mut open = Vec::with_capacity(contacts_s.len());
        let mut before = f64::NEG_INFINITY;
        for (index, &(start, end)) in contacts_s.iter().enumerate() {
            let field = |edge: &str| format!("contacts_s[{index}].{edge}");
            within(&field("start"), start, -1e12..=1e12, "from -1e12 to 1e12, in seconds")?;
            if end.is_nan() || end < start || start < before {
                let wrong = format!(
                    "{start} s to {end} s: end it after it begins, and begin it after the one before ends ({before} s)"
                );
                return Err(ConfigError::List { field: format!("contacts_s[{index}]"), wrong });
            }
            before = end;
            // Far beyond any sample number, conversion stops at the largest.
            open.push(((start * rate_hz).ceil().max(0.0) as u64, (end * rate_hz).ceil().max(0.0) as u64));
        }
        Ok(Gate { open, next: 0, contact: 0, blocked: 0 })
    }

    /// A gate that is open in the contacts of a link, of which the first sample is sent at `start`.
    ///
    /// # Errors
    /// Contacts out of order.
    pub fn of_contacts(contacts: &[Interval], start: Instant, rate_hz: f64) -> Result<Self, ConfigError> {
        Self::new(&seconds_of(contacts, start), rate_hz)
    }

    /// Samples that it has put silence in the place of.
    pub fn blocked(&self) -> u64 {
        self.blocked
    }

    /// Passes the samples that are sent next.
    pub fn apply(&mut self, samples: &mut [Complex32]) {
        let mut rest = samples;
        while !rest.is_empty() {
            while self.open.get(self.contact).is_some_and(|contact| contact.1 <= self.next) {
                self.contact += 1;
            }
            let (open, edge) = match self.open.get(self.contact) {
                None => (false, u64::MAX),
                Some(&(start, _)) if self.next < start => (false, start),
                Some(&(_, end)) => (true, end),
            };
            let length = (rest.len() as u64).min(edge - self.next);
            let (now, later) = rest.split_at_mut(length as usize);
            if !open {
                now.fill(Complex32::ZERO);
                self.blocked += length;
            }
            self.next += length;
            rest = later;
        }
    }
}

/// Contacts as seconds after an instant.
pub fn seconds_of(contacts: &[Interval], start: Instant) -> Vec<(f64, f64)> {
    // From whole nanoseconds, so that edges far from the start are as exact as those near it.
    let since = |at: Instant| (i128::from(at.as_nanos()) - i128::from(start.as_nanos())) as f64 / 1e9;
    contacts.iter().map(|contact| (since(contact.start), since(contact.end))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(contacts: &[(f64, f64)], blocks: &[usize]) -> (Vec<bool>, u64) {
        let mut gate = Gate::new(contacts, 10.0).unwrap();
        let mut out = Vec::new();
        for &length in blocks {
            let mut samples = vec![Complex32::new(1.0, 1.0); length];
            gate.apply(&mut samples);
            out.extend(samples.iter().map(|s| *s != Complex32::ZERO));
        }
        (out, gate.blocked())
    }

    #[test]
    fn what_is_sent_in_a_contact_passes_whatever_the_blocks() {
        let contacts = [(-5.0, 0.2), (0.5, 0.5), (0.55, 1.0), (1.0, 1.21)];
        let (whole, blocked) = through(&contacts, &[20]);
        let open: Vec<usize> = (0..20).filter(|&n| whole[n]).collect();
        assert_eq!(open, [0, 1, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(blocked, 11);
        for blocks in [&[1; 20][..], &[3, 7, 10], &[19, 1]] {
            assert_eq!(through(&contacts, blocks), (whole.clone(), blocked));
        }
        assert_eq!(through(&[], &[5]).1, 5);
        assert_eq!(through(&[(0.0, f64::INFINITY)], &[5]).1, 0);
    }

    #[test]
    fn contacts_that_cannot_be_are_refused() {
        for contacts in [
            [(1.0, 0.5), (2.0, 3.0)],
            [(0.0, 2.0), (1.0, 3.0)],
            [(f64::NAN, 1.0), (2.0, 3.0)],
            [(0.0, f64::NAN), (2.0, 3.0)],
        ] {
            let error = Gate::new(&contacts, 10.0).unwrap_err().to_string();
            assert!(error.contains("contacts_s["), "{error}");
        }
        assert!(Gate::new(&[], f64::NAN).unwrap_err().to_string().contains("rate_hz"));
    }
}
