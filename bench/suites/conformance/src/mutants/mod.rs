//! Nodes that misbehave in one named way, so that the suites are judged too.
//!
//! Most mutants rewrite what the built-in node sends or hears, and are data: `fixtures/catalogue/mutants-*.yaml`. The rest
//! are switches in the engines. Each names the cases that must catch it.

mod bundle;
mod hex;
mod ltp;
mod stream;
mod tcpcl;

use std::sync::LazyLock;

use bytes::Bytes;
use farlink_engine::ltp::Misbehaviour;
use farlink_engine::schedule::{Schedule, Window};
use farlink_units::{Duration, Instant};
use serde::Deserialize;

use crate::builtin::{self, Shown};
use crate::case::{Case, Suite};
use crate::medium::{Door, Flaw, SimulatedConfig, Stream};

/// A datagram, or octets of a stream, on its way in or out of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Over which door.
    pub door: Door,
    /// The octets.
    pub octets: Bytes,
}

/// What a mutation makes of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mutated {
    /// What goes on at once.
    pub now: Vec<Frame>,
    /// What leaves for the tester later, and when.
    pub later: Vec<(Instant, Frame)>,
    /// Whether the node ends here.
    pub ends: bool,
}

impl From<Frame> for Mutated {
    fn from(frame: Frame) -> Self {
        Mutated { now: vec![frame], ..Mutated::default() }
    }
}

/// What passes on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The connection stands.
    Opened,
    /// Octets, in pieces of any size.
    Octets(Bytes),
    /// The end of a direction.
    Finished,
    /// The end of the connection, at once.
    Reset,
}

/// What a mutation makes of what passes on a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MutatedFlow {
    /// What goes on at once.
    pub now: Vec<Flow>,
    /// What goes on later, and when. Only for what the node sends.
    pub later: Vec<(Instant, Flow)>,
    /// What goes back to the tester on the same stream. Only for what the node hears.
    pub back: Vec<Flow>,
    /// Whether the node ends here.
    pub ends: bool,
}

impl From<Flow> for MutatedFlow {
    fn from(flow: Flow) -> Self {
        MutatedFlow { now: vec![flow], ..MutatedFlow::default() }
    }
}

/// A way to misbehave.
pub trait Mutation {
    /// The node sends a frame.
    fn sends(&mut self, now: Instant, frame: Frame) -> Mutated {
        let _ = now;
        frame.into()
    }

    /// The node hands data to its application: how often.
    fn delivers(&mut self, payload: &[u8]) -> usize {
        let _ = payload;
        1
    }

    /// The node hears a frame.
    fn hears(&mut self, now: Instant, frame: Frame) -> Mutated {
        let _ = now;
        frame.into()
    }

    /// The node sends on a stream; what it opens or accepts is told as [`Flow::Opened`] in both directions.
    fn sends_on(&mut self, now: Instant, stream: Stream, flow: Flow) -> MutatedFlow {
        let _ = (now, stream);
        flow.into()
    }

    /// The node hears something on a stream.
    fn hears_on(&mut self, now: Instant, stream: Stream, flow: Flow) -> MutatedFlow {
        let _ = (now, stream);
        flow.into()
    }
}

/// A node that misbehaves in one way.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// Its name.
    pub id: String,
    /// What it does wrong.
    pub what: String,
    /// The cases that must catch it.
    pub caught_by: Vec<String>,
    /// How what it sends and hears is rewritten. Every entry is applied, in order.
    #[serde(default)]
    pub rewrite: Vec<Rewrite>,
    /// What its engines do wrong.
    #[serde(default)]
    pub switch: Option<Switch>,
}

/// A rewrite of what goes in or out.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rewrite {
    /// Of LTP segments.
    Ltp(Box<ltp::Rewrite>),
    /// Of bundles in datagrams.
    Bundle(bundle::Rewrite),
    /// Of TCPCL messages.
    Tcpcl(tcpcl::Rewrite),
    /// Of frames of STCP and MTCP.
    Stream(stream::Rewrite),
}

/// A switch inside an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// LTP session numbers are counted.
    LtpCountedSessions,
    /// Any acknowledgment stops every LTP report of its session.
    LtpAnyReportAck,
    /// LTP authentication is not checked.
    LtpAnyAuthentication,
    /// LTP cookies are not checked.
    LtpAnyCookie,
    /// LTP segments are longer than a datagram on Ethernet may be.
    LtpLongSegments,
    /// The schedule of the contacts is not heeded.
    IgnoresSchedule,
    /// Transmission goes on between contacts, while timers are suspended.
    SendsInGaps,
    /// Timers go on between contacts, while transmission stops.
    TimersRunInGaps,
    /// Connections are tried again at once.
    NoPauses,
    /// The pauses before connections are tried again do not grow.
    EqualPauses,
    /// TLS ends without its closure alert.
    NoClosureAlert,
    /// Host names of certificates are neither asked for nor sent.
    IgnoresNames,
    /// TLS passes over something that is wrong with a certificate.
    Forgives(Flaw),
    /// The alerts of TLS say what is wrong with a certificate.
    TellingAlerts,
    /// Another certificate or chain is shown in TLS.
    Shows(Shown),
    /// The bundle agent answers requests for status reports in every configuration.
    ReportsByDefault,
    /// Bundles in datagrams are not fragmented, however long they are.
    WholeDatagrams,
}

impl Switch {
    fn apply(self, config: &mut SimulatedConfig) {
        let engine = &mut config.node.engine;
        match self {
            Switch::LtpCountedSessions => engine.misbehaviour = Some(Misbehaviour::CountedSessions),
            Switch::LtpAnyReportAck => engine.misbehaviour = Some(Misbehaviour::AnyReportAck),
            Switch::LtpAnyAuthentication => engine.misbehaviour = Some(Misbehaviour::AnyAuthentication),
            Switch::LtpAnyCookie => engine.misbehaviour = Some(Misbehaviour::AnyCookie),
            Switch::LtpLongSegments => {
                config.node.neighbours.iter_mut().for_each(|neighbour| neighbour.ltp.segment_size = 4000);
            }
            Switch::ReportsByDefault => config.node.agent.status_reports = true,
            Switch::WholeDatagrams => config.longest_datagram = None,
            Switch::NoPauses => config.pauses = (Duration::from_millis(1), Duration::from_millis(1)),
            Switch::EqualPauses => config.pauses = (Duration::from_secs(1), Duration::from_secs(1)),
            Switch::NoClosureAlert => config.closure_alert = false,
            Switch::IgnoresNames => config.secured().for_each(|secured| secured.name = None),
            Switch::Forgives(flaw) => config.careless = Some(builtin::careless(Some(flaw))),
            Switch::TellingAlerts => config.careless = Some(builtin::careless(None)),
            Switch::Shows(shown) => config.secured().for_each(|secured| secured.settings = builtin::shows(shown)),
            Switch::IgnoresSchedule | Switch::SendsInGaps | Switch::TimersRunInGaps => {
                let always = Schedule::new(vec![Window::always(0, config.light_time)]);
                for neighbour in &mut config.node.neighbours {
                    if self != Switch::TimersRunInGaps {
                        neighbour.transmit = always.clone();
                    }
                    if self != Switch::SendsInGaps {
                        neighbour.receive = always.clone();
                    }
                }
            }
        }
    }
}

impl Mutant {
    /// Makes a node this mutant.
    pub fn apply(&self, config: &mut SimulatedConfig) {
        let mut all: Vec<Box<dyn Mutation>> = Vec::new();
        for rewrite in &self.rewrite {
            all.push(match rewrite {
                Rewrite::Ltp(rewrite) => Box::new(ltp::Rewriter::new(rewrite.as_ref().clone())),
                Rewrite::Bundle(rewrite) => Box::new(bundle::Rewriter::new(rewrite.clone())),
                Rewrite::Tcpcl(rewrite) => Box::new(tcpcl::Rewriter::new(rewrite.clone())),
                Rewrite::Stream(rewrite) => Box::new(stream::Rewriter::new(rewrite.clone())),
            });
        }
        config.mutation = Some(Box::new(Chain(all)));
        if let Some(switch) = self.switch {
            switch.apply(config);
        }
    }
}

/// One mutation after the other.
struct Chain(Vec<Box<dyn Mutation>>);

impl Chain {
    fn pass(&mut self, frame: Frame, each: impl Fn(&mut dyn Mutation, Frame) -> Mutated) -> Mutated {
        let mut whole = Mutated::from(frame);
        for mutation in &mut self.0 {
            for frame in std::mem::take(&mut whole.now) {
                let part = each(mutation.as_mut(), frame);
                whole.now.extend(part.now);
                whole.later.extend(part.later);
                whole.ends |= part.ends;
            }
        }
        whole
    }

    fn pass_flow(&mut self, flow: Flow, each: impl Fn(&mut dyn Mutation, Flow) -> MutatedFlow) -> MutatedFlow {
        let mut whole = MutatedFlow::from(flow);
        for mutation in &mut self.0 {
            for flow in std::mem::take(&mut whole.now) {
                let part = each(mutation.as_mut(), flow);
                whole.now.extend(part.now);
                whole.later.extend(part.later);
                whole.back.extend(part.back);
                whole.ends |= part.ends;
            }
        }
        whole
    }
}

impl Mutation for Chain {
    fn sends(&mut self, now: Instant, frame: Frame) -> Mutated {
        self.pass(frame, |mutation, frame| mutation.sends(now, frame))
    }

    fn delivers(&mut self, payload: &[u8]) -> usize {
        self.0.iter_mut().map(|mutation| mutation.delivers(payload)).product()
    }

    fn hears(&mut self, now: Instant, frame: Frame) -> Mutated {
        self.pass(frame, |mutation, frame| mutation.hears(now, frame))
    }

    fn sends_on(&mut self, now: Instant, stream: Stream, flow: Flow) -> MutatedFlow {
        self.pass_flow(flow, |mutation, flow| mutation.sends_on(now, stream, flow))
    }

    fn hears_on(&mut self, now: Instant, stream: Stream, flow: Flow) -> MutatedFlow {
        self.pass_flow(flow, |mutation, flow| mutation.hears_on(now, stream, flow))
    }
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../../fixtures/catalogue/mutants-", $name, ".yaml")))),*]
    };
}

static MUTANTS: LazyLock<Vec<(&'static str, Vec<Mutant>)>> = LazyLock::new(|| {
    files!["ltp", "bpv7", "tcpclv4", "framing", "contacts"]
        .into_iter()
        .map(|(name, text)| match serde_yaml::from_str(text) {
            Ok(mutants) => (name, mutants),
            Err(error) => panic!("fixtures/catalogue/mutants-{name}.yaml: {error}"),
        })
        .collect()
});

/// Every mutant, with the name of the suite that it is for.
pub fn all() -> impl Iterator<Item = (&'static str, &'static Mutant)> {
    MUTANTS.iter().flat_map(|(suite, mutants)| mutants.iter().map(|mutant| (*suite, mutant)))
}

/// Which case catches which mutants, as a Markdown table. The tests prove each entry by running it.
pub fn table(cases: &[Case]) -> String {
    let mut text = String::from(
        "# Cases and the mutants that they catch\n\n\
         Made from `fixtures/catalogue/mutants-*.yaml` by `FARLINK_WRITE=1 cargo nextest run -p farlink-conformance --test mutants`; the test\n\
         `mutants` runs every entry. Cases marked with `–` judge what counts for nothing, and need no mutant.\n",
    );
    for suite in Suite::ALL {
        let of_suite: Vec<&Mutant> =
            all().filter(|(name, _)| *name == suite.as_str()).map(|(_, mutant)| mutant).collect();
        let cases: Vec<&Case> = cases.iter().filter(|case| case.suite == suite).collect();
        text.push_str(&format!(
            "\n## {suite}: {} cases, {} mutants\n\n| case | catches |\n|---|---|\n",
            cases.len(),
            of_suite.len()
        ));
        for case in cases {
            let caught: Vec<&str> = of_suite
                .iter()
                .filter(|mutant| mutant.caught_by.iter().any(|id| id == case.id))
                .map(|mutant| mutant.id.as_str())
                .collect();
            let caught = if caught.is_empty() { "–".to_owned() } else { caught.join(", ") };
            text.push_str(&format!("| {} | {caught} |\n", case.id));
        }
        text.push_str("\n| mutant | what it does wrong |\n|---|---|\n");
        for mutant in of_suite {
            text.push_str(&format!("| {} | {} |\n", mutant.id, mutant.what.trim()));
        }
    }
    text
}
