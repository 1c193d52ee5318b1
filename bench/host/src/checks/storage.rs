//! Room for what is under way: memory, and disk beyond it.

use std::path::Path;

use rustix::fs::{Access, access, statfs, statvfs};

use super::{Check, State};
use crate::Tree;
use crate::realtime::{bytes, memory_line};

const TOPIC: &str = "storage";

/// File systems whose files are memory (statfs(2)).
const IN_MEMORY: [(i64, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];

pub fn checks(tree: &Tree, spill: &Path) -> Vec<Check> {
    vec![memory(tree), disk(spill)]
}

fn memory(tree: &Tree) -> Check {
    const NAME: &str = "memory";
    let text = match tree.read("proc/meminfo") {
        Ok(text) => text,
        Err(error) => return Check::unknown(TOPIC, NAME, error),
    };
    let line = |name| memory_line(&text, name);
    let (Some(total), Some(available)) = (line("MemTotal:"), line("MemAvailable:")) else {
        return Check::unknown(TOPIC, NAME, "/proc/meminfo has no MemTotal or no MemAvailable");
    };
    let mut found = format!("{} of {} to be had", bytes(available), bytes(total));
    // What a page that went to disk costs is milliseconds.
    if let (Some(swap), Some(free)) = (line("SwapTotal:"), line("SwapFree:"))
        && swap > free
    {
        found += &format!(", {} are swapped out", bytes(swap - free));
    }
    // A delay store has 256 MiB unless it is told otherwise.
    let state = State::from(available, 1 << 30, 512 << 20);
    Check::new(TOPIC, NAME, state, found).command("ps -e -o rss,pid,comm --sort -rss | head")
}

/// Room where delay stores spill to.
struct Room {
    free: u64,
    kind: Option<&'static str>,
    writable: bool,
}

fn disk(spill: &Path) -> Check {
    let room = statvfs(spill).and_then(|sizes| {
        let kind = statfs(spill)?.f_type;
        Ok(Room {
            free: sizes.f_bavail.saturating_mul(sizes.f_frsize),
            kind: IN_MEMORY.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name),
            writable: access(spill, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
        })
    });
    match room {
        Ok(room) => judge(spill, &room),
        Err(error) => Check::unknown(TOPIC, "spill", format!("{}: {error}", spill.display()))
            .advice("name a folder that is there with --spill"),
    }
}

fn judge(spill: &Path, room: &Room) -> Check {
    let place = spill.display();
    let free = bytes(room.free);
    if !room.writable {
        let found = format!("{place} may not be written to by this user ({free} free)");
        return Check::new(TOPIC, "spill", State::Poor, found).advice("name a folder of your own with --spill");
    }
    if let Some(kind) = room.kind {
        let found = format!("{place} is a {kind}, which is memory: {free} free; nothing is gained by spilling there");
        return Check::new(TOPIC, "spill", State::Poor, found).advice("name a folder on a disk with --spill");
    }
    // 20 light-minutes at 100 Mbit/s; a minute at 400 Mbit/s.
    let found = format!("{free} free in {place}; 20 light-minutes at 100 Mbit/s take 14 GiB");
    Check::new(TOPIC, "spill", State::from(room.free, 16 << 30, 4 << 30), found)
        .advice("name a folder with more room with --spill")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spill_folder_is_judged_by_room_kind_and_permission() {
        let state = |free, kind, writable| judge(Path::new("/x"), &Room { free, kind, writable }).state;
        assert_eq!(state(20 << 30, None, true), State::Good);
        assert_eq!(state(8 << 30, None, true), State::Fair);
        assert_eq!(state(1 << 30, None, true), State::Poor);
        assert_eq!(state(20 << 30, Some("tmpfs"), true), State::Poor);
        assert_eq!(state(20 << 30, None, false), State::Poor);
    }

    #[test]
    fn real_folders_are_told_apart() {
        let place = tempfile::tempdir().unwrap();
        let check = disk(place.path());
        assert!(check.found.contains("free") && check.state != State::Unknown, "{check:?}");
        let check = disk(&place.path().join("missing"));
        assert_eq!(check.state, State::Unknown);
        assert!(check.found.contains("missing") && check.remedy.is_some(), "{check:?}");
    }

    #[test]
    fn memory_that_only_looks_like_a_disk_is_seen() {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let of_kind = |kind: &'static str| move |line: &&str| line.split(' ').nth(2) == Some(kind);
        let tmpfs = mounts.lines().find(of_kind("tmpfs")).expect("every Linux has a tmpfs, /dev or /run");
        let check = disk(Path::new(tmpfs.split(' ').nth(1).unwrap()));
        assert_eq!(check.state, State::Poor, "{check:?}");
    }
}
