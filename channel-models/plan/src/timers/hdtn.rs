//! HDTN: LTP ducts in its JSON configuration.
//!
//! After `LtpEngineConfig.h` and the example configurations: the timer of a checkpoint is 2 × (`oneWayLightTimeMs` +
//! `oneWayMarginTimeMs`), the same all the time, so that it must fit the longest light time. A receiver waits
//! `delaySendingOfReportSegmentsTimeMsOrZeroToDisable` before it reports, a sender
//! `delaySendingOfDataSegmentsTimeMsOrZeroToDisable` before it sends again. One bundle is one block, so that the pipeline of an
//! outduct is its window.

use farlink_units::Duration;

use super::{Needs, Settings, TimerError, setting};
use crate::calendar::seconds;

/// What HDTN's examples have for either delay.
const DELAY: Duration = Duration::from_millis(20);
/// HDTN's default, below which there is no reason to go.
const LEAST_RETRIES: u32 = 5;

/// Settings for HDTN: the outduct of the sending end, and the induct of the same node for what comes back.
///
/// # Errors
/// A node has no number.
pub fn hdtn(needs: &Needs) -> Result<Settings, TimerError> {
    let s = |d: Duration| seconds(d.as_nanos());
    let (local, peer) = (Needs::number(&needs.out.from)?, Needs::number(&needs.out.to)?);
    let light = needs.out.light_time.max(needs.back.light_time);
    let light_ms = whole_ms(light);
    let rest = needs.answer_time + needs.assumed.margin + needs.assumed.margin + needs.segment_time + DELAY + DELAY;
    let margin_ms = (whole_ms(rest) + 1) / 2;
    let retries = (needs.tries.saturating_sub(1)).max(LEAST_RETRIES);
    let (segment, block) = (needs.assumed.segment.bytes(), needs.assumed.block.bytes());
    let bytes = needs.sessions.saturating_mul(block);
    let timer_s = s(Duration::from_millis(2 * (light_ms + margin_ms)));

    let settings = vec![
        setting(
            "oneWayLightTimeMs",
            light_ms,
            "ms",
            format!("the longer of {} s out and {} s back", s(needs.out.light_time), s(needs.back.light_time)),
        ),
        setting(
            "oneWayMarginTimeMs",
            margin_ms,
            "ms",
            format!(
                "half of {} s: {} s answer + 2 × {} s margin + {} s segment + 2 × {} s delays of HDTN; the timer is then {timer_s} s",
                s(rest),
                s(needs.answer_time),
                s(needs.assumed.margin),
                s(needs.segment_time),
                s(DELAY)
            ),
        ),
        setting(
            "ltpMaxRetriesPerSerialNumber",
            retries,
            "",
            format!("all but one in a million get through in {} tries; at least {LEAST_RETRIES}", needs.tries),
        ),
        setting("ltpDataSegmentMtu", segment, "bytes", "the data of a segment, as assumed".into()),
        setting(
            "maxNumberOfBundlesInPipeline",
            needs.sessions,
            "",
            needs.sessions_from(&needs.out, needs.segment_loss),
        ),
        setting(
            "maxSumOfBundleBytesInPipeline",
            bytes,
            "bytes",
            format!("{} sessions × block of {block} bytes", needs.sessions),
        ),
        setting("ltpReportSegmentMtu", segment, "bytes", "as the data segments".into()),
        setting("preallocatedRedDataBytes", block, "bytes", "the block, as assumed".into()),
        setting(
            "ltpMaxExpectedSimultaneousSessions",
            needs.sessions_back,
            "",
            needs.sessions_from(&needs.back, needs.report_loss),
        ),
        setting("ltpRandomNumberSizeBits", 32, "", "which every implementation takes".into()),
    ];
    let both = format!(
        "  \"thisLtpEngineId\": {local},\n  \"remoteLtpEngineId\": {peer},\n  \"oneWayLightTimeMs\": {light_ms},\n  \
         \"oneWayMarginTimeMs\": {margin_ms},\n  \"clientServiceId\": 1,\n  \"ltpMaxRetriesPerSerialNumber\": {retries},\n  \
         \"ltpRandomNumberSizeBits\": 32"
    );
    let text = format!(
        "outductVector:\n{{\n  \"convergenceLayer\": \"ltp_over_udp\",\n  \"nextHopNodeId\": {peer},\n{both},\n  \
         \"ltpDataSegmentMtu\": {segment},\n  \"ltpCheckpointEveryNthDataSegment\": 0,\n  \
         \"maxNumberOfBundlesInPipeline\": {},\n  \"maxSumOfBundleBytesInPipeline\": {bytes},\n  \
         \"delaySendingOfDataSegmentsTimeMsOrZeroToDisable\": 20\n}}\n\
         inductVector:\n{{\n  \"convergenceLayer\": \"ltp_over_udp\",\n{both},\n  \"ltpReportSegmentMtu\": {segment},\n  \
         \"preallocatedRedDataBytes\": {block},\n  \"ltpMaxExpectedSimultaneousSessions\": {},\n  \
         \"delaySendingOfReportSegmentsTimeMsOrZeroToDisable\": 20\n}}\n",
        needs.sessions, needs.sessions_back,
    );
    Ok(Settings { settings, text })
}

/// Whole milliseconds, rounded up.
fn whole_ms(duration: Duration) -> i64 {
    let nanos = duration.as_nanos();
    nanos / 1_000_000 + i64::from(nanos % 1_000_000 > 0)
}
