//! The live view in a real terminal, as tmux shows it.
#![allow(missing_docs)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::terminal::Terminal;
use common::*;

fn run_command(out: &Path, more: &str) -> String {
    let scenario = fixture("scenarios/mars-relay.yaml");
    // The shell stays, so that what is left on the screen can be read.
    format!(
        "{FARLINK} run {} --out {} {more}; echo EXIT $?; stty -a | tr ' ;' '\\n' | grep -x -e echo -e -echo; echo DONE; sleep 300",
        scenario.display(),
        out.display()
    )
}

#[test]
fn a_newcomer_watches_the_file_cross_and_then_reads_the_verdicts() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    let terminal = Terminal::open("watch", 120, 40, &run_command(&out, ""));
    let screen = terminal.wait_for("mars-relay");
    for word in ["lander", "orbiter", "station", "image", "command", "2026-12-15"] {
        assert!(screen.contains(word), "no {word} on the screen:\n{screen}");
    }
    terminal.press("End");
    terminal.wait_for("arrived intact");
    terminal.press("q");
    let screen = terminal.wait_for("DONE");
    assert!(screen.contains("EXIT 0"), "{screen}");
    assert!(screen.contains("traffic/image.arrives") && screen.contains("recording"), "the summary follows:\n{screen}");
    assert!(screen.lines().any(|l| l.trim() == "echo"), "the terminal echoes again:\n{screen}");
    assert_eq!(results(&out).exit_code(), 0);
}

#[test]
fn ctrl_c_in_the_middle_gives_the_terminal_back_and_keeps_what_there_is() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    let terminal = Terminal::open("interrupt", 100, 30, &run_command(&out, "--clock wall"));
    terminal.wait_for("mars-relay");
    terminal.wait_for("image");
    terminal.press("C-c");
    let screen = terminal.wait_for("DONE");
    assert!(screen.contains("EXIT 2") && screen.contains("interrupted at"), "{screen}");
    assert!(screen.lines().any(|l| l.trim() == "echo"), "the terminal echoes again:\n{screen}");
    let results = results(&out);
    assert!(results.interrupted);
    let (_, events) = recording(&out);
    assert!(matches!(events.last().unwrap().event, farlink_record::Event::Ended { interrupted: true }));
}

#[test]
fn headless_in_a_terminal_prints_lines() {
    let temp = tempfile::tempdir().unwrap();
    let terminal = Terminal::open("headless", 120, 100, &run_command(&temp.path().join("run"), "--headless"));
    let screen = terminal.wait_for("DONE");
    assert!(screen.contains("EXIT 0") && screen.contains("image: arrived"), "{screen}");
}

#[test]
fn a_terminal_that_goes_away_ends_the_run_and_leaves_no_process_behind() {
    for clock in ["virtual", "wall"] {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path().join("run");
        let pid_file = temp.path().join("pid");
        let scenario = fixture("scenarios/mars-relay.yaml");
        let command = format!(
            "echo $$ > {}; exec {FARLINK} run {} --out {} --clock {clock}",
            pid_file.display(),
            scenario.display(),
            out.display()
        );
        let terminal = Terminal::open(&format!("gone-{clock}"), 100, 30, &command);
        terminal.wait_for("mars-relay");
        let deadline = Instant::now() + Duration::from_secs(60);
        // The simulation is over long before its playback; a hang-up must end that too.
        let over =
            || std::fs::read_to_string(out.join("results.json")).is_ok_and(|r| r.contains("\"interrupted\": false"));
        while clock == "virtual" && !over() {
            assert!(Instant::now() < deadline, "the simulation does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = std::fs::read_to_string(&pid_file).unwrap().trim().to_owned();
        terminal.tmux(&["kill-server"]);
        // A process that has ended stays in the table until its new parent asks after it, which is not its affair.
        let lives = || {
            let stat = std::fs::read_to_string(Path::new("/proc").join(&pid).join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).is_some_and(|state| !"ZX".contains(state))
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while lives() {
            assert!(Instant::now() < deadline, "process {pid} goes on without its terminal ({clock})");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(results(&out).interrupted, clock == "wall");
    }
}
