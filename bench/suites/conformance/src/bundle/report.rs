//! Bundle status reports (RFC 9171 section 6.1.1).

use super::Emitted;
use super::cbor::{self, Value};
use super::draft::numbers;

/// A status assertion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Whether the status is asserted.
    pub asserted: bool,
    /// When it came about, in milliseconds of DTN time.
    pub time_ms: Option<u64>,
}

/// A status report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Received, forwarded, delivered, deleted.
    pub items: [Item; 4],
    /// Why.
    pub reason: u64,
    /// Source of the subject, as an item.
    pub source: Vec<u8>,
    /// Creation timestamp of the subject.
    pub created: (u64, u64),
    /// Offset and length, where the report has six elements.
    pub fragment: Option<(u64, u64)>,
    /// How many elements it has.
    pub elements: usize,
}

impl Report {
    /// The report that is the payload of a bundle.
    ///
    /// # Errors
    /// It is none, or not as sections 6.1 and 6.1.1 prescribe.
    pub fn read(bundle: &Emitted) -> Result<Report, String> {
        let payload = bundle.payload();
        let record = cbor::whole(payload).map_err(|why| format!("the payload is no CBOR item: {why}"))?;
        let [code, content] = record.array().ok_or("the payload is no array")? else {
            return Err("the administrative record has not two elements".to_owned());
        };
        if code.unsigned() != Some(1) {
            return Err("the record type is not the unsigned integer 1".to_owned());
        }
        let elements = content.array().ok_or("the report is no array")?;
        if !matches!(elements.len(), 4 | 6) {
            return Err(format!("the report has {} elements", elements.len()));
        }
        let statuses = elements[0].array().ok_or("the status information is no array")?;
        if statuses.len() < 4 {
            return Err(format!("the status information has {} elements", statuses.len()));
        }
        let mut items = [Item::default(); 4];
        for (place, status) in statuses.iter().enumerate() {
            let item = status_item(status).ok_or_else(|| format!("status item {place} is none"))?;
            if let Some(slot) = items.get_mut(place) {
                *slot = item;
            }
        }
        let reason = elements[1].unsigned().ok_or("the reason code is no unsigned integer")?;
        let source = elements[2].octets(payload).to_vec();
        let created = match numbers(&elements[3]).as_deref() {
            Some([time, sequence]) => (*time, *sequence),
            _ => return Err("the creation timestamp is not two unsigned integers".to_owned()),
        };
        let fragment = match elements.get(4..6) {
            Some([offset, length]) => Some(
                offset.unsigned().zip(length.unsigned()).ok_or("offset and length are not two unsigned integers")?,
            ),
            _ => None,
        };
        Ok(Report { items, reason, source, created, fragment, elements: elements.len() })
    }

    /// Whether the subject was received.
    pub fn received(&self) -> bool {
        self.items[0].asserted
    }

    /// Whether it was forwarded.
    pub fn forwarded(&self) -> bool {
        self.items[1].asserted
    }

    /// Whether it was delivered.
    pub fn delivered(&self) -> bool {
        self.items[2].asserted
    }

    /// Whether it was deleted.
    pub fn deleted(&self) -> bool {
        self.items[3].asserted
    }

    /// In words.
    pub fn told(&self) -> String {
        let names = ["received", "forwarded", "delivered", "deleted"];
        let said: Vec<&str> =
            names.iter().zip(&self.items).filter(|(_, item)| item.asserted).map(|(n, _)| *n).collect();
        format!("a report that says {} with reason {}", said.join(" and "), self.reason)
    }
}

fn status_item(item: &cbor::Item) -> Option<Item> {
    match item.array()? {
        [flag] => Some(Item { asserted: flag_of(flag)?, time_ms: None }),
        [flag, time] => Some(Item { asserted: flag_of(flag)?, time_ms: Some(time.unsigned()?) }),
        _ => None,
    }
}

fn flag_of(item: &cbor::Item) -> Option<bool> {
    match item.value {
        Value::Bool(flag) => Some(flag),
        _ => None,
    }
}
