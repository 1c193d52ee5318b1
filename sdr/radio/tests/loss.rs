//! What the whole receiver loses against theory: BPSK with the concatenated code, from cold, at most 0.3 dB.

use farlink_coding::convolutional::Rate;
use farlink_radio::ber::{Level, Plan, measure};
use farlink_radio::theory::eb_n0_db_of_frame_errors;
use farlink_radio::waveform::{Coding, Waveform};
use statrs::distribution::{DiscreteCDF, Poisson};

/// What it may lose, dB.
const ALLOWED_DB: f64 = 0.3;

fn waveform() -> Waveform {
    Waveform::new(Coding::Concatenated { corrects: 16, depth: 5, rate: Rate::Half }, 1e6)
}

/// If it lost as much as is allowed, a frame in five would be wrong here: that so few are would then happen once in a thousand times.
#[test]
fn it_loses_less_than_is_allowed() {
    let ratio = 0.2;
    let eb_n0_db = eb_n0_db_of_frame_errors(&waveform(), ratio).unwrap() + ALLOWED_DB;
    let mut plan = Plan::new(waveform(), Level::Samples, vec![eb_n0_db], 21);
    (plan.frame_errors, plan.bits) = (u64::MAX, 98 * 8920);
    let point = measure(&plan, |_| {}).unwrap().points.remove(0);
    let wrong = point.frames_missing + point.frames_refused + point.frames_undetected;
    let by_chance = Poisson::new(ratio * point.frames as f64).unwrap().cdf(wrong);
    println!("{wrong} of {} frames wrong at {eb_n0_db:.2} dB, by chance {by_chance:.1e}", point.frames);
    assert!(point.frames >= 80 && by_chance < 1e-3, "{point:?}");
}

#[test]
#[ignore = "some minutes: cargo test --release -p farlink-radio --test loss -- --ignored --nocapture"]
fn the_loss_at_a_frame_error_ratio_of_a_thousandth() {
    let at = eb_n0_db_of_frame_errors(&waveform(), 1e-3).unwrap();
    let mut plan = Plan::new(waveform(), Level::Samples, [0.0, 0.05, 0.1].map(|more| at + more).to_vec(), 22);
    (plan.frame_errors, plan.bits, plan.threads) = (100, 40_000 * 8920, 2);
    measure(&plan, |point| {
        let wrong = point.frames_missing + point.frames_refused + point.frames_undetected;
        let (loss, limits) = point.loss_db(&waveform()).unwrap();
        println!(
            "{:.3} dB: {wrong} of {} ({} before lock), loss {loss:.3} dB, {:.3} to {:.3}",
            point.eb_n0_db, point.frames, point.frames_before_lock, limits.low, limits.high
        );
        assert!(limits.high < ALLOWED_DB, "{point:?}");
    })
    .unwrap();
}
