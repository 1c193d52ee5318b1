//! Nodes as processes of their own, each described by a file, with what they keep in a folder of the test.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use farlink_nodes::store::{BundleStore, Kept};
use sha2::{Digest, Sha256};

use super::farlink;
use super::process::{Ended, PATIENCE, Running, wait_for};

/// Numbers from a seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn octets(&mut self, length: usize) -> Vec<u8> {
        (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(length).collect()
    }
}

/// A loopback address that no other test has, so that every port is free there, also after a restart.
pub fn address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 100u8.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) | 1, high, low | 1)
}

/// Which layer is between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Ltp,
    Tcpcl,
}

impl Layer {
    /// The lines of a node's file that say where node `<node>` listens and who its neighbours are. By TCPCL everybody dials, so
    /// that whoever is back has sessions at once.
    pub fn between(self, here: Ipv4Addr, node: u32, neighbours: &[u32]) -> String {
        let (listen, port) = match self {
            Layer::Ltp => ("ltp: \"udp", 1100),
            Layer::Tcpcl => ("tcpcl: \"tcp", 4500),
        };
        let mut text = format!("listen: [{{ {listen}:{here}:{}\" }}]\nneighbours:\n", port + node);
        for other in neighbours {
            let told = match self {
                Layer::Ltp => ltp(here, 1100 + other),
                Layer::Tcpcl => format!("{{ tcpcl: {{ to: \"tcp:{here}:{}\" }} }}", 4500 + other),
            };
            text += &format!("  ipn:{other}.0: {told}\n");
        }
        text
    }
}

/// A neighbour by LTP whose frames go to that port.
pub fn ltp(here: Ipv4Addr, port: u32) -> String {
    format!(
        "{{ ltp: {{ to: \"udp:{here}:{port}\", light_time: 1 ms, rate: 100 Mbit/s, response_margin: 100 ms, \
         segment_size: 1000 B }} }}"
    )
}

/// A node and its folder.
pub struct Node {
    pub folder: PathBuf,
    pub running: Option<Running>,
    /// What its processes have printed that have ended.
    pub printed: String,
    pub complained: String,
}

impl Node {
    /// Node `ipn:<number>.0`; `description` is the rest of its file.
    pub fn new(temp: &Path, number: u32, description: &str) -> Self {
        let folder = temp.join(number.to_string());
        fs::create_dir_all(&folder).unwrap();
        let node = Node { folder, running: None, printed: String::new(), complained: String::new() };
        node.describe(number, description);
        node
    }

    pub fn describe(&self, number: u32, description: &str) {
        fs::write(self.config(), format!("node: ipn:{number}.0\n{description}")).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.folder.join("node.yaml")
    }

    pub fn inbox(&self) -> PathBuf {
        self.folder.join("inbox")
    }

    pub fn start(&mut self) {
        let running = Running::start(farlink().arg("node").arg("--verbose").arg("--config").arg(self.config()));
        self.running = Some(running);
    }

    pub fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("the node runs")
    }

    pub fn wait_until_it_listens(&mut self) {
        self.running().wait_for_line("the node to listen", |line| line.contains("listens on").then_some(()));
    }

    /// SIGKILL, whatever it is doing.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            let ended = running.kill();
            // It did not end by itself before.
            assert_eq!(ended.signal, Some(9), "{ended:?}");
            self.keep(ended);
        }
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal("INT");
            let ended = running.wait();
            assert_eq!(ended.code, Some(0), "{ended:?}");
            self.keep(ended);
        }
    }

    fn keep(&mut self, ended: Ended) {
        self.printed += &ended.stdout;
        self.complained += &ended.stderr;
    }

    /// All that it has complained about, in all its lives.
    pub fn complaints(&self) -> String {
        self.complained.clone() + &self.running.as_ref().map(Running::complained).unwrap_or_default()
    }

    /// Waits for it to complain so.
    pub fn wait_for_complaint(&mut self, part: &str) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !self.complaints().contains(part) {
            if let Some(running) = &mut self.running {
                running.assert_running(part);
            }
            assert!(std::time::Instant::now() < deadline, "expected `{part}` in:\n{}", self.complaints());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// What its store holds; it must not run.
    pub fn kept(&self) -> Kept {
        assert!(self.running.is_none());
        kept(&self.folder.join("store"))
    }

    /// Bundles that this node has told to be with its neighbour.
    pub fn forwarded(&self) -> Vec<String> {
        told(&self.complaints(), "forwarded")
    }

    /// Files in the inbox, by name, with their SHA-256. None may be half a file.
    pub fn received(&self) -> BTreeMap<String, String> {
        let files = fs::read_dir(self.inbox()).into_iter().flatten().map(|entry| entry.unwrap());
        let read = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().unwrap();
            assert!(!name.starts_with('.'), "half a file is left: {name}");
            (name, sha256(&fs::read(entry.path()).unwrap()))
        };
        files.map(read).collect()
    }

    /// How many whole files there are.
    pub fn received_count(&self) -> usize {
        files(&self.inbox())
    }
}

/// How many files are in a folder, without those that are being written.
pub fn files(folder: &Path) -> usize {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| !name.as_encoded_bytes().starts_with(b".")).count()
}

pub fn kept(store: &Path) -> Kept {
    BundleStore::open(store).unwrap().load().unwrap()
}

/// The bundles of which the events of a log tell so.
pub fn told(log: &str, what: &str) -> Vec<String> {
    let events = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let of = |event: serde_json::Value| {
        (event["what"] == what).then(|| event["bundle"].as_str().map(str::to_owned)).flatten()
    };
    events.filter_map(of).collect()
}

pub fn sha256(data: &[u8]) -> String {
    farlink_record::recording::hex(&Sha256::digest(data))
}

/// The name of the file that a bundle becomes; the bundle as nodes tell it, from `ipn:`.
pub fn file_of(bundle: &str) -> String {
    bundle.replace([':', ' '], "-")
}

/// An application at a node's socket.
pub struct Application(BufReader<UnixStream>);

impl Application {
    /// Connects; `None` if the node is not there.
    pub fn connect(path: &Path) -> Option<Self> {
        let stream = UnixStream::connect(path).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Some(Application(BufReader::new(stream)))
    }

    /// Connects as soon as it can.
    pub fn wait_for(path: &Path) -> Self {
        wait_for("the socket of the application", || Self::connect(path))
    }

    /// The next line; `None` if the node is gone.
    pub fn line(&mut self) -> Option<serde_json::Value> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => Some(serde_json::from_str(&line).unwrap()),
            Ok(_) => None,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("waited {PATIENCE:?} for a line"),
            Err(_) => None,
        }
    }

    /// Asks for data to be sent; returns the answer, or `None` if the node went before it gave one.
    pub fn send(&mut self, to: &str, data: &[u8]) -> Option<serde_json::Value> {
        let line = format!("{{\"send\": {{\"to\": \"{to}\", \"length\": {}}}}}\n", data.len());
        self.0.get_mut().write_all(line.as_bytes()).ok()?;
        self.0.get_mut().write_all(data).ok()?;
        self.line()
    }

    /// The next unit and its name.
    pub fn unit(&mut self) -> (String, Vec<u8>) {
        let line = self.line().expect("a unit comes");
        let data = self.octets(usize::try_from(line["length"].as_u64().unwrap()).unwrap());
        (line["deliver"].as_str().unwrap().to_owned(), data)
    }

    /// What follows a line.
    pub fn octets(&mut self, length: usize) -> Vec<u8> {
        let mut data = vec![0; length];
        self.0.read_exact(&mut data).unwrap();
        data
    }

    pub fn confirm(&mut self, name: &str) {
        self.0.get_mut().write_all(format!("{{\"delivered\": \"{name}\"}}\n").as_bytes()).unwrap();
    }
}
