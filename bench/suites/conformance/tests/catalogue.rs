//! The catalogue and the cases belong together.
#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use farlink_conformance::{cases, catalogue};

#[test]
fn every_requirement_has_a_case_or_a_reason_and_never_both() {
    let cases: BTreeSet<&str> = cases::all().iter().map(|case| case.id).collect();
    let reasons: BTreeMap<&str, &str> =
        catalogue::without_case().iter().map(|w| (w.id.as_str(), w.why.as_str())).collect();
    let required: BTreeSet<&str> = catalogue::requirements().map(|r| r.id.as_str()).collect();
    let neither: Vec<&&str> =
        required.iter().filter(|id| !cases.contains(**id) && !reasons.contains_key(**id)).collect();
    let both: Vec<&&str> = cases.iter().filter(|id| reasons.contains_key(**id)).collect();
    let unknown: Vec<&&str> = cases.iter().chain(reasons.keys()).filter(|id| !required.contains(**id)).collect();
    assert!(neither.is_empty(), "{} requirements without case and reason: {neither:?}", neither.len());
    assert!(both.is_empty(), "a case and a reason why there is none: {both:?}");
    assert!(unknown.is_empty(), "not in the catalogue: {unknown:?}");
    assert!(reasons.values().all(|why| why.len() > 20), "a reason says something");
}

#[test]
fn ids_are_unique_and_named_by_their_section() {
    let mut seen = BTreeSet::new();
    for (file, content) in catalogue::files() {
        for requirement in &content.requirements {
            assert!(seen.insert(&requirement.id), "{file}: {} twice", requirement.id);
            let mut parts = requirement.id.rsplitn(2, '-');
            let (number, stem) = (parts.next().unwrap(), parts.next().unwrap());
            assert!(
                number.parse::<u32>().is_ok() && stem.contains('-'),
                "{}: not <protocol>-<section>-<number>",
                requirement.id
            );
            for need in &requirement.needs {
                assert!(content.needs.contains_key(need), "{}: {need} is not explained in {file}", requirement.id);
            }
        }
    }
    let ids: Vec<&str> = cases::all().iter().map(|case| case.id).collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "a case stands twice");
}

#[test]
fn what_cases_need_is_explained_in_the_catalogue() {
    let explained: BTreeSet<&str> =
        catalogue::files().iter().flat_map(|(_, file)| file.needs.keys()).map(String::as_str).collect();
    for case in cases::all() {
        for need in case.all_needs() {
            assert!(explained.contains(need), "{}: {need}", case.id);
        }
    }
}

/// The share that the requirements of the three protocols must reach.
#[test]
fn nineteen_of_twenty_requirements_have_a_case() {
    let cases: BTreeSet<&str> = cases::all().iter().map(|case| case.id).collect();
    for wanted in ["ltp", "bpv7", "tcpclv4"] {
        let (_, file) = catalogue::files().iter().find(|(name, _)| *name == wanted).unwrap();
        let with = file.requirements.iter().filter(|r| cases.contains(r.id.as_str())).count();
        assert!(with * 100 >= file.requirements.len() * 95, "{wanted}: {with} of {}", file.requirements.len());
    }
}
