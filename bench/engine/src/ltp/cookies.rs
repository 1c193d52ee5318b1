//! Which cookie is good in a session (RFC 5327 section 2.2).
//!
//! A session has at most two cookies: the one that either side put in first, and, if both did before they saw the other's,
//! the other's too. A received segment must carry each of them, or an extension of it, which then takes its place. Only for a
//! while after this engine has put in or extended a cookie, until the peer can have seen that, may it carry what was good
//! before.

use std::collections::BTreeMap;

use farlink_units::Instant;
use farlink_wire::ltp::SessionId;

/// Longest cookie that is kept, in octets; a segment with a longer one is discarded.
pub(super) const MAX_COOKIE: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    value: Vec<u8>,
    /// How much of it was good before this engine put in the rest; with 0 a segment may lack it.
    before: usize,
    /// Until when what was good before is good.
    grace: Grace,
    ours: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grace {
    /// The peer cannot have seen it: no segment with it has left.
    NotSent,
    Until(Instant),
}

impl Cookie {
    fn in_grace(&self, now: Instant) -> bool {
        match self.grace {
            Grace::NotSent => true,
            Grace::Until(until) => now < until,
        }
    }
}

/// Why a segment is discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotGood {
    Missing,
    Wrong,
}

/// The cookies of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

impl Jar {
    /// With a cookie that this engine puts in.
    pub(super) fn ours(value: Vec<u8>) -> Self {
        Jar { cookies: vec![Cookie { value, before: 0, grace: Grace::NotSent, ours: true }] }
    }

    /// With the cookies that a peer's segment has brought, the first extended by `more`.
    pub(super) fn theirs(now: Instant, values: &[&[u8]], more: &[u8]) -> Option<Self> {
        if values.len() > 2 || values.iter().any(|v| v.len() + more.len() > MAX_COOKIE) {
            return None;
        }
        let mut cookies: Vec<Cookie> = values
            .iter()
            .map(|v| Cookie { value: v.to_vec(), before: v.len(), grace: Grace::Until(now), ours: false })
            .collect();
        if let Some(first) = cookies.first_mut().filter(|_| !more.is_empty()) {
            first.value.extend_from_slice(more);
            first.grace = Grace::NotSent;
        }
        (!cookies.is_empty()).then_some(Jar { cookies })
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.cookies.iter().map(|c| c.value.as_slice())
    }

    /// Octets that the cookies take in a segment.
    pub(super) fn overhead(&self) -> usize {
        // Tag, length and value: a cookie that is kept is shorter than 128 octets.
        self.cookies.iter().map(|c| 2 + c.value.len()).sum()
    }

    /// A segment with the cookies leaves; the answer to it comes by `answered`.
    pub(super) fn sent(&mut self, answered: Instant) {
        for cookie in self.cookies.iter_mut().filter(|c| c.grace == Grace::NotSent) {
            cookie.grace = Grace::Until(answered);
        }
    }

    /// Whether a segment with these cookies is good, and what they change. `room` is how many octets the cookies may take in a
    /// segment of ours.
    pub(super) fn check(&mut self, now: Instant, received: &[&[u8]], room: usize) -> Result<(), NotGood> {
        let mut next = self.cookies.clone();
        let mut used = vec![false; received.len()];
        for cookie in &mut next {
            let good = received.iter().position(|r| r.starts_with(&cookie.value));
            if let Some(at) = good {
                used[at] = true;
                if received[at].len() > MAX_COOKIE {
                    return Err(NotGood::Wrong);
                }
                if received[at].len() > cookie.value.len() {
                    // Extended by the peer: what was good before is so no more.
                    cookie.value = received[at].to_vec();
                    cookie.grace = Grace::Until(now);
                }
                continue;
            }
            if !cookie.in_grace(now) {
                return Err(if received.is_empty() { NotGood::Missing } else { NotGood::Wrong });
            }
            if cookie.before > 0 {
                let Some(at) = received.iter().position(|r| *r == &cookie.value[..cookie.before]) else {
                    return Err(if received.is_empty() { NotGood::Missing } else { NotGood::Wrong });
                };
                used[at] = true;
            }
        }
        // Another initial cookie, of a peer that cannot have seen ours.
        for (value, _) in received.iter().zip(&used).filter(|(_, used)| !**used) {
            let first = &next[0];
            if next.len() > 1 || !first.ours || !first.in_grace(now) || value.len() > MAX_COOKIE {
                return Err(NotGood::Wrong);
            }
            next.push(Cookie { value: value.to_vec(), before: value.len(), grace: Grace::Until(now), ours: false });
        }
        let next = Jar { cookies: next };
        if next != *self && next.overhead() > room {
            return Err(NotGood::Wrong);
        }
        *self = next;
        Ok(())
    }
}

/// The cookies of the sessions that have any.
pub(super) type Jars = BTreeMap<SessionId, Jar>;

#[cfg(test)]
mod tests {
    use super::*;
    use farlink_units::Duration;

    fn at(secs: i64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn ours_may_be_missing_until_the_peer_can_have_seen_it() {
        let mut jar = Jar::ours(b"abcd".to_vec());
        assert_eq!(jar.check(at(0), &[], 200), Ok(()));
        jar.sent(at(10));
        assert_eq!(jar.check(at(9), &[], 200), Ok(()));
        assert_eq!(jar.check(at(10), &[], 200), Err(NotGood::Missing));
        assert_eq!(jar.check(at(10), &[b"abcx"], 200), Err(NotGood::Wrong));
        assert_eq!(jar.check(at(10), &[b"abc"], 200), Err(NotGood::Wrong));
        assert_eq!(jar.check(at(10), &[b"abcd"], 200), Ok(()));
    }

    #[test]
    fn an_extension_by_the_peer_takes_the_place_of_what_was_good() {
        let mut jar = Jar::theirs(at(0), &[b"ab"], b"").unwrap();
        assert_eq!(jar.check(at(1), &[b"abcd"], 200), Ok(()));
        assert_eq!(jar.check(at(1), &[b"ab"], 200), Err(NotGood::Wrong));
        assert_eq!(jar.values().collect::<Vec<_>>(), [b"abcd"]);
        assert_eq!(jar.check(at(1), &[&[b"abcd".as_slice(), &[0; 61]].concat()], 200), Err(NotGood::Wrong), "too long");
    }

    #[test]
    fn an_extension_by_us_is_demanded_once_the_peer_can_have_seen_it() {
        let mut jar = Jar::theirs(at(0), &[b"ab"], b"cd").unwrap();
        assert_eq!(jar.check(at(1), &[b"ab"], 200), Ok(()));
        assert_eq!(jar.check(at(1), &[], 200), Err(NotGood::Missing));
        jar.sent(at(10));
        assert_eq!(jar.check(at(9), &[b"ab"], 200), Ok(()));
        assert_eq!(jar.check(at(10), &[b"ab"], 200), Err(NotGood::Wrong));
        assert_eq!(jar.check(at(10), &[b"abcd"], 200), Ok(()));
    }

    #[test]
    fn two_initial_cookies_must_both_be_good_and_come_in_time() {
        let mut jar = Jar::ours(b"ours".to_vec());
        jar.sent(at(10));
        let mut late = jar.clone();
        assert_eq!(jar.check(at(5), &[b"theirs"], 200), Ok(()));
        assert_eq!(jar.overhead(), 2 + 4 + 2 + 6);
        assert_eq!(jar.check(at(9), &[b"theirs"], 200), Ok(()), "ours is still on its way");
        assert_eq!(jar.check(at(9), &[b"theirs", b"third"], 200), Err(NotGood::Wrong));
        assert_eq!(jar.check(at(10), &[b"theirs"], 200), Err(NotGood::Wrong));
        assert_eq!(jar.check(at(10), &[b"ours"], 200), Err(NotGood::Wrong));
        assert_eq!(jar.check(at(10), &[b"theirs", b"ours"], 200), Ok(()));
        assert_eq!(jar.clone().check(at(10), &[b"theirs", b"ours!"], 14), Err(NotGood::Wrong), "no room for more");
        assert_eq!(late.check(at(10), &[b"theirs", b"ours"], 200), Err(NotGood::Wrong), "the window is over");
    }
}
