//! When bodies and spacecraft can be followed to the barycentre of the solar system.

use std::collections::BTreeMap;

use super::daf::Segment;
use super::{BARYCENTRE, LONGEST_CHAIN};

/// Spans of time in order and apart, each from its first to its last TDB second after J2000.
pub(super) type Spans = Vec<[f64; 2]>;

const ALWAYS: [[f64; 2]; 1] = [[f64::NEG_INFINITY, f64::INFINITY]];

/// When each target is placed, whatever it is placed from.
pub(super) fn of_targets(segments: &[Segment]) -> BTreeMap<i32, Spans> {
    by_target(segments, |s, given| given.push([s.start, s.end]))
        .into_iter()
        .map(|(target, spans)| (target, united(spans)))
        .collect()
}

/// When each target can be followed to the barycentre.
///
/// Where segments overlap, one that leads nowhere may take precedence over one that leads there: such times are left out.
pub(super) fn to_the_barycentre(segments: &[Segment]) -> BTreeMap<i32, Spans> {
    let mut covered: BTreeMap<i32, Spans> = BTreeMap::new();
    // One more link of the chains each round; a circle of segments never begins.
    for _ in 0..LONGEST_CHAIN {
        let of = |center: i32| match center {
            BARYCENTRE => &ALWAYS[..],
            other => covered.get(&other).map_or(&[][..], Vec::as_slice),
        };
        let good = by_target(segments, |s, spans| spans.extend(within([s.start, s.end], of(s.center))));
        let bad = by_target(segments, |s, spans| spans.extend(outside([s.start, s.end], of(s.center))));
        let next: BTreeMap<i32, Spans> = good
            .into_iter()
            .map(|(target, good)| {
                let bad = united(bad.get(&target).cloned().unwrap_or_default());
                (target, united(good).into_iter().flat_map(|span| outside(span, &bad)).collect::<Spans>())
            })
            .filter(|(_, spans)| !spans.is_empty())
            .collect();
        if next == covered {
            break;
        }
        covered = next;
    }
    covered
}

fn by_target(segments: &[Segment], mut take: impl FnMut(&Segment, &mut Spans)) -> BTreeMap<i32, Spans> {
    let mut spans = BTreeMap::new();
    for segment in segments {
        take(segment, spans.entry(segment.target).or_default());
    }
    spans
}

fn united(mut spans: Spans) -> Spans {
    spans.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let mut united: Spans = Vec::with_capacity(spans.len());
    for span in spans {
        match united.last_mut() {
            Some(last) if span[0] <= last[1] => last[1] = last[1].max(span[1]),
            _ => united.push(span),
        }
    }
    united
}

/// The part of `span` that `spans` cover.
fn within(span: [f64; 2], spans: &[[f64; 2]]) -> Spans {
    let first = spans.partition_point(|s| s[1] < span[0]);
    let common = spans[first..].iter().take_while(|s| s[0] <= span[1]).map(|s| [s[0].max(span[0]), s[1].min(span[1])]);
    common.collect()
}

/// The part of `span` that `spans` do not cover.
fn outside(span: [f64; 2], spans: &[[f64; 2]]) -> Spans {
    let mut left = Vec::new();
    let mut from = span[0];
    for [start, end] in within(span, spans) {
        if from < start {
            left.push([from, start]);
        }
        from = end;
    }
    if from < span[1] {
        left.push([from, span[1]]);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(target: i32, center: i32, start: f64, end: f64) -> Segment {
        Segment { target, center, start, end }
    }

    #[test]
    fn chains_count_where_all_their_links_do() {
        let covered = to_the_barycentre(&[
            segment(-1, 301, 0.0, 10.0),
            segment(301, 3, 4.0, 8.0),
            segment(3, 0, 2.0, 6.0),
            segment(3, 0, 6.0, 7.0),
            segment(5, 6, 0.0, 1.0),
            segment(6, 5, 0.0, 1.0),
        ]);
        assert_eq!(covered, BTreeMap::from([(-1, vec![[4.0, 7.0]]), (3, vec![[2.0, 7.0]]), (301, vec![[4.0, 7.0]])]));
    }

    #[test]
    fn a_segment_that_leads_nowhere_leaves_a_hole() {
        let covered = to_the_barycentre(&[segment(-1, 0, 0.0, 10.0), segment(-1, 77, 4.0, 5.0)]);
        assert_eq!(covered, BTreeMap::from([(-1, vec![[0.0, 4.0], [5.0, 10.0]])]));
    }
}
