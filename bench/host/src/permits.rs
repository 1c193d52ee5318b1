//! What this process may do: its capabilities and limits, as `/proc/self` tells them.

use std::io;

use crate::Tree;

/// A privilege of capabilities(7) that the bench has a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Interfaces of the network, TUN and TAP; socket buffers beyond the common limit.
    NetAdmin,
    /// Raw Ethernet.
    NetRaw,
    /// Memory locked beyond the limit.
    IpcLock,
    /// Real-time scheduling beyond the limit; cores of any thread.
    SysNice,
}

impl Capability {
    /// Its number in `linux/capability.h`.
    const fn bit(self) -> u32 {
        match self {
            Capability::NetAdmin => 12,
            Capability::NetRaw => 13,
            Capability::IpcLock => 14,
            Capability::SysNice => 23,
        }
    }

    /// As manuals write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Capability::NetAdmin => "CAP_NET_ADMIN",
            Capability::NetRaw => "CAP_NET_RAW",
            Capability::IpcLock => "CAP_IPC_LOCK",
            Capability::SysNice => "CAP_SYS_NICE",
        }
    }
}

/// A limit of getrlimit(2). `None` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What holds now.
    pub soft: Option<u64>,
    /// To where the process may raise it.
    pub hard: Option<u64>,
}

impl Limit {
    /// Whether so much is allowed, at once or by raising the soft limit.
    pub fn allows(self, wanted: u64) -> bool {
        self.hard.is_none_or(|hard| hard >= wanted)
    }
}

/// What the process may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permits {
    /// The effective capabilities, one a bit.
    capabilities: u64,
    /// The highest real-time priority (`RLIMIT_RTPRIO`).
    pub realtime_priority: Limit,
    /// Locked memory in bytes (`RLIMIT_MEMLOCK`).
    pub locked_memory: Limit,
    /// Open files (`RLIMIT_NOFILE`).
    pub open_files: Limit,
}

impl Permits {
    /// Reads them.
    ///
    /// # Errors
    /// `/proc/self/status` or `/proc/self/limits` cannot be read or does not hold what it should.
    pub fn read(tree: &Tree) -> io::Result<Self> {
        let missing = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("no `{what}` in it"));
        let in_file = |file: &str, error: io::Error| io::Error::new(error.kind(), format!("/{file}: {error}"));
        let (status, limits) = ("proc/self/status", "proc/self/limits");
        let text = tree.read(status).map_err(|error| in_file(status, error))?;
        let capabilities = text
            .lines()
            .find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok())
            .ok_or_else(|| in_file(status, missing("CapEff")))?;
        let text = tree.read(limits).map_err(|error| in_file(limits, error))?;
        let find = |name: &str| limit(&text, name).ok_or_else(|| in_file(limits, missing(name)));
        Ok(Permits {
            capabilities,
            realtime_priority: find("Max realtime priority")?,
            locked_memory: find("Max locked memory")?,
            open_files: find("Max open files")?,
        })
    }

    /// Whether the process has a privilege.
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities & (1 << capability.bit()) != 0
    }
}

fn limit(text: &str, name: &str) -> Option<Limit> {
    let mut columns = text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace();
    let mut value = || match columns.next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    Some(Limit { soft: value()?, hard: value()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_and_limits_are_read_as_the_kernel_writes_them() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("proc/self");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("status"), "Name:\tx\nCapPrm:\tffff\nCapEff:\t0000000000803000\n").unwrap();
        std::fs::write(
            folder.join("limits"),
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max open files            1024                 1048576              files     \n\
             Max locked memory         unlimited            unlimited            bytes     \n\
             Max realtime priority     0                    40                   \n",
        )
        .unwrap();
        let permits = Permits::read(&Tree::at(root.path())).unwrap();
        assert!(
            permits.has(Capability::NetAdmin) && permits.has(Capability::NetRaw) && permits.has(Capability::SysNice)
        );
        assert!(!permits.has(Capability::IpcLock));
        assert_eq!(permits.open_files, Limit { soft: Some(1024), hard: Some(1 << 20) });
        assert!(permits.realtime_priority.allows(40) && !permits.realtime_priority.allows(41));
        assert!(permits.locked_memory.allows(u64::MAX));

        std::fs::write(folder.join("limits"), "Max open files  many\n").unwrap();
        let error = Permits::read(&Tree::at(root.path())).unwrap_err().to_string();
        assert_eq!(error, "/proc/self/limits: no `Max realtime priority` in it");
    }

    #[test]
    fn this_process_has_capabilities_and_limits() {
        let permits = Permits::read(&Tree::of_this_system()).unwrap();
        let (soft, hard) = (rustix::process::getrlimit(rustix::process::Resource::Nofile), permits.open_files);
        assert_eq!((soft.current, soft.maximum), (hard.soft, hard.hard));
    }
}
