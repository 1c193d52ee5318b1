//! A folder of node files, the nodes that run by them, and what arrives.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use super::farlink;
use super::process::Running;

/// Ports that nobody has right now, neither for TCP nor for UDP. They are held together, so they differ.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let mut held = Vec::new();
    while held.len() < N {
        let stream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = stream.local_addr().expect("a bound socket has an address").port();
        if let Ok(datagrams) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, stream, datagrams));
        }
    }
    std::array::from_fn(|n| held[n].0)
}

/// A folder with node files and a file to send.
pub struct Place {
    folder: tempfile::TempDir,
    pub payload: PathBuf,
}

impl Place {
    pub fn new(bytes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let payload = folder.path().join("payload.bin");
        let data: Vec<u8> = (0..bytes as u64).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        fs::write(&payload, data).unwrap();
        Place { folder, payload }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A node that runs until the test ends.
    pub fn node(&self, name: &str, description: &str, more: &[&str]) -> Running {
        let file = self.path(&format!("{name}.yaml"));
        fs::write(&file, description).unwrap();
        let mut node = Running::start(farlink().arg("node").arg("--config").arg(&file).args(more));
        node.wait_for_line("the node to start", |line| line.contains("listens on").then_some(()));
        node
    }

    /// A node that sends the file, and ends when the delivery report is there.
    pub fn sender(&self, name: &str, description: &str, to: &str) -> Running {
        let payload = self.payload.to_str().unwrap();
        let send = ["--send", payload, "--to", to, "--report", "--bundle-size", "20 KiB", "--for", "100 s"];
        self.node(name, description, &send)
    }

    /// Waits for the sender, and looks at what the receiver got.
    pub fn assert_delivered(&self, sender: Running) {
        let ended = sender.wait();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains("reports on") && ended.stdout.contains("delivered"), "{}", ended.stdout);
        let files: Vec<_> = fs::read_dir(self.path("inbox")).unwrap().map(|f| f.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(fs::read(&files[0]).unwrap() == fs::read(&self.payload).unwrap(), "another file arrived");
    }
}
