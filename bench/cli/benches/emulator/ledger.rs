//! What of the load has arrived, and when.

use std::time::Duration;

use crate::load::{Arrival, Sent, filler, read_header};
use crate::measure::Spread;

/// Keeps account of the datagrams of every flow, and of their delay error.
#[derive(Default)]
pub struct Ledger {
    delay_ns: i64,
    flows: Vec<FlowAccount>,
    /// Datagrams whose header is not what was sent.
    pub damaged: u64,
    /// Of the bytes behind the header that came: bits that are not what was sent, of how many.
    pub wrong_bits: u64,
    pub bits: u64,
    /// Whether the content is compared.
    compare: bool,
    pub stamped: Vec<i64>,
    pub read: Vec<i64>,
}

#[derive(Default)]
struct FlowAccount {
    seen: Vec<u64>,
    next: u64,
    distinct: u64,
    duplicates: u64,
    out_of_order: u64,
}

/// What became of what was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    pub sent: u64,
    pub delivered: u64,
    pub damaged: u64,
    pub duplicates: u64,
    pub out_of_order: u64,
}

impl Account {
    pub fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.delivered + self.damaged)
    }
}

impl Ledger {
    pub fn new(delay: Duration) -> Self {
        Ledger { delay_ns: delay.as_nanos() as i64, ..Ledger::default() }
    }

    /// Compares the content, too.
    pub fn comparing(delay: Duration) -> Self {
        Ledger { compare: true, ..Ledger::new(delay) }
    }

    /// Writes down a datagram, and returns when it was sent, unless its header is damaged.
    pub fn take(&mut self, arrival: &Arrival<'_>) -> Option<i64> {
        if self.compare {
            let content = arrival.content.iter().enumerate().skip(crate::load::HEADER);
            self.wrong_bits += content.map(|(at, byte)| u64::from((byte ^ filler(at)).count_ones())).sum::<u64>();
            self.bits += 8 * arrival.content.len().saturating_sub(crate::load::HEADER) as u64;
        }
        // Its check misses one damaged header in 2³²: it must not make this account of any size.
        let plausible = |(flow, sequence, _): &(u32, u64, i64)| *flow < 1 << 8 && *sequence < 1 << 32;
        let Some((flow, sequence, sent_ns)) = read_header(arrival.content).filter(plausible) else {
            self.damaged += 1;
            return None;
        };
        let flow = flow as usize;
        if self.flows.len() <= flow {
            self.flows.resize_with(flow + 1, FlowAccount::default);
        }
        self.flows[flow].take(sequence);
        self.stamped.push(arrival.stamped_ns - sent_ns - self.delay_ns);
        self.read.push(arrival.read_ns - sent_ns - self.delay_ns);
        Some(sent_ns)
    }

    pub fn account(&self, sent: &Sent) -> Account {
        let sum = |of: fn(&FlowAccount) -> u64| self.flows.iter().map(of).sum();
        Account {
            sent: sent.total(),
            delivered: sum(|f| f.distinct),
            damaged: self.damaged,
            duplicates: sum(|f| f.duplicates),
            out_of_order: sum(|f| f.out_of_order),
        }
    }

    /// The delay error so far: by the kernel's stamps, and as read by the receiver. The samples are gone afterwards.
    pub fn errors(&mut self) -> (Spread, Spread) {
        let spreads = (Spread::of(&mut self.stamped), Spread::of(&mut self.read));
        self.stamped.clear();
        self.read.clear();
        spreads
    }
}

impl FlowAccount {
    fn take(&mut self, sequence: u64) {
        let (word, bit) = ((sequence / 64) as usize, 1 << (sequence % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            self.duplicates += 1;
            return;
        }
        self.seen[word] |= bit;
        self.distinct += 1;
        self.out_of_order += u64::from(sequence < self.next);
        self.next = self.next.max(sequence + 1);
    }
}
