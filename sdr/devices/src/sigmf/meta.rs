//! What a recording says of itself.

use serde::{Deserialize, Serialize};

use crate::file::SampleFormat;

/// A metadata file. Keys of other namespaces are passed over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Of the whole recording.
    pub global: Global,
    /// From which sample on what holds; in order.
    pub captures: Vec<Capture>,
    /// What is to be said of some samples; in order.
    pub annotations: Vec<Annotation>,
}

/// Of the whole recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Global {
    /// How a sample stands in the file.
    #[serde(rename = "core:datatype")]
    pub datatype: String,
    /// Samples a second.
    #[serde(rename = "core:sample_rate", skip_serializing_if = "Option::is_none")]
    pub sample_rate_hz: Option<f64>,
    /// The version of the specification.
    #[serde(rename = "core:version")]
    pub version: String,
    /// SHA-512 of the data file, in hexadecimal digits.
    #[serde(rename = "core:sha512", skip_serializing_if = "Option::is_none")]
    pub sha512: Option<String>,
    /// The number of the first sample of the file; every other number counts as this does.
    #[serde(rename = "core:offset", skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What it is.
    #[serde(rename = "core:description", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is.
    #[serde(rename = "core:author", skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Which radio it was made with.
    #[serde(rename = "core:hw", skip_serializing_if = "Option::is_none")]
    pub hw: Option<String>,
    /// Which program wrote it.
    #[serde(rename = "core:recorder", skip_serializing_if = "Option::is_none")]
    pub recorder: Option<String>,
    /// The URL of its licence.
    #[serde(rename = "core:license", skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Interleaved channels; 1 if absent.
    #[serde(rename = "core:num_channels", skip_serializing_if = "Option::is_none")]
    pub num_channels: Option<u64>,
    /// The data file of a dataset that does not conform.
    #[serde(rename = "core:dataset", skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Whether there is no data file.
    #[serde(rename = "core:metadata_only", skip_serializing_if = "Option::is_none")]
    pub metadata_only: Option<bool>,
    /// Octets after the samples of a dataset that does not conform.
    #[serde(rename = "core:trailing_bytes", skip_serializing_if = "Option::is_none")]
    pub trailing_bytes: Option<u64>,
    /// Other namespaces in use.
    #[serde(rename = "core:extensions", skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Vec<Extension>>,
}

/// Another namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether the recording can be read without knowing it.
    pub optional: bool,
}

/// What holds from a sample on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capture {
    /// The number of the first sample.
    #[serde(rename = "core:sample_start")]
    pub sample_start: u64,
    /// Centre frequency, in Hz.
    #[serde(rename = "core:frequency", skip_serializing_if = "Option::is_none")]
    pub frequency_hz: Option<f64>,
    /// When that sample was, in UTC (RFC 3339, with `Z`).
    #[serde(rename = "core:datetime", skip_serializing_if = "Option::is_none")]
    pub datetime: Option<String>,
    /// The number that the sample has where none is missing.
    #[serde(rename = "core:global_index", skip_serializing_if = "Option::is_none")]
    pub global_index: Option<u64>,
    /// Octets before the samples of a dataset that does not conform.
    #[serde(rename = "core:header_bytes", skip_serializing_if = "Option::is_none")]
    pub header_bytes: Option<u64>,
}

/// What is to be said of some samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    /// The number of the first sample.
    #[serde(rename = "core:sample_start")]
    pub sample_start: u64,
    /// How many; without it up to the next capture.
    #[serde(rename = "core:sample_count", skip_serializing_if = "Option::is_none")]
    pub sample_count: Option<u64>,
    /// Lower edge, in Hz.
    #[serde(rename = "core:freq_lower_edge", skip_serializing_if = "Option::is_none")]
    pub freq_lower_edge_hz: Option<f64>,
    /// Upper edge, in Hz.
    #[serde(rename = "core:freq_upper_edge", skip_serializing_if = "Option::is_none")]
    pub freq_upper_edge_hz: Option<f64>,
    /// A word.
    #[serde(rename = "core:label", skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// A sentence.
    #[serde(rename = "core:comment", skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What is wrong with a metadata file.
pub(super) enum Fault {
    /// Against the specification.
    Malformed(String),
    /// Sound, but not read here.
    Unsupported(String),
}

/// The greatest number that the specification allows.
const GREATEST: u64 = i64::MAX as u64;
/// The greatest rate, and frequency on either side of 0, that it allows, in Hz.
const GREATEST_HZ: f64 = 1e12;

impl Meta {
    /// The format and the sample rate of a recording of this many samples, if it can be played.
    pub(super) fn playable(&self) -> Result<(SampleFormat, f64), Fault> {
        let global = &self.global;
        let unsupported = |why: String| Err(Fault::Unsupported(why));
        if !global.version.starts_with("1.") {
            return unsupported(format!("core:version is {:?}; read is 1.x", global.version));
        }
        let Some(format) = SampleFormat::named(&global.datatype) else {
            let known = SampleFormat::ALL.map(SampleFormat::name).join(" and ");
            return unsupported(format!("core:datatype is {:?}; read are {known}", global.datatype));
        };
        let channels = global.num_channels.unwrap_or(1);
        if channels != 1 {
            return unsupported(format!("core:num_channels is {channels}; read is one channel"));
        }
        if global.metadata_only == Some(true) {
            return unsupported("core:metadata_only says that it has no samples".to_owned());
        }
        let headers = self.captures.iter().any(|capture| capture.header_bytes.is_some_and(|octets| octets > 0));
        if global.dataset.is_some() || global.trailing_bytes.is_some_and(|octets| octets > 0) || headers {
            let why = "it is a dataset that does not conform (core:dataset, core:header_bytes or core:trailing_bytes); \
                       read it as a raw file";
            return unsupported(why.to_owned());
        }
        if let Some(needed) = global.extensions.iter().flatten().find(|extension| !extension.optional) {
            return unsupported(format!("core:extensions says that {:?} must be known to read it", needed.name));
        }
        let Some(rate) = global.sample_rate_hz else {
            return unsupported("there is no core:sample_rate; write it in".to_owned());
        };
        if !(rate > 0.0 && rate <= GREATEST_HZ) {
            return Err(Fault::Malformed(format!("core:sample_rate is {rate}; it must be above 0 and at most 1e12")));
        }
        Ok((format, rate))
    }

    /// Whether captures and annotations are in order, and within this many samples.
    pub(super) fn check(&self, count: u64) -> Result<(), Fault> {
        let offset = self.global.offset.unwrap_or(0);
        let malformed = |why: String| Err(Fault::Malformed(why));
        if offset > GREATEST {
            return malformed(format!("core:offset is {offset}; it must be below 2^63"));
        }
        let end = offset.saturating_add(count);
        let starts = [
            ("captures", self.captures.iter().map(|capture| capture.sample_start).collect::<Vec<_>>()),
            ("annotations", self.annotations.iter().map(|annotation| annotation.sample_start).collect()),
        ];
        for (list, starts) in starts {
            for (place, start) in starts.iter().enumerate() {
                if place > 0 && *start < starts[place - 1] {
                    return malformed(format!("{list}[{place}] begins at sample {start}, before the one above it"));
                }
                if *start < offset || *start > end {
                    return malformed(format!(
                        "{list}[{place}] begins at sample {start}, and the data file has samples {offset} to {end}"
                    ));
                }
            }
        }
        for (place, capture) in self.captures.iter().enumerate() {
            let frequency = capture.frequency_hz.unwrap_or(0.0);
            if frequency.abs() > GREATEST_HZ {
                return malformed(format!("captures[{place}]: core:frequency is {frequency}; it must be within ±1e12"));
            }
            if let Some(index) = capture.global_index.filter(|index| *index > GREATEST) {
                return malformed(format!("captures[{place}]: core:global_index is {index}; it must be below 2^63"));
            }
            if let Some(text) = &capture.datetime
                && let Err(error) = humantime::parse_rfc3339(text)
            {
                return malformed(format!(
                    "captures[{place}]: core:datetime is {text:?}: {error}; RFC 3339 with `Z` is meant"
                ));
            }
        }
        Ok(())
    }
}
