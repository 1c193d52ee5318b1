//! A terminal that tmux keeps, for what is drawn in one.

use std::process::Command;
use std::time::{Duration, Instant};

use super::finish;

/// A terminal of its own, ended with the test.
pub struct Terminal {
    server: String,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

impl Terminal {
    pub fn open(name: &str, columns: u16, lines: u16, command: &str) -> Self {
        let terminal = Terminal { server: format!("farlink-{name}-{}", std::process::id()) };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        let (code, _, stderr) = terminal.tmux(&[
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &lines,
            "env",
            "LC_ALL=C.UTF-8",
            "sh",
            "-c",
            command,
        ]);
        assert_eq!(code, 0, "tmux does not start (bench/check installs it): {stderr}");
        terminal
    }

    pub fn tmux(&self, arguments: &[&str]) -> (i32, String, String) {
        finish(Command::new("tmux").env("LC_ALL", "C.UTF-8").args(["-u", "-L", &self.server]).args(arguments))
    }

    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).1
    }

    pub fn wait_for(&self, what: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let screen = self.screen();
            if screen.contains(what) {
                return screen;
            }
            assert!(Instant::now() < deadline, "no {what:?} on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }
}
