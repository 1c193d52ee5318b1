//! What `farlink emulate` is told.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_link::{ChannelConfig, Contacts, Damaged};
use farlink_ports::PortConfig;
use farlink_ports::udp::{UdpAddress, UdpLinkConfig, UdpRoute};
use farlink_record::ChannelId;
use farlink_units::{BitRate, Duration, Ratio, Size};

use crate::commands::Format;

const EXAMPLES: &str = "Examples:\n  \
    Four light-seconds, 128:1, errors both ways, between two programs that speak UDP:\n  \
    farlink emulate udp:5001,to=127.0.0.1:5004 udp:5003,to=127.0.0.1:5002 \\\n    \
    --delay 4s --rate 256kbit/s,2kbit/s --ber 1e-6\n  \
    Two links:\n  \
    farlink emulate --link 'udp:5001,to=127.0.0.1:5004 <> udp:5003,to=127.0.0.1:5002' \\\n    \
    --link 'udp:6001,to=127.0.0.1:6004 <> udp:6003,to=127.0.0.1:6002' --delay 1s\n  \
    A link of a scenario, from two hours after its epoch:\n  \
    farlink emulate --scenario fixtures/scenarios/mars-relay.yaml --from 2h \\\n    \
    --link 'deep-space = udp:5001,to=127.0.0.1:5004 <> udp:5003,to=127.0.0.1:5002'";

/// The examples, and how a port of each kind is written.
fn long_help() -> String {
    let mut help = format!("{EXAMPLES}\n\nPorts, an example and the keys of each kind:");
    for form in farlink_ports::config::forms() {
        let keys: Vec<String> = form.keys.iter().map(ToString::to_string).collect();
        help += &format!("\n  {:<46} {}", form.example, keys.join(" "));
    }
    help
}

/// Couple real nodes with the link they will have in flight, in real time.
///
/// What comes in at one port of a link leaves by the other after the queue, the serialisation at the rate and the light time,
/// counted from the arrival of its last bit. Where a quantity may differ between the two directions, write both with a comma:
/// forward,return.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = long_help())]
pub struct EmulateArguments {
    /// The ports of the two ends of the link: KIND:PLACE[,KEY=VALUE]…
    #[arg(value_name = "PORT", num_args = 0..=2)]
    pub ports: Vec<PortConfig>,
    /// A link by its two ports, `PORT <> PORT`; as often as there are links.
    #[arg(long, value_name = "LINK", conflicts_with = "ports")]
    pub link: Vec<LinkText>,
    /// UDP, the forward direction alone: where frames come in, `=`, where they leave for.
    #[arg(long, value_name = "ROUTE", conflicts_with_all = ["ports", "link"])]
    pub forward: Option<UdpRoute>,
    /// UDP, the return direction, beside --forward. Without it the link has one direction only.
    #[arg(long = "return", value_name = "ROUTE", requires = "forward")]
    pub return_: Option<UdpRoute>,
    /// One-way light time, with its unit: `4s`, or `4s,5s`.
    #[arg(long, value_name = "DURATION", default_value = "0 s")]
    pub delay: Both<Duration>,
    /// Data rate, with its unit: `256kbit/s`, or `256kbit/s,2kbit/s`. Without it frames take no time to be sent.
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Both<BitRate>>,
    /// Bit error ratio, 0 to 1: `1e-6`, or `1e-6,1e-7`.
    #[arg(long, value_name = "RATIO", default_value = "0")]
    pub ber: Both<Ratio>,
    /// What becomes of a frame with flipped bits.
    #[arg(long, value_enum, default_value_t = DamagedFrames::Drop)]
    pub damaged: DamagedFrames,
    /// Bytes that the link layer adds to each frame: they take time and can be damaged.
    #[arg(long, value_name = "SIZE", default_value = "0 B")]
    pub overhead: Size,
    /// How much may wait for each transmitter.
    #[arg(long, value_name = "SIZE", default_value = "1 MiB")]
    pub queue: Size,
    /// Seed of the bit errors.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Memory for what is under way, of all links together.
    #[arg(long, value_name = "SIZE", default_value = "256 MiB")]
    pub memory: Size,
    /// Folder for what is under way beyond that. Without it frames are lost, and counted, when the memory is spent.
    #[arg(long, value_name = "DIR")]
    pub spill: Option<PathBuf>,
    /// How many threads share the links.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub drivers: u16,
    /// For how long before a frame is due to look at the clock again and again instead of sleeping. `2ms` keeps a core awake,
    /// where waking one takes long.
    #[arg(long, value_name = "DURATION", default_value = "60 us")]
    pub spin: Duration,
    /// Take real-time scheduling, locked memory and a core for each thread, where permitted, and say what was got.
    #[arg(long)]
    pub realtime: bool,
    /// Take contacts, light times, rates and errors of the links from this scenario; each --link then begins with the name of
    /// one: `NAME = PORT <> PORT`, the node that transmits forward first.
    #[arg(long, value_name = "FILE", requires = "link", conflicts_with_all = ["delay", "rate", "ber", "damaged", "overhead", "queue", "seed"])]
    pub scenario: Option<PathBuf>,
    /// Begin so long after the scenario's epoch.
    #[arg(long, value_name = "DURATION", requires = "scenario")]
    pub from: Option<Duration>,
    /// Say what this script says, at its times: a list such as `- { at: 12s, channel: forward, do: drop 2 report }`, or the
    /// recording of an emulation in which it was said by hand.
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Listen for `farlink ctl`, at this socket or at a default one.
    #[arg(long, value_name = "PATH")]
    pub control: Option<Option<PathBuf>>,
    /// How late 99 of 100 frames may leave; beyond that the verdict is inconclusive.
    #[arg(long, value_name = "DURATION")]
    pub tolerance: Option<Duration>,
    /// Folder for a recording, a capture and the results.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What the recording holds.
    #[arg(long, value_enum, default_value_t = Recorded::Frames, requires = "out")]
    pub record: Recorded,
    /// Stop after this time. Without it, Ctrl-C stops.
    #[arg(long = "for", value_name = "DURATION")]
    pub for_: Option<Duration>,
    /// Print what it came to and nothing before, instead of opening the live view. It is so anyway where the output is no
    /// terminal.
    #[arg(long)]
    pub headless: bool,
    /// How to print what it came to.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DamagedFrames {
    /// A link-layer check finds the damage and drops the frame.
    Drop,
    /// There is no check: the frame is delivered as it is.
    Deliver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Recorded {
    /// Every frame: some 300 bytes each, and the frame itself in the capture.
    Frames,
    /// Only what is told to the emulator, and what happens to contacts, ports and time.
    Control,
}

/// A quantity for both directions, or one for each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Both<T> {
    pub forward: T,
    pub return_: T,
}

impl<T: FromStr + Copy> FromStr for Both<T> {
    type Err = T::Err;
    fn from_str(text: &str) -> Result<Self, T::Err> {
        let (forward, return_) = text.split_once(',').unwrap_or((text, text));
        Ok(Both { forward: forward.parse()?, return_: return_.parse()? })
    }
}

/// The two ports of a link.
#[derive(Clone, Debug)]
pub struct LinkText {
    /// What it is called in a scenario.
    pub name: Option<String>,
    pub a: PortConfig,
    pub b: PortConfig,
}

impl FromStr for LinkText {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (a, b) = text.split_once("<>").ok_or_else(|| {
            format!("`{text}` is no link: write its two ports with `<>` between, as in `udp:5001 <> udp:5003,to=127.0.0.1:5002`")
        })?;
        // A port has no ` = ` in it.
        let (name, a) = a.split_once(" = ").map_or((None, a), |(name, a)| (Some(name.trim().to_owned()), a));
        let read =
            |port: &str| port.trim().parse().map_err(|error: farlink_ports::text::PortTextError| error.to_string());
        Ok(LinkText { name, a: read(a)?, b: read(b)? })
    }
}

/// A link as it was asked for: its ports, and which directions it has.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: Option<String>,
    pub a: PortConfig,
    pub b: PortConfig,
    pub has_return: bool,
}

impl EmulateArguments {
    /// The links that were asked for, in their order.
    pub fn wanted(&self) -> Result<Vec<Wanted>, String> {
        let both_ways = |a, b| Wanted { name: None, a, b, has_return: true };
        if let Some(forward) = &self.forward {
            // A route leaves by the port at which the other direction comes in, so that a node sees one peer.
            let any = |to: std::net::SocketAddr| match to {
                std::net::SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
                std::net::SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            let back = self.return_.as_ref();
            let a = PortConfig::Udp(UdpLinkConfig { listen: forward.from, to: back.map(|back| back.to) });
            let listen = back.map_or_else(|| UdpAddress(any(forward.to)), |back| back.from);
            let b = PortConfig::Udp(UdpLinkConfig { listen, to: Some(forward.to) });
            return Ok(vec![Wanted { name: None, a, b, has_return: back.is_some() }]);
        }
        match (self.ports.as_slice(), self.link.as_slice()) {
            ([a, b], []) => Ok(vec![both_ways(a.clone(), b.clone())]),
            ([], links @ [_, ..]) => Ok(links
                .iter()
                .map(|link| Wanted { name: link.name.clone(), ..both_ways(link.a.clone(), link.b.clone()) })
                .collect()),
            ([one], []) => {
                Err(format!("a link has two ends, but there is only the port `{one}`: name another after it"))
            }
            _ => Err("nothing to couple: name the two ports of a link, or --link for each of several".to_owned()),
        }
    }

    /// One direction of every link, as a channel; its id and the place of its seed are those of `index`.
    pub fn channel(&self, index: usize, forward: bool) -> ChannelConfig {
        fn of<T>(both: &Both<T>, forward: bool) -> &T {
            if forward { &both.forward } else { &both.return_ }
        }
        let rate = self.rate.as_ref().map(|rate| *of(rate, forward));
        ChannelConfig {
            id: ChannelId(index as u16),
            rate: Rate::constant(rate.unwrap_or(BitRate::UNLIMITED)),
            overhead_bits: self.overhead.bytes() * 8,
            contacts: Contacts::Always,
            light_time: LightTime::Constant(*of(&self.delay, forward)),
            errors: Errors::independent(of(&self.ber, forward).get(), self.seed.wrapping_add(index as u64)),
            seed: self.seed.wrapping_add(index as u64),
            damaged: match self.damaged {
                DamagedFrames::Drop => Damaged::Drop,
                DamagedFrames::Deliver => Damaged::Deliver,
            },
            radio: None,
            queue_bits: self.queue.bytes().saturating_mul(8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_serves_both_directions_and_a_comma_parts_two() {
        let both: Both<Duration> = "4s".parse().unwrap();
        assert_eq!((both.forward, both.return_), (Duration::from_secs(4), Duration::from_secs(4)));
        let both: Both<BitRate> = "256kbit/s,2kbit/s".parse().unwrap();
        assert_eq!((both.forward.bps(), both.return_.bps()), (256_000, 2000));
        assert!("4s,".parse::<Both<Duration>>().is_err());
        assert!("4".parse::<Both<Duration>>().unwrap_err().to_string().contains("no unit"));
    }

    #[test]
    fn a_link_is_two_ports() {
        let link: LinkText = "udp:5001 <> udp:5003,to=127.0.0.1:5002".parse().unwrap();
        assert_eq!(link.a.to_string(), "udp:127.0.0.1:5001");
        assert_eq!(link.b.to_string(), "udp:127.0.0.1:5003,to=127.0.0.1:5002");
        let named: LinkText = "orbiter-station = udp:5001,to=127.0.0.1:1 <> udp:5003".parse().unwrap();
        assert_eq!(named.name.as_deref(), Some("orbiter-station"));
        assert!("udp:5001".parse::<LinkText>().unwrap_err().contains("<>"));
        assert!("udp:5001 <> 7".parse::<LinkText>().unwrap_err().contains("no kind of port"));
    }
}
