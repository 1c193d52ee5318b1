//! Soft symbols of a receiver to blocks, whatever phase it locked to.
//!
//! Without a convolutional code, each way in which the symbols may have come out (`Turn`) has a synchroniser of its own while a marker is
//! looked for; the one that finds it goes on alone. BPSK and QPSK are left to the synchroniser, which tries its ways at each marker anew.
//!
//! With one, the code itself tells how its symbols are to be read (`node_sync`), but for inversion, which passes it and which the marker tells. Where
//! several readings fit alike, they are tried one after the other until a marker is found.

use farlink_coding::convolutional::{End, Rate, Viterbi, node_sync};
use farlink_coding::marker::{Ambiguity, Found, Lock, Settings, Synchroniser};
use farlink_modem::Modulation;

use crate::codec::Place;
use crate::turn::Turn;
use crate::waveform::Waveform;

/// Soft symbols that are worked on at a time, so that nothing depends on how they came: a multiple of all groups.
const PIECE: usize = 1536;

/// Soft symbols from which it is found out how the convolutional code's are to be read. A multiple of [`PIECE`].
pub(crate) const READING: usize = 4 * PIECE;

/// A reading in use is kept unless another contradicts itself by less than this share of what it does.
const BETTER: f64 = 0.8;

/// Finds blocks in runs of soft symbols.
#[derive(Debug)]
pub(crate) struct Deframer {
    path: Path,
    waiting: Vec<i8>,
    run: u64,
}

#[derive(Debug)]
enum Path {
    Direct(Direct),
    Coded(Box<Coded>),
}

/// A block and where it was.
pub(crate) type Block = (Vec<i8>, Place);

impl Deframer {
    /// For a waveform that is valid.
    pub fn new(waveform: &Waveform) -> Self {
        let path = match waveform.coding.convolutional() {
            None => Path::Direct(Direct::new(waveform)),
            Some(rate) => Path::Coded(Box::new(Coded::new(waveform, rate))),
        };
        Deframer { path, waiting: Vec::new(), run: 0 }
    }

    /// Whether frames are being found, without a marker missing.
    pub fn lock(&self) -> Lock {
        match &self.path {
            Path::Direct(direct) => direct.lock(),
            Path::Coded(coded) => coded.lock(),
        }
    }

    /// A new run begins: nothing of what came before goes on.
    pub fn begin(&mut self, blocks: &mut Vec<Block>) {
        self.end(blocks);
        self.run += 1;
        match &mut self.path {
            Path::Direct(direct) => direct.restart(),
            Path::Coded(coded) => coded.restart(),
        }
    }

    /// The phase may have slipped.
    pub fn doubt(&mut self) {
        if let Path::Coded(coded) = &mut self.path {
            coded.doubt();
        }
    }

    /// Takes soft symbols of the run.
    pub fn take(&mut self, soft: &[i8], blocks: &mut Vec<Block>) {
        if self.waiting.is_empty() {
            let whole = soft.len() / PIECE * PIECE;
            let (now, later) = soft.split_at(whole);
            now.chunks_exact(PIECE).for_each(|piece| self.path.piece(piece, self.run, blocks));
            self.waiting.extend_from_slice(later);
            return;
        }
        let (first, rest) = soft.split_at(soft.len().min(PIECE - self.waiting.len()));
        self.waiting.extend_from_slice(first);
        if self.waiting.len() == PIECE {
            let piece = std::mem::take(&mut self.waiting);
            self.path.piece(&piece, self.run, blocks);
            self.take(rest, blocks);
        }
    }

    /// The run has ended: gives what can still be had.
    pub fn end(&mut self, blocks: &mut Vec<Block>) {
        let rest = std::mem::take(&mut self.waiting);
        self.path.piece(&rest, self.run, blocks);
        if let Path::Coded(coded) = &mut self.path {
            coded.end(self.run, blocks);
        }
    }
}

impl Path {
    fn piece(&mut self, soft: &[i8], run: u64, blocks: &mut Vec<Block>) {
        match self {
            Path::Direct(direct) => direct.piece(soft, run, blocks),
            Path::Coded(coded) => coded.piece(soft, run, blocks),
        }
    }
}

/// How markers are found where they stand in the channel's bits.
fn settings(waveform: &Waveform, ambiguity: Ambiguity) -> Settings {
    let settings = Settings { ambiguity, ..Settings::default() };
    if waveform.coding.ldpc().is_some() {
        // At Es/N0 of -2 dB the marker of 64 bits comes with errors of a weight of 3, give or take 3; symbols at random do as well
        // as 8 once in 4 million places.
        Settings { search_errors: 8.0, lock_errors: 12.0, ..settings }
    } else {
        settings
    }
}

fn synchroniser(waveform: &Waveform, frame_bits: usize, settings: Settings) -> Synchroniser {
    // What there is to refuse: no frame, an odd one with quarter turns, or settings other than those above.
    Synchroniser::new(waveform.coding.marker(), frame_bits, settings)
        .expect("a valid waveform has frames of whole octets")
}

/// Markers in the channel's bits.
#[derive(Debug)]
struct Direct {
    turns: Vec<Turn>,
    /// One for each turn; only the one that is at work while there is one.
    synchronisers: Vec<Synchroniser>,
    fresh: Synchroniser,
    /// Which is at work, and where each began in the run.
    at_work: Option<usize>,
    began: Vec<u64>,
    taken: u64,
}

impl Direct {
    fn new(waveform: &Waveform) -> Self {
        let (turns, ambiguity) = match waveform.modulation {
            Modulation::Bpsk => (vec![Turn::None], Ambiguity::Half),
            Modulation::Qpsk => (vec![Turn::None], Ambiguity::Quarter),
            Modulation::ResidualCarrier { .. } => (vec![Turn::None], Ambiguity::None),
            _ => (Turn::all(&waveform.modulation, false), Ambiguity::None),
        };
        let fresh = synchroniser(waveform, 8 * waveform.block_octets(), settings(waveform, ambiguity));
        let synchronisers = vec![fresh.clone(); turns.len()];
        let began = vec![0; turns.len()];
        Direct { turns, synchronisers, fresh, at_work: None, began, taken: 0 }
    }

    fn lock(&self) -> Lock {
        self.at_work.map_or(Lock::Search, |at| self.synchronisers[at].lock())
    }

    fn restart(&mut self) {
        self.at_work = None;
        self.taken = 0;
        for at in 0..self.turns.len() {
            self.renew(at, 0);
        }
    }

    fn renew(&mut self, which: usize, began: u64) {
        self.synchronisers[which] = self.fresh.clone();
        self.began[which] = began;
    }

    fn piece(&mut self, soft: &[i8], run: u64, blocks: &mut Vec<Block>) {
        let mut from = 0;
        let undisturbed = |which: &usize| self.turns.len() == 1 || self.synchronisers[*which].lock() == Lock::Locked;
        if let Some(which) = self.at_work.filter(undisturbed) {
            // It goes on alone, up to a marker that is missing.
            let turned = self.turned(which, soft);
            let mut input = &turned[..];
            while self.synchronisers[which].lock() == Lock::Locked || self.turns.len() == 1 {
                let Some(found) = self.synchronisers[which].read(&mut input) else { break };
                blocks.push(block(found, self.began[which], run));
            }
            from = soft.len() - input.len();
            if self.synchronisers[which].lock() != Lock::Locked {
                // From here on all others look, too, until one of them or it itself finds a marker.
                let began = self.taken + from as u64;
                (0..self.turns.len()).filter(|other| *other != which).for_each(|other| self.renew(other, began));
            }
        }
        if from < soft.len() {
            self.search(soft, from, run, blocks);
        }
        self.taken += soft.len() as u64;
    }

    /// Lets all look for markers.
    fn search(&mut self, soft: &[i8], from: usize, run: u64, blocks: &mut Vec<Block>) {
        let found: Vec<Vec<Found>> = (0..self.turns.len())
            .map(|which| {
                let turned = self.turned(which, soft);
                let mut input = &turned[from..];
                std::iter::from_fn(|| self.synchronisers[which].read(&mut input)).collect()
            })
            .collect();
        let sure = |found: &&Found| found.lock == Lock::Locked;
        let best = (0..found.len())
            .filter_map(|which| found[which].iter().find(sure).map(|found| (found.marker_errors, which)))
            .min();
        let winner = best.map(|(_, which)| which).or(self.at_work);
        if let Some(winner) = winner {
            let began = self.began[winner];
            let of_winner = found.into_iter().nth(winner).unwrap_or_default();
            blocks.extend(of_winner.into_iter().map(|found| block(found, began, run)));
            self.at_work = Some(winner);
        }
    }

    fn turned(&self, which: usize, soft: &[i8]) -> Vec<i8> {
        let mut soft = soft.to_vec();
        self.turns[which].undo(&mut soft);
        soft
    }
}

fn block(found: Found, began: u64, run: u64) -> Block {
    let place = Place { marker_errors: found.marker_errors, lock: found.lock, run, at: began + found.at };
    (found.soft, place)
}

/// Markers behind the convolutional code.
#[derive(Debug)]
struct Coded {
    turns: Vec<Turn>,
    rate: Rate,
    unit_bits: u64,
    fresh: Synchroniser,
    synchroniser: Synchroniser,
    /// How the symbols are read now.
    reading: Option<Reading>,
    /// Readings that were tried without a marker since one was found.
    tried: usize,
    /// Symbols that wait until it is known how to read them, and whether they are to be collected.
    collected: Vec<i8>,
    doubtful: bool,
    /// Symbols of the run before `collected`.
    taken: u64,
    octets: Vec<u8>,
    bits: Vec<i8>,
}

#[derive(Debug)]
struct Reading {
    turn: Turn,
    decoder: Viterbi,
    /// The place in the run of its first symbol, and the symbols it has taken.
    began: u64,
    taken: u64,
    /// Bits since a marker was last where one was due.
    silent_bits: u64,
}

impl Coded {
    fn new(waveform: &Waveform, rate: Rate) -> Self {
        // What is left of the phase behind the decoder is inversion. A residual carrier has no such doubt, but costs nothing by it.
        let settings = Settings { ambiguity: Ambiguity::Half, ..Settings::default() };
        let fresh = synchroniser(waveform, 8 * waveform.block_octets(), settings);
        Coded {
            turns: Turn::all(&waveform.modulation, true),
            rate,
            unit_bits: waveform.unit_bits() as u64,
            synchroniser: fresh.clone(),
            fresh,
            reading: None,
            tried: 0,
            collected: Vec::new(),
            doubtful: true,
            taken: 0,
            octets: Vec::new(),
            bits: Vec::new(),
        }
    }

    fn lock(&self) -> Lock {
        self.synchroniser.lock()
    }

    fn restart(&mut self) {
        self.synchroniser = self.fresh.clone();
        self.reading = None;
        self.tried = 0;
        self.collected.clear();
        self.doubtful = true;
        self.taken = 0;
    }

    fn doubt(&mut self) {
        // One way to read them leaves nothing to doubt but where a period begins, which no slip of the phase changes.
        if self.turns.len() > 1 {
            self.doubtful = true;
        }
    }

    fn piece(&mut self, soft: &[i8], run: u64, blocks: &mut Vec<Block>) {
        if self.doubtful {
            self.collected.extend_from_slice(soft);
            if self.collected.len() >= READING {
                self.judge(run, blocks);
            }
        } else {
            self.decode(soft, run, blocks);
        }
    }

    fn end(&mut self, run: u64, blocks: &mut Vec<Block>) {
        if self.doubtful {
            self.judge(run, blocks);
        }
        if let Some(mut reading) = self.reading.take() {
            reading.decoder.finish(End::Unknown, &mut self.octets);
            self.deframe(&mut reading, run, blocks);
        }
    }

    /// Decides how to read what was collected, and reads it.
    fn judge(&mut self, run: u64, blocks: &mut Vec<Block>) {
        let collected = std::mem::take(&mut self.collected);
        self.doubtful = false;
        let mut all = Vec::new();
        for &turn in &self.turns {
            let mut turned = collected.clone();
            turn.undo(&mut turned);
            let hypotheses = node_sync(&turned, self.rate).into_iter().filter(|h| !h.second_inverted);
            all.extend(hypotheses.map(|h| (h.disagreement, turn, h.offset)));
        }
        all.sort_by(|one, other| one.0.total_cmp(&other.0));
        let Some(&(best, ..)) = all.first() else {
            self.decode(&collected, run, blocks);
            return;
        };
        let period = self.rate.period_symbols() as u64;
        if let Some(reading) = &self.reading {
            let due = (period - reading.taken % period) % period;
            let kept = all.iter().find(|(_, turn, offset)| *turn == reading.turn && *offset as u64 == due);
            // What was tried in vain is not tried on.
            if kept.is_some_and(|kept| best >= kept.0 * BETTER) && self.tried == 0 {
                self.decode(&collected, run, blocks);
                return;
            }
        }
        if let Some(mut before) = self.reading.take() {
            before.decoder.finish(End::Unknown, &mut self.octets);
            self.deframe(&mut before, run, blocks);
            self.synchroniser = self.fresh.clone();
        }
        let alike = all.iter().take_while(|(disagreement, ..)| *disagreement * BETTER <= best).count().max(1);
        let (_, turn, offset) = all[self.tried % alike];
        let began = self.taken + offset as u64;
        let decoder = Viterbi::new(self.rate);
        let mut reading = Reading { turn, decoder, began, taken: 0, silent_bits: 0 };
        // The symbols before the period are left out, turned back in their groups.
        let mut turned = collected;
        turn.undo(&mut turned);
        self.taken += turned.len() as u64;
        reading.decoder.decode(&turned[offset..], &mut self.octets);
        reading.taken = (turned.len() - offset) as u64;
        self.deframe(&mut reading, run, blocks);
        self.reading = Some(reading);
    }

    fn decode(&mut self, soft: &[i8], run: u64, blocks: &mut Vec<Block>) {
        self.taken += soft.len() as u64;
        let Some(mut reading) = self.reading.take() else {
            // There was too little to tell by.
            self.doubtful = true;
            return;
        };
        if reading.turn == Turn::None {
            reading.decoder.decode(soft, &mut self.octets);
        } else {
            let mut turned = soft.to_vec();
            reading.turn.undo(&mut turned);
            reading.decoder.decode(&turned, &mut self.octets);
        }
        reading.taken += soft.len() as u64;
        self.deframe(&mut reading, run, blocks);
        self.reading = Some(reading);
    }

    /// Finds blocks in what was decoded.
    fn deframe(&mut self, reading: &mut Reading, run: u64, blocks: &mut Vec<Block>) {
        self.bits.clear();
        let bits = |octet: &u8| -> [i8; 8] { std::array::from_fn(|at| if octet << at & 0x80 == 0 { 1 } else { -1 }) };
        self.bits.extend(self.octets.iter().flat_map(bits));
        reading.silent_bits += 8 * self.octets.len() as u64;
        self.octets.clear();
        let mut input = &self.bits[..];
        while let Some(found) = self.synchroniser.read(&mut input) {
            if found.lock == Lock::Locked {
                reading.silent_bits = 0;
                self.tried = 0;
            } else {
                // Symbols may have been lost or won, or the phase have slipped: the code tells sooner than the next markers do.
                self.doubtful = true;
            }
            let at = reading.began + (found.at as f64 / self.rate.ratio()).round() as u64;
            let place = Place { marker_errors: found.marker_errors, lock: found.lock, run, at };
            blocks.push((found.soft, place));
        }
        // Two markers should have come by now.
        if reading.silent_bits > 3 * self.unit_bits {
            reading.silent_bits = 0;
            self.tried += 1;
            self.doubtful = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Decoder, Encoder};
    use crate::idle::idle_frame;
    use crate::waveform::Coding;

    /// Frames that come out of symbols without noise, of which those of the second half are turned otherwise than those of the first.
    fn through_a_slip(modulation: Modulation, coding: Coding, before: Turn, after: Turn) -> (usize, Vec<Vec<u8>>) {
        let waveform = Waveform { modulation, ..Waveform::new(coding, 1e6) };
        let (mut encoder, mut bits) = (Encoder::new(&waveform).unwrap(), Vec::new());
        let sent: Vec<Vec<u8>> = (0..60).map(|count| idle_frame(&waveform, 0, count)).collect();
        sent.iter().for_each(|frame| encoder.encode(frame, &mut bits).unwrap());
        encoder.finish(&mut bits);
        bits.resize(bits.len().next_multiple_of(6), 0);
        let mut soft: Vec<i8> = bits.iter().map(|bit| if *bit == 0 { 40 } else { -40 }).collect();
        let middle = (soft.len() / 2).next_multiple_of(6);
        before.undo(&mut soft[..middle]);
        after.undo(&mut soft[middle..]);
        let (mut deframer, mut blocks) = (Deframer::new(&waveform), Vec::new());
        deframer.begin(&mut blocks);
        soft.chunks(999).for_each(|piece| deframer.take(piece, &mut blocks));
        deframer.end(&mut blocks);
        let mut decoder = Decoder::new(&waveform, 20).unwrap();
        let frames = blocks.into_iter().map(|(soft, place)| decoder.decode(soft, place).octets);
        (sent.len(), frames.filter(|frame| sent.contains(frame)).collect())
    }

    #[test]
    fn a_slip_of_the_phase_costs_some_frames_and_no_more() {
        let direct = Coding::Uncoded { frame_octets: 400 };
        let coded = Coding::Convolutional { rate: Rate::Half, frame_octets: 400 };
        let punctured = Coding::Convolutional { rate: Rate::ThreeQuarters, frame_octets: 400 };
        for modulation in [Modulation::Qpsk, Modulation::Oqpsk, Modulation::Psk8] {
            let turns = Turn::all(&modulation, false);
            for coding in [direct, coded, punctured] {
                for (at, &before) in turns.iter().enumerate() {
                    let after = turns[(at + 1) % turns.len()];
                    let (sent, found) = through_a_slip(modulation, coding, before, after);
                    let what = format!("{modulation:?}, {coding:?}, {before:?} to {after:?}");
                    assert!(found.len() + 10 >= sent, "{what}: {} of {sent}", found.len());
                    let undisturbed = through_a_slip(modulation, coding, before, before).1.len();
                    // Where two readings of a punctured code fit alike, the wrong one may be tried first.
                    assert!(undisturbed + 6 >= sent, "{what}: {undisturbed} of {sent} without a slip");
                }
            }
        }
    }
}
