//! Segments at random, from peers that keep to nothing: no panic, no memory that is not given back, no session without end.

use super::*;

const VENUS: u64 = 3;

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint { serial: 1 + self.below(6), report_serial: if self.one_in(2) { 0 } else { self.below(20_000) } }
    }

    /// A well-formed segment about one of a few sessions.
    fn segment(&mut self, sessions: &[SessionId]) -> Vec<u8> {
        let session = sessions[self.below(sessions.len() as u64) as usize];
        let bytes = vec![7; self.below(40) as usize];
        let content = match self.below(12) {
            0..=4 => {
                let checkpoint = self.checkpoint();
                let kind = match self.below(12) {
                    0..=5 => DataKind::Red,
                    6..=7 => DataKind::RedCheckpoint(checkpoint),
                    8 => DataKind::RedEndOfRedPart(checkpoint),
                    9 => DataKind::RedEndOfBlock(checkpoint),
                    10 => DataKind::Green,
                    _ => DataKind::GreenEndOfBlock,
                };
                let client_service = if self.one_in(30) { 99 } else { BUNDLE_PROTOCOL };
                let offset = if self.one_in(30) { u64::MAX - 100 } else { self.below(300) };
                Content::Data(Data { kind, client_service, offset, data: &bytes })
            }
            5..=8 => {
                let lower_bound = self.below(200);
                let upper_bound = lower_bound + 40 + self.below(200);
                let claims =
                    vec![Claim { offset: self.below(10), length: 1 + self.below(20) }, Claim { offset: 35, length: 5 }];
                let (report_serial, checkpoint_serial) = (1 + self.below(50), self.below(20_000));
                Content::Report(Report { report_serial, checkpoint_serial, upper_bound, lower_bound, claims })
            }
            9 => Content::ReportAck { report_serial: 1 + self.below(20_000) },
            10 if self.one_in(3) => {
                let by = if self.one_in(2) { Party::Sender } else { Party::Receiver };
                Content::Cancel { by, reason: CancelReason::from_code(self.below(8) as u8) }
            }
            _ => Content::CancelAck { by: if self.one_in(2) { Party::Sender } else { Party::Receiver } },
        };
        let mut segment = Segment::new(session, content);
        let cookies: [&[u8]; 3] = [b"a", b"ab", b"b"];
        for _ in 0..self.below(40).saturating_sub(37) {
            segment.header_extensions.push(Extension { tag: COOKIE, value: cookies[self.below(3) as usize] });
        }
        let mut out = Vec::new();
        segment.emit(&mut out);
        if self.one_in(20) {
            let at = self.below(out.len() as u64) as usize;
            out[at] ^= 1 << self.below(8);
        }
        out
    }
}

#[test]
fn whatever_comes_memory_is_given_back_and_sessions_end() {
    for seed in 0..300 {
        let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
        let mut config = Config::new(MARS, seed);
        config.receive_limit = 2000 + dice.below(4000);
        config.max_receiving_sessions = 1 + dice.below(6) as usize;
        config.max_green_part = dice.below(200);
        let mut mars = Engine::new(config);
        for peer in [EARTH, VENUS] {
            let config = PeerConfig {
                segment_size: 128 + dice.below(300) as usize,
                retransmission_limit: dice.below(4) as u32,
                problem_limit: 1 + dice.below(4) as u32,
                cycle_limit: 1 + dice.below(4) as u32,
                checkpoint_every: if dice.one_in(2) { None } else { Some(dice.below(200)) },
                max_claims: 1 + dice.below(3) as usize,
                max_ranges: 1 + dice.below(20) as usize,
                receive_limit: 1000 + dice.below(4000),
                report_scope: if dice.one_in(2) { ReportScope::Widened } else { ReportScope::Withheld },
                receive_only: dice.one_in(10),
                cookies: Cookies::Initiate { length: 1, extend: dice.below(40) as usize },
                ..PeerConfig::default()
            };
            mars.add_peer(peer, config);
        }
        let mut now = Instant::ZERO;
        let mut sessions: Vec<SessionId> = [EARTH, VENUS]
            .into_iter()
            .flat_map(|o| (1..6).map(move |number| SessionId { originator: o, number }))
            .collect();
        for _ in 0..400 {
            now += Duration::from_millis(dice.below(500) as i64);
            let peer = if dice.one_in(2) { EARTH } else { VENUS };
            match dice.below(20) {
                0 => {
                    let block = Block::from(Bytes::from(vec![1; 1 + dice.below(600) as usize]));
                    let red = dice.below(block.len() + 1);
                    sessions.extend(mars.send(peer, BUNDLE_PROTOCOL, block, red));
                }
                1 => mars.cancel(now, sessions[dice.below(sessions.len() as u64) as usize]),
                2 => mars.handle_cue(now, peer, if dice.one_in(2) { Cue::PeerStops } else { Cue::PeerStarts }),
                3 => drop(mars.report_now(now, sessions[dice.below(10) as usize])),
                4 => drop(mars.request_checkpoint(sessions[dice.below(sessions.len() as u64) as usize])),
                5 => {
                    let session = sessions[dice.below(10) as usize];
                    mars.abandon_reception(now, session.originator, session, CancelReason::SystemError);
                }
                6..=9 => {
                    let room = if dice.one_in(4) { dice.below(300) as usize } else { usize::MAX };
                    if let Some(frame) = mars.poll_transmit(now, peer, room) {
                        assert!(frame.len() <= room, "seed {seed}");
                        assert!(segments(&frame).all(|s| s.is_ok()), "seed {seed}: what is sent conforms");
                    }
                }
                _ => {
                    let mut frame = dice.segment(&sessions);
                    if dice.one_in(3) {
                        frame.extend(dice.segment(&sessions));
                    }
                    mars.handle_frame(now, peer, &frame.into());
                }
            }
            if mars.poll_timeout().is_some_and(|due| due <= now) {
                mars.handle_timeout(now);
            }
            told(&mut mars);
        }
        // Nobody answers any more.
        for peer in [EARTH, VENUS] {
            mars.handle_cue(now, peer, Cue::PeerStarts);
        }
        for _ in 0..10_000 {
            for peer in [EARTH, VENUS] {
                while mars.poll_transmit(now, peer, usize::MAX).is_some() {}
            }
            told(&mut mars);
            let Some(due) = mars.poll_timeout() else { break };
            now = due.max(now);
            mars.handle_timeout(now);
        }
        assert_eq!((mars.open_sessions(), mars.held_bytes()), ((0, 0, 0), 0), "seed {seed}");
        assert!(!mars.has_unsent_blocks(EARTH) && !mars.has_unsent_blocks(VENUS), "seed {seed}");
    }
}
