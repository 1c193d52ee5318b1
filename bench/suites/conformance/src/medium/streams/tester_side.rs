//! What the tester does on streams, and what reaches it.

use farlink_ports::tcp::{ConnectionId, ListenerId};

use super::{Leg, SimulatedStreams, node_address};
use crate::medium::{Arrival, Door, Happening, Stream};
use crate::mutants::Flow;

impl SimulatedStreams {
    pub(super) fn arrive(&mut self, number: usize, what: impl FnOnce(Stream) -> Happening) {
        if let Some(stream) = self.stream(ConnectionId(number)) {
            self.arrivals.push(Arrival { at: self.now, what: what(stream) });
        }
    }

    /// The tester connects. `None` if the node does not listen.
    pub(in crate::medium) fn tester_connects(&mut self, door: Door) -> Option<Stream> {
        let listener = self.listeners.iter().position(|address| *address == node_address(door))?;
        let number = self.add(door, Some(ListenerId(listener)));
        self.towards_node(number, Leg::Syn);
        self.stream(ConnectionId(number))
    }

    /// The tester writes, or closes its direction.
    pub(in crate::medium) fn tester_sends(&mut self, stream: Stream, flow: Flow) {
        let number = stream.number as usize;
        let Some(line) = self.lines.get_mut(&number).filter(|line| line.tester_open) else { return };
        if line.tester_finished && flow != Flow::Reset {
            return;
        }
        line.tester_finished |= flow == Flow::Finished;
        if flow == Flow::Reset {
            line.tester_open = false;
            line.unread.clear();
        }
        self.towards_node(number, Leg::Flow(flow));
    }

    pub(in crate::medium) fn tester_reads(&mut self, stream: Stream, reading: bool) {
        let number = stream.number as usize;
        let Some(line) = self.lines.get_mut(&number) else { return };
        line.tester_reads = reading;
        if reading {
            for flow in std::mem::take(&mut line.unread) {
                self.read_by_tester(number, flow);
            }
        }
    }

    pub(in crate::medium) fn tester_listens(&mut self, door: Door, listening: bool) {
        match listening {
            true => drop(self.taking.insert(door)),
            false => drop(self.taking.remove(&door)),
        }
    }

    pub(super) fn read_by_tester(&mut self, number: usize, flow: Flow) {
        match flow {
            Flow::Octets(octets) => {
                self.towards_node(number, Leg::Window(octets.len()));
                self.arrive(number, |stream| Happening::Octets { stream, octets: octets.to_vec() });
            }
            Flow::Finished => self.arrive(number, |stream| Happening::Finished { stream }),
            Flow::Reset => self.arrive(number, |stream| Happening::Reset { stream }),
            Flow::Opened => {}
        }
    }

    pub(super) fn at_tester(&mut self, number: usize, leg: Leg) {
        let Some(line) = self.lines.get_mut(&number) else { return };
        match leg {
            Leg::Syn => {
                let takes = self.taking.contains(&line.door);
                match takes {
                    true => self.towards_node(number, Leg::SynAck),
                    false => {
                        self.towards_node(number, Leg::Refused);
                        self.arrive(number, |stream| Happening::Reset { stream });
                    }
                }
            }
            Leg::SynAck => {
                self.towards_node(number, Leg::Ack);
                self.arrive(number, |stream| Happening::Opened { stream });
            }
            Leg::Ack => {
                line.tester_open = true;
                self.arrive(number, |stream| Happening::Opened { stream });
            }
            Leg::Flow(_) if !line.tester_open => {}
            Leg::Flow(Flow::Reset) => {
                line.unread.clear();
                line.tester_open = false;
                self.read_by_tester(number, Flow::Reset);
            }
            Leg::Flow(flow) if line.tester_reads => self.read_by_tester(number, flow),
            Leg::Flow(flow) => line.unread.push_back(flow),
            Leg::Refused | Leg::Window(_) => {}
        }
    }

    /// What has come to the tester.
    pub(in crate::medium) fn take_arrivals(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.arrivals)
    }
}
