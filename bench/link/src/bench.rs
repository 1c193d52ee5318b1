//! Nodes on channels, one event after the other.

use bytes::Bytes;
use farlink_channel_models::{Errors, Rate};
use farlink_record::control::{Control, ControlledBy};
use farlink_record::{ChannelId, Event, NodeId, Stamped};
use farlink_units::Instant;

use crate::agenda::Agenda;
use crate::channel::{Channel, ControlError};
use crate::contacts::Edges;

/// What the bench asks of a node. All of it is told the time; none of it may wait.
pub trait Node {
    /// A frame has come in over a channel that ends at this node.
    fn handle_frame(&mut self, now: Instant, channel: ChannelId, frame: Bytes);

    /// The transmitter of a channel that begins at this node is free: the next frame for it, if any. It leaves now. A channel
    /// that has no rate is always free, and loses what it is given: a node must come to an end with what it offers at once.
    fn poll_transmit(&mut self, now: Instant, channel: ChannelId) -> Option<Bytes>;

    /// When [`Node::handle_timeout`] is due.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The instant that [`Node::poll_timeout`] named has come.
    fn handle_timeout(&mut self, now: Instant);

    /// What the node has to tell, in order, until there is nothing more.
    fn poll_event(&mut self) -> Option<Event>;
}

/// What an agenda item stands for. Their order is the order at equal instants: contacts change first, so that what happens
/// at that instant finds them as they then are.
#[derive(Clone, Copy, Debug)]
enum Item {
    Contact(usize),
    Arrival(usize),
    Timeout(usize),
    Idle(usize),
}

#[derive(Debug)]
struct Coupled {
    channel: Channel,
    from: usize,
    to: usize,
    edges: Edges,
}

/// Nodes coupled by channels.
///
/// Its owner asks for [`Bench::next_instant`], waits until then as its clock says, and calls [`Bench::step`].
#[derive(Debug)]
pub struct Bench<N> {
    nodes: Vec<N>,
    outgoing: Vec<Vec<usize>>,
    channels: Vec<Coupled>,
    agenda: Agenda,
}

impl<N: Node> Bench<N> {
    /// A bench of these nodes and of these channels, each with the node where it begins and where it ends.
    ///
    /// # Panics
    /// If a channel names a node that is not there.
    pub fn new(nodes: Vec<N>, channels: Vec<(Channel, NodeId, NodeId)>) -> Self {
        let mut outgoing = vec![Vec::new(); nodes.len()];
        let channels: Vec<Coupled> = channels
            .into_iter()
            .enumerate()
            .map(|(index, (channel, from, to))| {
                let (from, to) = (usize::from(from.0), usize::from(to.0));
                assert!(from < nodes.len() && to < nodes.len(), "channel {index} names an unknown node");
                outgoing[from].push(index);
                Coupled { edges: Edges::new(&channel), channel, from, to }
            })
            .collect();
        let mut bench = Bench { agenda: Agenda::new(channels.len() * 3 + nodes.len()), nodes, outgoing, channels };
        for index in 0..bench.channels.len() {
            let first = bench.channels[index].edges.next();
            bench.set(Item::Contact(index), first);
        }
        for index in 0..bench.nodes.len() {
            let timeout = bench.nodes[index].poll_timeout();
            bench.set(Item::Timeout(index), timeout);
        }
        bench
    }

    /// A node.
    pub fn node_mut(&mut self, node: NodeId) -> &mut N {
        &mut self.nodes[usize::from(node.0)]
    }

    /// Every channel.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.iter().map(|c| &c.channel)
    }

    /// Gives a channel another rate from `now` on; see [`Channel::set_rate`].
    ///
    /// # Panics
    /// If there is no such channel.
    pub fn set_rate(&mut self, now: Instant, channel: ChannelId, rate: &Rate, emit: &mut dyn FnMut(Stamped)) {
        let index = usize::from(channel.0);
        self.channels[index].channel.set_rate(now, rate, |event| emit(Stamped { at: now, event }));
        let from = self.channels[index].from;
        self.attend(now, from, emit);
    }

    /// Gives a channel other errors from `now` on; see [`Channel::set_errors`].
    ///
    /// # Panics
    /// If there is no such channel.
    pub fn set_errors(&mut self, now: Instant, channel: ChannelId, errors: Errors) {
        self.channels[usize::from(channel.0)].channel.set_errors(now, errors);
    }

    /// Does what a person or a script says to a channel, or to all of them, and tells that it was said, by whom, and what
    /// comes of it; see [`Channel::control`]. What happens before `now` must have been taken by then, and what happens at
    /// `now` not yet: a control comes before all else at its instant. Pause and resume are told, and left to the owner's clock.
    ///
    /// # Errors
    /// It cannot be done. Nothing has changed and nothing is told then.
    pub fn control(
        &mut self,
        now: Instant,
        channel: Option<ChannelId>,
        control: &Control,
        by: ControlledBy,
        emit: &mut dyn FnMut(Stamped),
    ) -> Result<(), ControlError> {
        let channels = self.channels.len();
        let of_clock = matches!(control, Control::Pause | Control::Resume);
        let concerned = match channel {
            Some(ChannelId(id)) if usize::from(id) >= channels => {
                return Err(ControlError::NoChannel { channel: id, channels });
            }
            Some(ChannelId(id)) => usize::from(id)..usize::from(id) + 1,
            None if of_clock => 0..0,
            None => 0..channels,
        };
        for index in concerned.clone() {
            self.channels[index].channel.check(control)?;
        }
        emit(Stamped { at: now, event: Event::Controlled { channel, control: control.clone(), by } });
        for index in concerned {
            self.channels[index].channel.control(now, control, |event| emit(Stamped { at: now, event }))?;
            self.follow(now, index, control, emit);
            let from = self.channels[index].from;
            self.attend(now, from, emit);
        }
        Ok(())
    }

    /// Tells what a control has changed of contact and light time, and awaits the next contact that there is now.
    fn follow(&mut self, now: Instant, index: usize, control: &Control, emit: &mut dyn FnMut(Stamped)) {
        let Coupled { edges, channel, .. } = &mut self.channels[index];
        edges.follow(now, control, channel, |event| emit(Stamped { at: now, event }));
        let next = edges.next();
        self.set(Item::Contact(index), next);
    }

    /// When [`Bench::step`] has something to do.
    pub fn next_instant(&self) -> Option<Instant> {
        self.agenda.first().map(|(at, _)| at)
    }

    /// Takes the next thing that happens, and says to which node, if any, it happened.
    pub fn step(&mut self, emit: &mut dyn FnMut(Stamped)) -> Option<NodeId> {
        let (now, item) = self.agenda.pop()?;
        match self.item(item) {
            Item::Contact(index) => {
                self.contact_edge(now, index, emit);
                None
            }
            Item::Arrival(index) => {
                let coupled = &mut self.channels[index];
                let to = coupled.to;
                if let Some(arrival) = coupled.channel.take_due(now) {
                    let channel = coupled.channel.id();
                    emit(Stamped { at: now, event: arrival.event(channel) });
                    if arrival.delivered() {
                        self.nodes[to].handle_frame(now, channel, arrival.content);
                    }
                }
                let next = self.channels[index].channel.next_due();
                self.set(Item::Arrival(index), next);
                self.attend(now, to, emit);
                Some(NodeId(to as u16))
            }
            Item::Timeout(index) => {
                self.nodes[index].handle_timeout(now);
                self.attend(now, index, emit);
                Some(NodeId(index as u16))
            }
            Item::Idle(index) => {
                let from = self.channels[index].from;
                self.attend(now, from, emit);
                Some(NodeId(from as u16))
            }
        }
    }

    /// Lets a node act after its owner has told it something at `now`.
    pub fn attend_to(&mut self, now: Instant, node: NodeId, emit: &mut dyn FnMut(Stamped)) {
        self.attend(now, usize::from(node.0), emit);
    }

    fn attend(&mut self, now: Instant, node: usize, emit: &mut dyn FnMut(Stamped)) {
        self.drain(now, node, emit);
        for position in 0..self.outgoing[node].len() {
            let index = self.outgoing[node][position];
            let mut busy_until = self.channels[index].channel.busy_until();
            while busy_until <= now {
                let channel = &mut self.channels[index].channel;
                let Some(frame) = self.nodes[node].poll_transmit(now, channel.id()) else { break };
                channel.offer(now, frame, |event| emit(Stamped { at: now, event }));
                busy_until = channel.busy_until();
            }
            let due = self.channels[index].channel.next_due();
            self.set(Item::Arrival(index), due);
            self.set(Item::Idle(index), (busy_until > now).then_some(busy_until));
        }
        self.drain(now, node, emit);
        let timeout = self.nodes[node].poll_timeout().map(|at| at.max(now));
        self.set(Item::Timeout(node), timeout);
    }

    fn drain(&mut self, now: Instant, node: usize, emit: &mut dyn FnMut(Stamped)) {
        while let Some(event) = self.nodes[node].poll_event() {
            emit(Stamped { at: now, event });
        }
    }

    fn contact_edge(&mut self, now: Instant, index: usize, emit: &mut dyn FnMut(Stamped)) {
        let coupled = &mut self.channels[index];
        emit(Stamped { at: now, event: coupled.edges.pass(&coupled.channel) });
        let next = coupled.edges.next();
        self.set(Item::Contact(index), next);
    }

    fn number(&self, item: Item) -> usize {
        let (channels, nodes) = (self.channels.len(), self.nodes.len());
        match item {
            Item::Contact(i) => i,
            Item::Arrival(i) => channels + i,
            Item::Timeout(i) => 2 * channels + i,
            Item::Idle(i) => 2 * channels + nodes + i,
        }
    }

    fn item(&self, number: usize) -> Item {
        let (channels, nodes) = (self.channels.len(), self.nodes.len());
        let (second, third) = (2 * channels, 2 * channels + nodes);
        match number {
            n if n < channels => Item::Contact(n),
            n if n < second => Item::Arrival(n - channels),
            n if n < third => Item::Timeout(n - second),
            n => Item::Idle(n - third),
        }
    }

    fn set(&mut self, item: Item, at: Option<Instant>) {
        let number = self.number(item);
        self.agenda.set(number, at);
    }
}
