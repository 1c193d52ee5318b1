//! The security extensions of LTP (RFC 5327): authentication and cookies.
//!
//! # Authentication (section 2.1)
//! An [`AuthKey`] writes two extensions with the tag [`AUTHENTICATION`]:
//! - in the header, one octet of ciphersuite and then the key ID, which is absent if nothing follows that octet;
//! - in the trailer, the authentication value, AuthVal.
//!
//! What is authenticated is "the entire encoded segment including the AuthVal extension tag and length, but not of course,
//! including the AuthVal value". Where the text leaves room, it is read so:
//! - AuthVal is the last trailer extension that is written. When one is checked, extensions after it count as well: they
//!   are a part of the segment.
//! - With several AuthVals, as while keys are being changed, none of the values is in the input of any, or they would
//!   depend on each other. Their tags and lengths are.
//! - 80 bits of a longer HMAC are its leftmost, as RFC 2104 section 5 has it.
//! - The header part may be left out after the first segment of a session. A segment without it is checked with every key
//!   of the peer; one that has it only with the keys that it names.
//!
//! RSA-SHA256 is known by its number and refused as a key: it takes a public-key library that is as well kept as the hashes
//! used here, and there is none.
//!
//! # Cookies (section 2.2)
//! A cookie is a header extension with the tag [`COOKIE`]. Which cookie is good in a session is the engine's affair;
//! [`Segment::cookies`] lists what a segment carries.
//!
//! ```
//! use farlink_wire::ltp::security::{AuthError, AuthKey};
//! use farlink_wire::ltp::{Content, Segment, SessionId};
//!
//! let key = AuthKey::hmac_sha1_80(b"\x24", b"a secret shared with the lander")?;
//! let mut octets = Vec::new();
//! let ack = Segment::new(SessionId { originator: 10, number: 4711 }, Content::ReportAck { report_serial: 7 });
//! key.emit(&ack, &mut octets);
//! let (segment, _) = Segment::parse(&octets)?;
//! assert_eq!(segment.authenticate(&octets, &[AuthKey::null()]), Err(AuthError::UnknownKey));
//! assert_eq!(segment.authenticate(&octets, &[key]), Ok(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{Extension, Segment};

/// Extension tag of LTP authentication, in header and trailer (section 2.1).
pub const AUTHENTICATION: u8 = 0x00;
/// Extension tag of a cookie, in the header (section 2.2).
pub const COOKIE: u8 = 0x01;
/// Octets of an AuthVal of the ciphersuites HMAC-SHA1-80 and NULL (section 2.1).
pub const AUTH_VALUE_LEN: usize = 10;
/// Longest key ID that an [`AuthKey`] may have. Section 2.1 sets no bound; a segment needs room for more than its key ID.
pub const MAX_KEY_ID_LEN: usize = 32;

/// The key that section 2.1 prescribes for the NULL ciphersuite.
const NULL_KEY: [u8; 20] = [
    0xc3, 0x7b, 0x7e, 0x64, 0x92, 0x58, 0x43, 0x40, 0xbe, 0xd1, 0x22, 0x07, 0x80, 0x89, 0x41, 0x15, 0x50, 0x68, 0xf7,
    0x38,
];

/// How a segment is authenticated (section 2.1 and its IANA registry).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ciphersuite {
    /// 0: the leftmost 80 bits of an HMAC with SHA-1.
    HmacSha1_80,
    /// 1: a signature by RSA with SHA-256.
    RsaSha256,
    /// 255: as HMAC-SHA1-80, with a key that everybody knows: a strong checksum.
    Null,
    /// 2 to 191 are unassigned or reserved, 192 to 254 private.
    Other(u8),
}

impl Ciphersuite {
    /// The ciphersuite octet.
    pub const fn code(self) -> u8 {
        match self {
            Ciphersuite::HmacSha1_80 => 0,
            Ciphersuite::RsaSha256 => 1,
            Ciphersuite::Null => 255,
            Ciphersuite::Other(code) => code,
        }
    }

    /// The ciphersuite of an octet.
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Ciphersuite::HmacSha1_80,
            1 => Ciphersuite::RsaSha256,
            255 => Ciphersuite::Null,
            code => Ciphersuite::Other(code),
        }
    }
}

/// The name in the registry of section 2.1, or the number.
impl fmt::Display for Ciphersuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ciphersuite::HmacSha1_80 => f.write_str("HMAC-SHA1-80"),
            Ciphersuite::RsaSha256 => f.write_str("RSA-SHA256"),
            Ciphersuite::Null => f.write_str("NULL"),
            Ciphersuite::Other(code) => write!(f, "ciphersuite {code}"),
        }
    }
}

/// Why something is not a key to authenticate with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Section 2.1: the suite is not one that is computed here.
    #[error("{0} is not supported: take HMAC-SHA1-80, or NULL for a checksum (RFC 5327 section 2.1)")]
    Unsupported(Ciphersuite),
    /// Section 2.1: HMAC-SHA1-80 with an empty key authenticates nothing.
    #[error(
        "HMAC-SHA1-80 needs a key, and this one is empty: give at least one octet, better 20 (RFC 5327 section 2.1)"
    )]
    Empty,
    /// The NULL suite has its own key.
    #[error("the NULL ciphersuite has a key of its own: leave out the key of {0} octets (RFC 5327 section 2.1)")]
    NullWithKey(usize),
    /// The key ID leaves a segment too little room.
    #[error("a key ID of {0} octets is too long: give at most {MAX_KEY_ID_LEN}")]
    KeyIdTooLong(usize),
}

/// Why a segment does not pass for authentic (section 2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuthError {
    /// It has no AuthVal.
    #[error("no AuthVal in the trailer (RFC 5327 section 2.1)")]
    Missing,
    /// Its header names a ciphersuite or key ID that none of the keys has.
    #[error("the header names a ciphersuite and key ID that no key has (RFC 5327 section 2.1)")]
    UnknownKey,
    /// No AuthVal is what a key makes of the segment.
    #[error("no AuthVal is right (RFC 5327 section 2.1)")]
    Wrong,
}

/// A ciphersuite with its key, and the key ID that names it to the peer.
#[derive(Clone)]
pub struct AuthKey {
    /// The value of the header extension: ciphersuite, key ID.
    header: Vec<u8>,
    /// Keyed once, since the key takes two of the rounds that a short segment needs.
    mac: Hmac<Sha1>,
}

impl AuthKey {
    /// A key for a ciphersuite. `key_id` may be empty, which leaves it out.
    ///
    /// # Errors
    /// A suite that is not computed here, no key where one is needed or one where none is, a key ID longer than
    /// [`MAX_KEY_ID_LEN`].
    pub fn new(suite: Ciphersuite, key_id: &[u8], key: &[u8]) -> Result<Self, KeyError> {
        let key = match suite {
            Ciphersuite::HmacSha1_80 if key.is_empty() => return Err(KeyError::Empty),
            Ciphersuite::HmacSha1_80 => key,
            Ciphersuite::Null if !key.is_empty() => return Err(KeyError::NullWithKey(key.len())),
            Ciphersuite::Null => &NULL_KEY,
            suite => return Err(KeyError::Unsupported(suite)),
        };
        if key_id.len() > MAX_KEY_ID_LEN {
            return Err(KeyError::KeyIdTooLong(key_id.len()));
        }
        Ok(Self::keyed(suite, key_id, key))
    }

    /// A key for HMAC-SHA1-80.
    ///
    /// # Errors
    /// As [`AuthKey::new`].
    pub fn hmac_sha1_80(key_id: &[u8], key: &[u8]) -> Result<Self, KeyError> {
        Self::new(Ciphersuite::HmacSha1_80, key_id, key)
    }

    /// The NULL ciphersuite: a strong checksum, without a key ID.
    pub fn null() -> Self {
        Self::keyed(Ciphersuite::Null, &[], &NULL_KEY)
    }

    fn keyed(suite: Ciphersuite, key_id: &[u8], key: &[u8]) -> Self {
        let mut header = vec![suite.code()];
        header.extend_from_slice(key_id);
        let mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        AuthKey { header, mac }
    }

    /// The ciphersuite.
    pub fn suite(&self) -> Ciphersuite {
        Ciphersuite::from_code(self.header[0])
    }

    /// The key ID; empty if there is none.
    pub fn key_id(&self) -> &[u8] {
        &self.header[1..]
    }

    /// Octets that authentication adds to a segment.
    pub fn overhead(&self) -> usize {
        2 + self.header.len() + 2 + AUTH_VALUE_LEN
    }

    /// Appends a segment with the authentication extensions added to its own, after the last of each kind.
    ///
    /// # Panics
    /// As [`Segment::emit`], if the extensions come to more than 15.
    pub fn emit(&self, segment: &Segment<'_>, out: &mut Vec<u8>) {
        let header = Extension { tag: AUTHENTICATION, value: &self.header };
        let trailer = Extension { tag: AUTHENTICATION, value: &[0; AUTH_VALUE_LEN] };
        let start = out.len();
        segment.emit_with(&[header], &[trailer], out);
        let value_at = out.len() - AUTH_VALUE_LEN;
        let mac = self.mac.clone().chain_update(&out[start..value_at]).finalize().into_bytes();
        out[value_at..].copy_from_slice(&mac[..AUTH_VALUE_LEN]);
    }
}

/// The suite and the key ID; never the key.
impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthKey").field("suite", &self.suite()).field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

impl<'a> Segment<'a> {
    /// The cookies in the header, in order (section 2.2).
    pub fn cookies(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.header_extensions.iter().filter(|e| e.tag == COOKIE).map(|e| e.value)
    }

    /// Checks the authentication of a segment (section 2.1): the index of the first key by which an AuthVal is right.
    /// `octets` are those that the segment was read from; with any others nothing verifies.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub fn authenticate(&self, octets: &[u8], keys: &[AuthKey]) -> Result<usize, AuthError> {
        let values = || self.trailer_extensions.iter().filter(|e| e.tag == AUTHENTICATION).map(|e| e.value);
        if values().next().is_none() {
            return Err(AuthError::Missing);
        }
        let mut named = self.header_extensions.iter().filter(|e| e.tag == AUTHENTICATION).map(|e| e.value).peekable();
        let any = named.peek().is_none();
        let named: Vec<&[u8]> = named.collect();
        let mut result = Err(AuthError::UnknownKey);
        for (index, key) in keys.iter().enumerate() {
            if !any && !named.contains(&key.header.as_slice()) {
                continue;
            }
            result = Err(AuthError::Wrong);
            let mut mac = key.mac.clone();
            let mut from = 0;
            for value in values() {
                let Some(at) = place_in(octets, value).filter(|at| *at >= from) else { return result };
                mac.update(&octets[from..at]);
                from = at + value.len();
            }
            mac.update(&octets[from..]);
            let right =
                |value: &[u8]| value.len() == AUTH_VALUE_LEN && mac.clone().verify_truncated_left(value).is_ok();
            if values().any(right) {
                return Ok(index);
            }
        }
        result
    }
}

/// Where `part` lies in `whole`, if it is borrowed from it.
fn place_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let at = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (at.checked_add(part.len())? <= whole.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ltp::{Content, SessionId, segments_with_octets};

    const KEY: &[u8] = b"a secret shared with the lander";

    fn key() -> AuthKey {
        AuthKey::hmac_sha1_80(&[0x24], KEY).unwrap()
    }

    fn ack() -> Segment<'static> {
        Segment::new(SessionId { originator: 10, number: 4711 }, Content::ReportAck { report_serial: 7 })
    }

    fn check(octets: &[u8], keys: &[AuthKey]) -> Result<usize, AuthError> {
        Segment::parse(octets).unwrap().0.authenticate(octets, keys)
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        digits.chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
    }

    // The AuthVals of these octets were computed with another implementation of HMAC-SHA1.
    #[test]
    fn octets_are_those_of_section_2_1() {
        let mut out = Vec::new();
        key().emit(&ack(), &mut out);
        assert_eq!(out, hex("09 0aa467 11 00020024 07 000a 59707b68c22a10a6531b"));
        out.clear();
        AuthKey::null().emit(&ack(), &mut out);
        assert_eq!(out, hex("09 0aa467 11 0001ff 07 000a e1012746aab5354f3a3c"));
        assert_eq!(AuthKey::null().overhead(), out.len() - ack().encoded_len());
        assert_eq!(check(&out, &[key(), AuthKey::null()]), Ok(1));
    }

    #[test]
    fn a_change_of_any_octet_is_found() {
        let mut octets = Vec::new();
        key().emit(&ack(), &mut octets);
        for at in 0..octets.len() {
            for bit in 0..8 {
                let mut changed = octets.clone();
                changed[at] ^= 1 << bit;
                if let Ok((segment, len)) = Segment::parse(&changed) {
                    let result = segment.authenticate(&changed[..len], &[key()]);
                    assert!(result.is_err(), "octet {at}, bit {bit}: {segment:?}");
                }
            }
        }
    }

    #[test]
    fn of_two_values_one_right_one_is_enough_and_neither_covers_the_other() {
        let octets = hex("09 0aa467 22 0001ff 00020024 07 000a 92509d6e00f76c817e71 000a 6f58bc1c979c32845bb7");
        assert_eq!(check(&octets, &[key()]), Ok(0));
        assert_eq!(check(&octets, &[AuthKey::null()]), Ok(0));
        let other = AuthKey::hmac_sha1_80(&[0x24], b"another").unwrap();
        assert_eq!(check(&octets, std::slice::from_ref(&other)), Err(AuthError::Wrong));
        assert_eq!(check(&octets, &[other, AuthKey::null()]), Ok(1));
    }

    #[test]
    fn extensions_after_the_value_are_covered() {
        let mut octets = hex("09 0aa467 12 0001ff 07 000a 7791f7f11a40f87aaff1 c003010203");
        assert_eq!(check(&octets, &[AuthKey::null()]), Ok(0));
        *octets.last_mut().unwrap() = 4;
        assert_eq!(check(&octets, &[AuthKey::null()]), Err(AuthError::Wrong));
    }

    #[test]
    fn what_is_missing_or_unknown_is_told_apart() {
        let mut plain = Vec::new();
        ack().emit(&mut plain);
        assert_eq!(check(&plain, &[key()]), Err(AuthError::Missing));
        let mut octets = Vec::new();
        AuthKey::hmac_sha1_80(&[0x25], KEY).unwrap().emit(&ack(), &mut octets);
        assert_eq!(check(&octets, &[key()]), Err(AuthError::UnknownKey));
        assert_eq!(check(&octets, &[]), Err(AuthError::UnknownKey));
        let short = hex("09 0aa467 01 07 0009 59707b68c22a10a653");
        assert_eq!(check(&short, &[key()]), Err(AuthError::Wrong), "a prefix of the value is not the value");
        let foreign = octets.clone();
        assert_eq!(Segment::parse(&octets).unwrap().0.authenticate(&foreign, &[key()]), Err(AuthError::UnknownKey));
    }

    #[test]
    fn a_segment_without_the_header_part_is_checked_with_every_key() {
        let input = hex("09 0aa467 01 07 000a");
        let mut octets = input.clone();
        let mac = key().mac.clone().chain_update(&input).finalize().into_bytes();
        octets.extend_from_slice(&mac[..AUTH_VALUE_LEN]);
        assert_eq!(check(&octets, &[AuthKey::null(), key()]), Ok(1));
    }

    #[test]
    fn several_segments_of_a_frame_are_checked_each_by_itself() {
        let mut frame = Vec::new();
        key().emit(&ack(), &mut frame);
        key().emit(&Segment::new(SessionId { originator: 1, number: 2 }, ack().content), &mut frame);
        let results: Vec<_> = segments_with_octets(&frame)
            .map(|s| s.map(|(segment, octets)| segment.authenticate(octets, &[key()])))
            .collect();
        assert_eq!(results, [Ok(Ok(0)), Ok(Ok(0))]);
    }

    #[test]
    fn keys_that_cannot_be_used_are_refused_with_what_to_do() {
        let refused = |suite, id: &[u8], key: &[u8]| AuthKey::new(suite, id, key).unwrap_err();
        let rsa = refused(Ciphersuite::RsaSha256, &[], KEY);
        assert_eq!(rsa, KeyError::Unsupported(Ciphersuite::RsaSha256));
        assert!(rsa.to_string().starts_with("RSA-SHA256 is not supported: take HMAC-SHA1-80"));
        assert_eq!(refused(Ciphersuite::HmacSha1_80, &[], &[]), KeyError::Empty);
        assert_eq!(refused(Ciphersuite::Null, &[], &[1]), KeyError::NullWithKey(1));
        assert_eq!(refused(Ciphersuite::HmacSha1_80, &[0; 33], KEY), KeyError::KeyIdTooLong(33));
    }

    #[test]
    fn ciphersuites_round_trip_and_a_key_does_not_show_itself() {
        for code in 0..=255 {
            assert_eq!(Ciphersuite::from_code(code).code(), code);
        }
        assert_eq!(format!("{:?}", key()), "AuthKey { suite: HmacSha1_80, key_id: [36], .. }");
    }

    #[test]
    fn cookies_are_listed_in_order() {
        let mut segment = ack();
        segment.header_extensions = vec![
            Extension { tag: COOKIE, value: b"first" },
            Extension { tag: 0xC0, value: b"private" },
            Extension { tag: COOKIE, value: b"second" },
        ];
        assert_eq!(segment.cookies().collect::<Vec<_>>(), [b"first".as_slice(), b"second"]);
    }
}
