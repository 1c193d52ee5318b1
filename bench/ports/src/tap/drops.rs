//! How many frames an interface has dropped because nobody took them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The column of proc_pid_net(5) `dev` that counts what was to leave and was dropped; what leaves the interface comes in at
/// the port.
const DROPPED: usize = 11;

/// The counter of one interface.
#[derive(Debug)]
pub(super) struct Drops {
    /// Stays with the network namespace in which it was opened.
    table: File,
    name: String,
    seen: u64,
}

impl Drops {
    /// Counts from now.
    pub(super) fn of(name: &str) -> io::Result<Self> {
        let mut drops = Drops { table: File::open("/proc/thread-self/net/dev")?, name: name.to_owned(), seen: 0 };
        drops.take()?;
        Ok(drops)
    }

    /// How many since this was last asked.
    pub(super) fn take(&mut self) -> io::Result<u64> {
        let mut text = Vec::new();
        let mut piece = [0; 8192];
        loop {
            let length = self.table.read_at(&mut piece, text.len() as u64)?;
            if length == 0 {
                break;
            }
            text.extend_from_slice(&piece[..length]);
        }
        let now = dropped(&String::from_utf8_lossy(&text), &self.name).unwrap_or(0);
        // An interface that was made anew counts from zero.
        let new = now.checked_sub(self.seen).unwrap_or(now);
        self.seen = now;
        Ok(new)
    }
}

fn dropped(table: &str, name: &str) -> Option<u64> {
    let counters = table.lines().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(':'))?;
    counters.split_whitespace().nth(DROPPED)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_that_of_the_interface_and_of_what_leaves_it() {
        let table = "Inter-|   Receive    |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes\n\
                     \x20   lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  tap0: 1 2 3 4 5 6 7 8 9 10 11 77 13 14 15 16\n\
                     \x20tap01:1 2 3 4 5 6 7 8 9 10 11 99 13 14 15 16\n";
        assert_eq!(dropped(table, "tap0"), Some(77));
        assert_eq!(dropped(table, "tap01"), Some(99));
        assert_eq!(dropped(table, "tap"), None);
        assert_eq!(dropped("", "tap0"), None);
    }
}
