//! What STCP and MTCP have in common: frames on streams, one way, without any answer.

use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Bundle;
use rand::RngExt as _;

use crate::cases::tcpclv4::bundle_with;
use crate::medium::{Door, Happening, Order, Stream};
use crate::outcome::Finding;
use crate::profile::Originate;
use crate::tester::Tester;

/// How long the node may pause before it connects.
const LONGEST_PAUSE: Duration = Duration::from_secs(66);

/// A layer that frames bundles on streams.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    pub door: Door,
    /// What stands before a bundle of this length.
    pub head: fn(u64) -> Vec<u8>,
    /// The octets of the head and of the bundle that begin here; `None` if the head is not all there.
    pub read: ReadHead,
}

type ReadHead = fn(&[u8]) -> Result<Option<(usize, u64)>, String>;

/// A bundle for the node's own endpoint, and its payload. No two are the same.
pub(super) fn bundle(t: &mut Tester<'_>, length: usize) -> Result<(Vec<u8>, Vec<u8>), Finding> {
    let mut payload = vec![0; length];
    t.rng.fill(&mut payload[..]);
    let destination = t.bundles()?.local.clone();
    Ok((bundle_with(t, destination, payload.clone())?, payload))
}

impl Layer {
    /// A bundle in its frame.
    pub(super) fn frame(&self, bundle: &[u8]) -> Vec<u8> {
        [(self.head)(bundle.len() as u64), bundle.to_vec()].concat()
    }

    /// Sends octets on a connection of its own, and expects these payloads, in any order.
    pub(super) fn takes(&self, t: &mut Tester<'_>, octets: &[u8], payloads: &[Vec<u8>]) -> Result<(), Finding> {
        let stream = t.connect(self.door)?;
        t.write(stream, octets)?;
        self.delivers(t, payloads)?;
        t.finish(stream);
        Ok(())
    }

    /// That these payloads come to the application, in any order.
    pub(super) fn delivers(&self, t: &mut Tester<'_>, payloads: &[Vec<u8>]) -> Result<(), Finding> {
        for (place, payload) in payloads.iter().enumerate() {
            let until = t.now() + t.profile().answer_time();
            let found = t.wait_for(until, |arrival| match &arrival.what {
                Happening::Delivered { payload: found, .. } if found == payload => Some(()),
                _ => None,
            })?;
            if found.is_none() {
                let expected = format!("delivery of bundle {} of {}", place + 1, payloads.len());
                return Err(Finding::silence(expected, "it does not come"));
            }
        }
        Ok(())
    }

    /// Bundles that the node is made to send, as they stand in their frames on its connection.
    pub(super) fn sent(&self, t: &mut Tester<'_>, payloads: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Finding> {
        t.set_listening(self.door, true);
        for payload in payloads {
            self.trigger(t, payload)?;
        }
        let until = t.now() + LONGEST_PAUSE + t.profile().answer_time();
        let stream = t.accept(self.door, until)?;
        t.set_listening(self.door, false);
        let Some(stream) = stream else {
            return Err(Finding::inconclusive("a connection that the node opens", "none came in time"));
        };
        let frames = self.frames(t, stream, payloads.len());
        t.reset(stream);
        frames
    }

    fn trigger(&self, t: &mut Tester<'_>, payload: &[u8]) -> Result<(), Finding> {
        match t.profile().originate {
            Originate::Ordered => t.order(&Order::Originate {
                door: self.door,
                payload: payload.to_vec(),
                lifetime: Duration::from_secs(3600),
                flags: 0,
                anonymous: false,
            }),
            Originate::Relayed => {
                let Some(destination) = t.profile().endpoint(self.door).cloned() else {
                    let door = self.door.as_str();
                    return Err(Finding::unsupported(format!("no endpoint of the tester is named behind {door}")));
                };
                let data = bundle_with(t, destination, payload.to_vec())?;
                let stream = t.connect(self.door)?;
                t.write(stream, &self.frame(&data))?;
                t.finish(stream);
                Ok(())
            }
            Originate::Passive => Err(Finding::unsupported("there is no way to make the node send a bundle")),
        }
    }

    /// The first frames on a connection of the node, and that nothing else is between or after them.
    fn frames(&self, t: &mut Tester<'_>, stream: Stream, count: usize) -> Result<Vec<Vec<u8>>, Finding> {
        let mut inbox = Vec::new();
        let mut frames = Vec::new();
        let until = t.now() + t.profile().answer_time() + t.profile().answer_time();
        while frames.len() < count {
            let read = (self.read)(&inbox).map_err(|why| Finding::deviation("frames and nothing else", why))?;
            if let Some((head, length)) = read
                && let Ok(length) = usize::try_from(length)
                && inbox.len() - head >= length
            {
                // What has no length carries no bundle.
                if length > 0 {
                    frames.push(inbox[head..head + length].to_vec());
                }
                inbox.drain(..head + length);
            } else if !more(t, stream, until, &mut inbox)? {
                let expected = format!("{count} frames");
                return Err(Finding::silence(expected, format!("{} and {} octets", frames.len(), inbox.len())));
            }
        }
        let until = t.now() + t.profile().answer_time();
        while more(t, stream, until, &mut inbox)? {}
        while let Some((head, 0)) = (self.read)(&inbox).unwrap_or(None) {
            inbox.drain(..head);
        }
        match inbox.is_empty() {
            true => Ok(frames),
            false => Err(Finding::deviation("nothing after the last frame", format!("{} octets", inbox.len()))),
        }
    }
}

fn more(t: &mut Tester<'_>, stream: Stream, until: Instant, inbox: &mut Vec<u8>) -> Result<bool, Finding> {
    let octets = t.wait_for(until, |arrival| match &arrival.what {
        Happening::Octets { stream: on, octets } if *on == stream => Some(octets.clone()),
        Happening::Finished { stream: on } | Happening::Reset { stream: on } if *on == stream => Some(Vec::new()),
        _ => None,
    })?;
    let octets = octets.unwrap_or_default();
    inbox.extend_from_slice(&octets);
    Ok(!octets.is_empty())
}

/// Payloads of these lengths.
fn payloads(t: &mut Tester<'_>, lengths: &[usize]) -> Vec<Vec<u8>> {
    let fill = |length: &usize| {
        let mut payload = vec![0; *length];
        t.rng.fill(&mut payload[..]);
        payload
    };
    lengths.iter().map(fill).collect()
}

/// The node sends bundles of these lengths, each whole in a frame of its own.
pub(super) fn sends(t: &mut Tester<'_>, layer: Layer, lengths: &[usize]) -> Result<(), Finding> {
    let wanted = payloads(t, lengths);
    let frames = layer.sent(t, &wanted)?;
    let mut found = Vec::new();
    for frame in &frames {
        let bundle = Bundle::parse(frame)
            .map_err(|why| Finding::deviation("exactly one bundle in each frame", why.to_string()))?;
        found.push(bundle.payload().to_vec());
    }
    match wanted.iter().all(|payload| found.contains(payload)) {
        true => Ok(()),
        false => Err(Finding::deviation("the bundles that the node was made to send", "others")),
    }
}

/// The node takes a bundle in a frame.
pub(super) fn receives(t: &mut Tester<'_>, layer: Layer) -> Result<(), Finding> {
    for length in [1, 20, 300, 70_000] {
        let (bundle, payload) = bundle(t, length)?;
        layer.takes(t, &layer.frame(&bundle), &[payload])?;
    }
    Ok(())
}

/// The node takes a frame that comes octet by octet.
pub(super) fn receives_in_pieces(t: &mut Tester<'_>, layer: Layer) -> Result<(), Finding> {
    let (bundle, payload) = bundle(t, 300)?;
    let stream = t.connect(layer.door)?;
    for octet in layer.frame(&bundle) {
        t.write(stream, &[octet])?;
        t.rest(Duration::from_millis(5))?;
    }
    layer.delivers(t, &[payload])?;
    t.finish(stream);
    Ok(())
}

/// The node takes several frames that come at once.
pub(super) fn receives_at_once(t: &mut Tester<'_>, layer: Layer) -> Result<(), Finding> {
    let mut octets = Vec::new();
    let mut payloads = Vec::new();
    for length in [100, 10, 1000] {
        let (bundle, payload) = bundle(t, length)?;
        octets.extend(layer.frame(&bundle));
        payloads.push(payload);
    }
    layer.takes(t, &octets, &payloads)
}

/// The node passes over a frame without a bundle.
pub(super) fn passes_over_nothing(t: &mut Tester<'_>, layer: Layer) -> Result<(), Finding> {
    let (bundle, payload) = bundle(t, 100)?;
    let octets = [(layer.head)(0), layer.frame(&bundle), (layer.head)(0)].concat();
    layer.takes(t, &octets, &[payload])
}

/// Octets that are no bundle do no harm: another connection is of use meanwhile.
pub(super) fn bears(t: &mut Tester<'_>, layer: Layer, octets: &[u8], closes: bool) -> Result<(), Finding> {
    let stream = t.connect(layer.door)?;
    t.write(stream, octets)?;
    alive_over(t, layer)?;
    if closes {
        let until = t.now() + t.profile().answer_time();
        let closed = t.wait_for(until, |arrival| match arrival.what {
            Happening::Finished { stream: on } | Happening::Reset { stream: on } if on == stream => Some(()),
            _ => None,
        })?;
        if closed.is_none() {
            t.reset(stream);
            return Err(Finding::silence(
                "the connection is closed, since its frames cannot be found again",
                "it is open",
            ));
        }
        return Ok(());
    }
    t.reset(stream);
    Ok(())
}

/// A frame that breaks off is no bundle.
pub(super) fn bears_a_cut(t: &mut Tester<'_>, layer: Layer) -> Result<(), Finding> {
    let (bundle, payload) = bundle(t, 300)?;
    let frame = layer.frame(&bundle);
    for length in [2, frame.len() / 2, frame.len() - 1] {
        let stream = t.connect(layer.door)?;
        t.write(stream, &frame[..length])?;
        t.finish(stream);
        alive_over(t, layer)?;
    }
    let came = t.waiting().iter().any(|a| matches!(&a.what, Happening::Delivered { payload: p, .. } if *p == payload));
    if came {
        return Err(Finding::deviation("no delivery of a bundle that was cut off", "a delivery"));
    }
    // And the bundle itself is not taken for one that is there already.
    layer.takes(t, &frame, &[payload])
}

/// The node says nothing on a connection that the tester has opened.
pub(super) fn is_quiet(t: &mut Tester<'_>, layer: Layer) -> Result<(), Finding> {
    let (bundle, payload) = bundle(t, 100)?;
    let stream = t.connect(layer.door)?;
    t.write(stream, &layer.frame(&bundle))?;
    layer.delivers(t, &[payload])?;
    let until = t.now() + t.profile().answer_time();
    let mut inbox = Vec::new();
    more(t, stream, until, &mut inbox)?;
    t.finish(stream);
    match inbox.is_empty() {
        true => Ok(()),
        false => {
            Err(Finding::warning("bundles go from who connects to who listens", format!("{} octets back", inbox.len())))
        }
    }
}

/// That the node still takes a bundle over this layer.
pub(super) fn alive_over(t: &mut Tester<'_>, layer: Layer) -> Result<(), Finding> {
    let (bundle, payload) = bundle(t, 50)?;
    layer.takes(t, &layer.frame(&bundle), &[payload])
}
