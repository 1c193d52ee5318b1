//! Other programs, asked in a way that cannot hang.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// The most that is read of what a program prints.
const LONGEST: u64 = 64 << 10;

/// Why a program gave no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// It did not start, or could not be watched.
    Failed(io::Error),
    /// It did not end in time, and was killed.
    Hung(Duration),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoAnswer::Failed(error) => write!(f, "it does not start: {error}"),
            NoAnswer::Hung(patience) => write!(f, "it gave no answer in {} s and was ended", patience.as_secs_f32()),
        }
    }
}

/// What a program prints on standard output and error, whatever code it ends with. It and all it started are killed when it has
/// not ended in time.
pub fn ask(program: &Path, arguments: &[&str], input: &str, patience: Duration) -> Result<String, NoAnswer> {
    // Some write a log into the folder they are started in.
    let place = tempfile::tempdir().map_err(NoAnswer::Failed)?;
    let (mut output, theirs) = io::pipe().map_err(NoAnswer::Failed)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .current_dir(place.path())
        .stdin(Stdio::piped())
        .stdout(theirs.try_clone().map_err(NoAnswer::Failed)?)
        .stderr(theirs)
        .process_group(0);
    let mut child = command.spawn().map_err(NoAnswer::Failed)?;
    // It holds the writing ends of the pipe.
    drop(command);
    if let Some(mut stdin) = child.stdin.take() {
        // Few bytes, which the pipe takes at once. A program that does not read them is none the worse.
        let _ = stdin.write_all(input.as_bytes());
    }
    let (tell, told) = mpsc::channel();
    // A program that left the group may hold the pipe open for ever; then this thread stays behind.
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = output.by_ref().take(LONGEST).read_to_end(&mut text);
        let _ = tell.send(String::from_utf8_lossy(&text).into_owned());
        let _ = io::copy(&mut output, &mut io::sink());
    });
    let deadline = Instant::now() + patience;
    let ended = loop {
        match child.try_wait() {
            Ok(Some(_)) => break true,
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            _ => break false,
        }
    };
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // What it started and left behind goes as well. The group is gone if there is nothing of it.
        let _ = kill_process_group(group, Signal::KILL);
    }
    if !ended {
        let _ = child.wait();
        return Err(NoAnswer::Hung(patience));
    }
    told.recv_timeout(Duration::from_secs(1)).map_err(|_| NoAnswer::Hung(patience))
}

/// The first version in a text, such as `4.0.17`, on a line that has one of these words. What usage is shown instead has none:
/// it names programs as well, and addresses that look like versions.
pub fn version<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    let is_version = |part: &&str| {
        let mut numbers = part.split('.');
        let number = |text: Option<&str>| text.is_some_and(|text| text.starts_with(|c: char| c.is_ascii_digit()));
        number(numbers.next()) && number(numbers.next())
    };
    let is_usage = |line: &&str| line.trim_start().to_ascii_lowercase().starts_with("usage");
    text.lines()
        .take_while(|line| !is_usage(line))
        .filter(|line| words.iter().any(|word| line.to_ascii_lowercase().contains(word)))
        .flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '.'))
        .map(|part| part.trim_start_matches('v').trim_end_matches('.'))
        .find(is_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELL: &str = "/bin/sh";

    #[test]
    fn a_program_is_heard_on_both_outputs_whatever_its_code() {
        let heard =
            ask(Path::new(SHELL), &["-c", "read x; echo out $x; echo err >&2; exit 3"], "v\n", PATIENCE).unwrap();
        assert_eq!(heard, "out v\nerr\n");
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_program_that_hangs_is_ended_with_all_it_started() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("pid");
        let script = format!("sleep 300 & echo $! > {}; wait", file.display());
        let begun = Instant::now();
        let error = ask(Path::new(SHELL), &["-c", &script], "", Duration::from_millis(500)).unwrap_err();
        assert_eq!(error.to_string(), "it gave no answer in 0.5 s and was ended");
        assert!(begun.elapsed() < Duration::from_secs(60));
        let pid = std::fs::read_to_string(file).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            // Nobody may have collected it yet.
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        while !gone() {
            assert!(Instant::now() < deadline, "the sleeper is still there");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_program_that_leaves_a_child_behind_is_no_reason_to_wait() {
        let begun = Instant::now();
        let heard = ask(Path::new(SHELL), &["-c", "sleep 300 & echo there"], "", PATIENCE);
        assert_eq!(heard.unwrap(), "there\n");
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_flood_is_cut_off() {
        let heard = ask(Path::new(SHELL), &["-c", "head -c 1000000 /dev/zero"], "", PATIENCE).unwrap();
        assert_eq!(heard.len() as u64, LONGEST);
    }

    #[test]
    fn what_does_not_start_says_so() {
        let error = ask(Path::new("/nothing/there"), &[], "", PATIENCE).unwrap_err();
        assert!(error.to_string().starts_with("it does not start: "), "{error}");
    }

    #[test]
    fn versions_are_found_where_they_are_told_and_nowhere_else() {
        for (text, found) in [
            ("TShark (Wireshark) 4.0.17 (Git v4.0.17 packaged as 4.0.17-0+deb12u1)", Some("4.0.17")),
            ("Running as root\ntshark 3.6.", Some("3.6")),
            ("ION-OPEN-SOURCE-4.1.2 version", Some("4.1.2")),
            ("tshark v2.0", Some("2.0")),
            ("usage: -a ADDRESS (default 127.0.0.1)", None),
            ("Usage: tshark [-a 127.0.0.1]\n version of 127.0.0.1", None),
            ("tshark of today", None),
            ("", None),
        ] {
            assert_eq!(version(text, &["tshark", "version"]), found, "{text}");
        }
    }
}
