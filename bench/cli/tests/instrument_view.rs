//! The live view of `farlink emulate` in a real terminal, as tmux shows it.
#![allow(missing_docs)]

mod common;

use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

use common::place::free_ports;
use common::terminal::Terminal;
use common::*;
use farlink_record::Event;
use farlink_record::control::{Control, ControlledBy};

/// An emulator between two sockets.
struct Link {
    near: UdpSocket,
    far: UdpSocket,
    into: u16,
    command: String,
}

/// The shell stays after the emulator, so that what is left on the screen can be read.
const AFTERWARDS: &str = "echo EXIT $?; stty -a | tr ' ;' '\\n' | grep -x -e echo -e -echo; echo DONE; sleep 300";

fn link(more: &str) -> Link {
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let (near, far) = (socket(), socket());
    far.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let [into, back] = free_ports();
    let command = format!(
        "{FARLINK} emulate udp:{into},to=127.0.0.1:{} udp:{back},to=127.0.0.1:{} --delay 20ms --rate 2Mbit/s {more}; {AFTERWARDS}",
        port(&near),
        port(&far)
    );
    Link { near, far, into, command }
}

impl Link {
    fn send(&self, frames: u8) {
        for n in 0..frames {
            self.near.send_to(&[n; 100], ("127.0.0.1", self.into)).unwrap();
            let mut buffer = [0; 200];
            assert_eq!(self.far.recv(&mut buffer).expect("the frame arrives"), 100);
        }
    }
}

fn type_in(terminal: &Terminal, text: &str) {
    for letter in text.chars() {
        match letter {
            '\n' => terminal.press("Enter"),
            ' ' => terminal.press("Space"),
            letter => terminal.press(&letter.to_string()),
        }
    }
}

/// Waits until a line of the screen has all these words.
fn wait_for_line(terminal: &Terminal, words: &[&str]) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let screen = terminal.screen();
        if screen.lines().any(|line| words.iter().all(|word| line.contains(word))) {
            return screen;
        }
        assert!(Instant::now() < deadline, "no line with {words:?} on the screen:\n{screen}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn orders(out: &Path) -> Vec<(Option<u16>, Control)> {
    let (_, events) = recording(out);
    let by_hand = |event: &Event| match event {
        Event::Controlled { channel, control, by: ControlledBy::View } => {
            Some((channel.map(|channel| channel.0), control.clone()))
        }
        _ => None,
    };
    events.iter().filter_map(|stamped| by_hand(&stamped.event)).collect()
}

#[test]
fn frames_are_counted_on_the_screen_and_what_is_typed_is_done_and_recorded() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let link = link(&format!("--out {} --record control", out.display()));
    let terminal = Terminal::open("instrument", 80, 24, &link.command);
    terminal.wait_for("● running");
    link.send(7);
    // Sent and delivered, in the line of the channel; nothing on the way back.
    wait_for_line(&terminal, &["forward", "open", "2 Mbit/s", "20 ms", "7     7     0      0"]);
    let screen = wait_for_line(&terminal, &["return", "open", "0     0     0      0"]);
    assert!(screen.contains("Delay store") && screen.contains("Lateness"), "{screen}");

    type_in(&terminal, "b1e-3\n");
    wait_for_line(&terminal, &["by hand: errors"]);
    wait_for_line(&terminal, &["forward: bit error ratio 1e-3 (by hand)"]);
    type_in(&terminal, "rfast\n");
    wait_for_line(&terminal, &["! ", "fast"]);
    terminal.press("Escape");
    // Before the next key, or the terminal's bytes for both could be read as one.
    terminal.wait_for("↑↓ forward");
    terminal.press("Down");
    type_in(&terminal, "ccl");
    wait_for_line(&terminal, &["return ▸ contact cl"]);
    type_in(&terminal, "osed\n");
    wait_for_line(&terminal, &["return", "closed"]);
    terminal.press("Space");
    terminal.wait_for("‖ PAUSED");
    terminal.press("Space");
    terminal.wait_for("● running");

    terminal.press("q");
    let screen = terminal.wait_for("DONE");
    assert!(screen.contains("forward: 7 frames in = 7 delivered"), "the summary follows:\n{screen}");
    assert!(screen.lines().any(|line| line.trim() == "echo"), "the terminal echoes again:\n{screen}");
    let closed = Control::Contact { state: farlink_record::control::ForcedContact::Closed };
    assert_eq!(
        orders(&out),
        [(Some(0), Control::Ber { ber: 1e-3 }), (Some(1), closed), (None, Control::Pause), (None, Control::Resume)]
    );
}

#[test]
fn without_a_folder_the_log_is_told_all_the_same_and_the_end_comes_by_itself() {
    let link = link("--for 20s --control");
    let terminal = Terminal::open("instrument-for", 80, 24, &link.command);
    terminal.wait_for("● running");
    terminal.wait_for("of 00:00:20");
    type_in(&terminal, "x");
    wait_for_line(&terminal, &["forward: restore all (by hand)"]);
    let screen = terminal.wait_for("DONE");
    assert!(screen.contains("forward: 0 frames in"), "{screen}");
    assert!(screen.lines().any(|line| line.trim() == "echo"), "the terminal echoes again:\n{screen}");
}

#[test]
fn headless_in_a_terminal_opens_no_view() {
    let link = link("--for 1s --headless");
    let terminal = Terminal::open("instrument-headless", 100, 30, &link.command);
    let screen = terminal.wait_for("DONE");
    // What was said at the start is still there, since no other screen lay over it.
    assert!(screen.contains("light time 20 ms") && screen.contains("forward: 0 frames in"), "{screen}");
}
