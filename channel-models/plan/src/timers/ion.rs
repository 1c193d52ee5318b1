//! ION: `ltprc`.
//!
//! After ltprc(5) and what `libltpP.c` of ION 4.1 does: a checkpoint's timer is both ranges of the moment, the time of its segment
//! rounded down to a second, the peer's queuing latency (the last word of `a span`), and twice half of `m ownqtime` rounded down
//! each. Light time is thus not told here but by `a range`. Retransmissions end after as many tries as leave one failure in a
//! million at `m maxber`, three at least.

use farlink_units::Duration;

use super::needs::tries;
use super::{Needs, Settings, TimerError, setting};
use crate::calendar::{ceil_s, seconds};

/// Ranges in whole seconds may be half a second too short each way.
const RANGE_ROUNDING: Duration = Duration::from_secs(1);
/// ION's clock counts whole seconds, so that a timer may have begun up to one early.
const CLOCK: Duration = Duration::from_secs(1);

/// Settings for ION at the sending end.
///
/// # Errors
/// A node has no number.
pub fn ion(needs: &Needs) -> Result<Settings, TimerError> {
    let s = |d: Duration| seconds(d.as_nanos());
    let peer = Needs::number(&needs.out.to)?;
    let assumed = &needs.assumed;
    // An odd number would count for one less, since its half is rounded down.
    let own = (whole_s(assumed.margin) + 1) / 2 * 2;
    // The range of the moment stands in the timer, and by the time of the answer it is longer. It never doubles the wait.
    let drift = Duration::from_secs_f64(needs.response.as_secs_f64() * needs.back.drift.min(1.0));
    let latency = assumed.margin + needs.answer_time + needs.segment_time + RANGE_ROUNDING + CLOCK + drift;
    let latency_s = whole_s(latency).max(1);
    let time_limit_s = whole_s(needs.block_time).max(1);
    let (segment, block) = (assumed.segment.bytes(), assumed.block.bytes());
    let max_ber = needs.out.bit_error_rate.unwrap_or(assumed.bit_error_rate);
    let told =
        if needs.out.bit_error_rate.is_some() { "the largest of the plan" } else { "assumed: the plan tells none" };
    // ION's own count: of the data of a segment, at least three tries. A rate of 0 is taken for its default.
    let loss = -((-if max_ber > 0.0 { max_ber } else { 1e-6 }).ln_1p() * (segment * 8) as f64).exp_m1();
    let timeouts = tries(loss.min(0.99)).max(3);

    let settings = vec![
        setting(
            "est_max_export_sessions",
            needs.sessions,
            "",
            "the sum of max_export_sessions over all spans; here of one".into(),
        ),
        setting("max_export_sessions", needs.sessions, "", needs.sessions_from(&needs.out, needs.segment_loss)),
        setting("max_import_sessions", needs.sessions_back, "", needs.sessions_from(&needs.back, needs.report_loss)),
        setting("max_segment_size", segment, "bytes", "as assumed; a frame of the link must hold it".into()),
        setting("aggregation_size_threshold", block, "bytes", "the block, as assumed".into()),
        setting(
            "aggregation_time_limit",
            time_limit_s,
            "s",
            format!("a block at the slowest rate: ⌈{} s⌉", s(needs.block_time)),
        ),
        setting(
            "queuing_latency",
            latency_s,
            "s",
            format!(
                "⌈{} s margin of the peer + {} s answer + {} s segment + {} s rounding of ranges + {} s clock + {} s drift⌉",
                s(assumed.margin),
                s(needs.answer_time),
                s(needs.segment_time),
                s(RANGE_ROUNDING),
                s(CLOCK),
                s(drift)
            ),
        ),
        setting(
            "m ownqtime",
            own,
            "s",
            format!("margin of {} s here, rounded up to an even number", s(assumed.margin)),
        ),
        setting(
            "m maxber",
            max_ber,
            "",
            format!("{told}; ION gives up after {timeouts} tries, from the loss of {segment} bytes"),
        ),
    ];
    let text = format!(
        "1 {sessions}\na span {peer} {sessions} {back} {segment} {block} {time_limit_s} 'udplso HOST:PORT' {latency_s}\n\
         m ownqtime {own}\nm maxber {max_ber}\n",
        sessions = needs.sessions,
        back = needs.sessions_back,
    );
    Ok(Settings { settings, text })
}

/// Whole seconds, rounded up.
fn whole_s(duration: Duration) -> i64 {
    ceil_s(farlink_units::Instant::ZERO + duration)
}
