//! The requirements, as data: `fixtures/catalogue`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// The force of a requirement: the RFC 2119 keyword of its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum Level {
    /// MUST, SHALL, REQUIRED.
    #[serde(rename = "MUST")]
    Must,
    /// MUST NOT, SHALL NOT.
    #[serde(rename = "MUST NOT")]
    MustNot,
    /// SHOULD, RECOMMENDED.
    #[serde(rename = "SHOULD")]
    Should,
    /// SHOULD NOT, NOT RECOMMENDED.
    #[serde(rename = "SHOULD NOT")]
    ShouldNot,
    /// MAY, OPTIONAL.
    #[serde(rename = "MAY")]
    May,
    /// Normative procedure without a keyword, or what follows from it for hostile input.
    #[serde(rename = "behaviour")]
    Behaviour,
}

impl Level {
    /// Every level.
    pub const ALL: [Level; 6] =
        [Level::Must, Level::MustNot, Level::Should, Level::ShouldNot, Level::May, Level::Behaviour];

    /// As the catalogue writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Must => "MUST",
            Level::MustNot => "MUST NOT",
            Level::Should => "SHOULD",
            Level::ShouldNot => "SHOULD NOT",
            Level::May => "MAY",
            Level::Behaviour => "behaviour",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much a deviation counts. The lightest is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Written down, never a failure.
    Inform,
    /// Something recommended is not done; a failure only when SHOULD counts.
    Warn,
    /// Counts against conformance.
    Fail,
}

impl Grade {
    /// As the catalogue writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Grade::Inform => "inform",
            Grade::Warn => "warn",
            Grade::Fail => "fail",
        }
    }
}

/// One requirement that can be judged from the wire.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Its name, by section: `LTP-6.11-02`. It never changes and is never given to another one.
    pub id: String,
    /// Where it stands: `5326 §6.11`.
    pub section: String,
    /// Its force.
    pub level: Level,
    /// Which part of a node it is about.
    pub role: String,
    /// The worst grade that a deviation may get.
    pub verdict: Grade,
    /// What the node must offer, by the names of [`File::needs`]; without it the case is skipped.
    #[serde(default)]
    pub needs: Vec<String>,
    /// For which part of the case the needs hold.
    #[serde(default)]
    pub needs_note: Option<String>,
    /// What is required.
    pub requirement: String,
    /// What the tester does.
    pub stimulus: String,
    /// What must come of it.
    pub expect: String,
    /// What the text leaves open.
    #[serde(default)]
    pub ambiguity: Option<String>,
}

/// What the texts require and nobody can see from the wire.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotTestable {
    /// Where it stands.
    pub section: String,
    /// Its force.
    pub level: Level,
    /// What is required.
    pub requirement: String,
    /// Why it cannot be seen.
    pub why: String,
}

/// One file of the catalogue.
#[derive(Clone, Debug, Deserialize)]
pub struct File {
    /// What it is about.
    pub title: String,
    /// Names of what a node must offer, and what they mean.
    #[serde(default)]
    pub needs: BTreeMap<String, String>,
    /// The requirements.
    pub requirements: Vec<Requirement>,
    /// The rest of the texts.
    #[serde(default)]
    pub not_wire_testable: Vec<NotTestable>,
}

/// A requirement without a case, and why.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithoutCase {
    /// The requirement.
    pub id: String,
    /// Why there is no case.
    pub why: String,
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../fixtures/catalogue/", $name, ".yaml")))),*]
    };
}

/// Every file of the catalogue, by name.
static FILES: LazyLock<Vec<(&'static str, File)>> = LazyLock::new(|| {
    files!["ltp", "bpv7", "tcpclv4", "udpcl", "framing", "contacts", "bpsec", "custody-bpv6"]
        .into_iter()
        .map(|(name, text)| match serde_yaml::from_str(text) {
            Ok(file) => (name, file),
            Err(error) => panic!("fixtures/catalogue/{name}.yaml: {error}"),
        })
        .collect()
});

static WITHOUT_CASE: LazyLock<Vec<WithoutCase>> = LazyLock::new(|| {
    let text = include_str!("../../../../fixtures/catalogue/without-case.yaml");
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("fixtures/catalogue/without-case.yaml: {error}"))
});

static BY_ID: LazyLock<BTreeMap<&'static str, &'static Requirement>> =
    LazyLock::new(|| requirements().map(|r| (r.id.as_str(), r)).collect());

/// Every file, by name.
pub fn files() -> &'static [(&'static str, File)] {
    &FILES
}

/// Every requirement, in the order of the files.
pub fn requirements() -> impl Iterator<Item = &'static Requirement> {
    FILES.iter().flat_map(|(_, file)| &file.requirements)
}

/// The requirement of this id.
pub fn requirement(id: &str) -> Option<&'static Requirement> {
    BY_ID.get(id).copied()
}

/// Requirements without a case.
pub fn without_case() -> &'static [WithoutCase] {
    &WITHOUT_CASE
}
