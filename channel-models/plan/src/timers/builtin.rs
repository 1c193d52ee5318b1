//! The built-in node: `neighbours` in its node file.
//!
//! A timer runs from the last bit of what is to be answered, for twice the light time and twice the response margin: the first
//! margin is for what the peer does before it answers, the second for the answer's own time in the queue and on the air.

use farlink_units::Duration;

use super::{Needs, Settings, TimerError, setting};
use crate::calendar::seconds;

/// The node's default.
const LEAST_RETRANSMISSIONS: u32 = 20;
/// What an LTP header takes at most in a segment, so that its data still fit.
const HEADER_BYTES: u64 = 64;

/// Settings for the built-in node at the sending end.
///
/// # Errors
/// A segment that is too small or too large for the node.
pub fn builtin(needs: &Needs) -> Result<Settings, TimerError> {
    let s = |d: Duration| seconds(d.as_nanos());
    let assumed = &needs.assumed;
    let light = needs.out.light_time.max(needs.back.light_time);
    let answer = assumed.margin + needs.answer_time;
    let margin = assumed.margin.max(answer);
    let segment = assumed.segment.bytes() + HEADER_BYTES;
    if !(128..=65_507).contains(&segment) {
        let (value, range) = (assumed.segment.to_string(), "such that with its header it has 128 B to 65507 B");
        return Err(TimerError::Assumption { what: "segment", value, range });
    }
    let limit = needs.tries.clamp(LEAST_RETRANSMISSIONS, 1000);
    let timer = light + light + margin + margin;
    let settings = vec![
        setting(
            "light_time",
            s(light),
            "s",
            format!("the longer of {} s out and {} s back", s(needs.out.light_time), s(needs.back.light_time)),
        ),
        setting(
            "rate",
            needs.out.slowest_bps,
            "bit/s",
            "the slowest of the plan: nothing holds the sender back later".into(),
        ),
        setting(
            "response_margin",
            s(margin),
            "s",
            format!(
                "{} s margin + {} s for an answer behind a segment; a timer is then {} s, where {} s are needed: {}",
                s(assumed.margin),
                s(needs.answer_time),
                s(timer),
                s(needs.response),
                needs.response_from()
            ),
        ),
        setting(
            "segment_size",
            segment,
            "B",
            format!("{} data and at most {HEADER_BYTES} B of LTP header", assumed.segment),
        ),
        setting(
            "retransmission_limit",
            limit,
            "",
            format!("all but one in a million get through in {} tries; at least {LEAST_RETRANSMISSIONS}", needs.tries),
        ),
    ];
    let text = format!(
        "neighbours:\n  {peer}:\n    ltp:\n      to: \"udp:HOST:PORT\"\n      light_time: {light} s\n      rate: {rate} bit/s\n      \
         response_margin: {margin} s\n      segment_size: {segment} B\n      retransmission_limit: {limit}\n",
        peer = needs.out.to,
        light = s(light),
        rate = needs.out.slowest_bps,
        margin = s(margin),
    );
    Ok(Settings { settings, text })
}
