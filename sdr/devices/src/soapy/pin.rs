//! Which radio is meant.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::SoapyError;

/// Keys that name a driver: the second that of a device on another host, by SoapyRemote.
const DRIVERS: [&str; 2] = ["driver", "remote:driver"];
/// The driver of sound cards, SoapyAudio.
const SOUND_CARD: &str = "audio";

/// A device's arguments: `key=value` pairs with commas between them. What is written of them can be read again, and names the
/// same device.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arguments(pub(super) BTreeMap<String, String>);

impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The driver first, as people write it.
        let driver = self.0.iter().filter(|(key, _)| *key == "driver");
        // What a driver says for people alone is left out, and what could not be read again.
        let fit = |(key, value): &(&String, &String)| *key != "driver" && *key != "label" && !value.contains(',');
        let rest = self.0.iter().filter(fit);
        let pairs: Vec<String> = driver.chain(rest).map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(","))
    }
}

/// Reads arguments that pin a device.
///
/// # Errors
/// They are no pairs, name no driver, or a sound card's.
impl FromStr for Arguments {
    type Err = SoapyError;

    fn from_str(text: &str) -> Result<Arguments, SoapyError> {
        let arguments = || text.escape_debug().to_string();
        let mut pairs = BTreeMap::new();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let pair = part.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
            let Some((key, value)) =
                pair.filter(|(key, value)| !key.is_empty() && !value.is_empty() && !part.contains('\0'))
            else {
                return Err(SoapyError::NoPair { arguments: arguments(), part: part.escape_debug().to_string() });
            };
            if pairs.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(SoapyError::Twice { arguments: arguments(), key: key.to_owned() });
            }
        }
        let pairs = Arguments(pairs);
        // It is left out where arguments are written, and another device than the one that was meant would match.
        if pairs.0.contains_key("label") {
            return Err(SoapyError::Label { arguments: arguments() });
        }
        if !pairs.0.contains_key("driver") {
            return Err(SoapyError::NoDriver { arguments: arguments() });
        }
        if pairs.is_sound_card() {
            return Err(SoapyError::SoundCard { arguments: arguments() });
        }
        Ok(pairs)
    }
}

impl Arguments {
    /// What stands for a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether a driver is that of sound cards.
    pub(super) fn is_sound_card(&self) -> bool {
        DRIVERS.iter().filter_map(|key| self.0.get(*key)).any(|driver| names_sound_card(driver))
    }

    /// The one device of those found that these arguments mean, with what they say besides.
    ///
    /// # Errors
    /// None does, or more than one.
    #[cfg(any(feature = "soapy", test))]
    pub(super) fn pick(&self, found: Vec<Arguments>) -> Result<Arguments, SoapyError> {
        // A driver may pass over a key that it does not know, and find what was not meant.
        let meant = |device: &Arguments| {
            // One that tells no serial number is not known to be the one that was named.
            let same = |(key, value): (&String, &String)| {
                device.0.get(key).map_or(key.as_str() != "serial", |found| found == value)
            };
            !device.is_sound_card() && self.0.iter().all(same)
        };
        let (mut matching, others): (Vec<Arguments>, Vec<Arguments>) = found.into_iter().partition(meant);
        let texts = |devices: &[Arguments]| devices.iter().map(ToString::to_string).collect();
        match (matching.pop(), matching.as_slice()) {
            (None, _) => Err(SoapyError::NoMatch { arguments: self.to_string(), others: texts(&others) }),
            (Some(mut device), []) => {
                for (key, value) in &self.0 {
                    device.0.entry(key.clone()).or_insert_with(|| value.clone());
                }
                Ok(device)
            }
            (Some(last), _) => {
                matching.push(last);
                Err(SoapyError::Several { arguments: self.to_string(), found: texts(&matching) })
            }
        }
    }
}

/// Whether this is the driver of sound cards, however it is written.
pub(super) fn names_sound_card(driver: &str) -> bool {
    driver.trim().eq_ignore_ascii_case(SOUND_CARD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Arguments {
        text.parse().unwrap()
    }

    fn said(text: &str) -> String {
        text.parse::<Arguments>().unwrap_err().to_string()
    }

    #[test]
    fn arguments_that_pin_no_device_are_refused_with_a_remedy() {
        assert_eq!(arguments(" serial = 1 ,driver=uhd,").to_string(), "driver=uhd,serial=1");
        assert_eq!(
            said("serial=1"),
            "the device's arguments `serial=1` name no driver; begin with `driver=`, as `SoapySDRUtil --find` shows it"
        );
        assert!(said("").contains("name no driver"));
        assert_eq!(
            said("driver=uhd,serial"),
            "`serial` in the device's arguments `driver=uhd,serial` is not `key=value`; write for instance \
             `driver=uhd,serial=30F1234`"
        );
        assert!(said("driver=").contains("`driver=` in the device's"));
        assert!(said("driver=a\0b").contains("is not `key=value`"));
        assert!(said("driver=a,driver=b").contains("more than once"));
        assert!(said("driver=lime,label=the first").contains("pins no device; pin it by its `serial`"));
        for sound_card in ["driver=audio", "driver= Audio ", "driver=remote,remote:driver=audio"] {
            let text = said(sound_card);
            assert!(text.ends_with("is a sound card, which is never taken for a radio; name another driver"), "{text}");
        }
    }

    #[test]
    fn exactly_one_device_may_match() {
        let mut labelled = arguments("driver=uhd,serial=1,type=b200");
        labelled.0.insert("label".to_owned(), "B200, the first".to_owned());
        labelled.0.insert("note".to_owned(), "this, and that".to_owned());
        let found = || {
            vec![
                labelled.clone(),
                arguments("driver=uhd,serial=2,type=b200"),
                Arguments([("driver".to_owned(), "audio".to_owned())].into()),
            ]
        };
        let picked = arguments("driver=uhd,serial=2,master_clock_rate=32e6").pick(found()).unwrap();
        assert_eq!(picked.to_string(), "driver=uhd,master_clock_rate=32e6,serial=2,type=b200");
        assert_eq!(
            arguments("driver=uhd,type=b200").pick(found()).unwrap_err().to_string(),
            "2 devices match `driver=uhd,type=b200`; add what tells them apart:\n  driver=uhd,serial=1,type=b200\n  \
             driver=uhd,serial=2,type=b200"
        );
        let error = arguments("driver=uhd,serial=3").pick(found()).unwrap_err();
        let SoapyError::NoMatch { others, .. } = &error else { panic!("{error}") };
        assert_eq!(others.len(), 3);
        assert!(
            error.to_string().contains("no device matches `driver=uhd,serial=3` (found: driver=uhd,serial=1"),
            "{error}"
        );
        let only_sound = vec![Arguments([("driver".to_owned(), "audio".to_owned())].into())];
        assert!(matches!(arguments("driver=remote").pick(only_sound), Err(SoapyError::NoMatch { .. })));
    }
}
