//! The cases do not know what carries the bundles.
#![allow(missing_docs)]

mod common;

use common::{judge, line, of};
use farlink_conformance::builtin::Builtin;
use farlink_conformance::run::{Options, run};
use farlink_conformance::{Outcome, Suite};

#[test]
fn the_bundle_suite_comes_out_the_same_over_ltp() {
    let cases = of(Suite::Bpv7);
    for seed in 1..=2 {
        let options = Options { seed, ..Options::default() };
        let over_udp = judge(&cases, seed, None);
        let over_ltp = run(&cases, &mut Builtin::over_ltp(seed), options, |_| {}, || false);
        for (udp, ltp) in over_udp.iter().zip(&over_ltp) {
            // Where bundles go by LTP the node fragments none.
            let as_good = ltp.outcome == udp.outcome || ltp.outcome == Outcome::Skipped;
            assert!(as_good, "seed {seed}: {}", line(ltp));
        }
        let skipped: Vec<&str> = over_ltp.iter().filter(|r| r.outcome == Outcome::Skipped).map(|r| r.case.id).collect();
        assert!(skipped.iter().all(|id| id.starts_with("BP7-5.8-0")), "{skipped:?}");
    }
}
