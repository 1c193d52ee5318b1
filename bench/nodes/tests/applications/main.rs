//! Application data reaches directories, files, programs and sockets, and comes from there.

mod files;
mod program;
mod socket;

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use farlink_engine::bp::{BundleId, Handle};
use farlink_nodes::applications::{AppEvent, Applications, LONGEST_SOCKET_PATH, Limits, OpenError, Target, unit_name};
use farlink_nodes::builtin::Delivery;
use farlink_wire::bpv7::{CreationTimestamp, Eid};

/// Long enough for anything that is to come, on any machine.
const PATIENCE: Duration = Duration::from_secs(30);

const HERE: Eid = Eid::ipn(30, 1);

/// The loop of a node.
struct Loop {
    applications: Applications,
    woken: Receiver<()>,
}

fn limits() -> Limits {
    let (first_pause, longest_pause) = (Duration::from_millis(10), Duration::from_millis(30));
    Limits { first_pause, longest_pause, longest_unit: 1 << 20, ..Limits::default() }
}

fn try_open(endpoints: Vec<(Eid, Target)>, limits: Limits) -> Result<Loop, OpenError> {
    let (wake, woken) = mpsc::channel();
    let wake = Mutex::new(wake);
    let wake = Arc::new(move || {
        let _ = wake.lock().unwrap().send(());
    });
    Ok(Loop { applications: Applications::open(endpoints, limits, wake)?, woken })
}

impl Loop {
    fn open(target: Target) -> Self {
        Loop::open_with(target, limits())
    }

    fn open_with(target: Target, limits: Limits) -> Self {
        try_open(vec![(HERE, target)], limits).unwrap()
    }

    /// A target that takes data from the start.
    fn connected(target: Target) -> Self {
        let mut this = Loop::open(target);
        this.expect_connected();
        this
    }

    fn next(&mut self) -> AppEvent {
        loop {
            if let Some(event) = self.applications.poll() {
                return event;
            }
            self.woken.recv_timeout(PATIENCE).expect("nothing has woken the loop");
        }
    }

    fn expect_connected(&mut self) {
        let event = self.next();
        assert!(matches!(&event, AppEvent::Connected { endpoint } if *endpoint == HERE), "{event:?}");
    }

    fn expect_delivered(&mut self, number: u64) -> String {
        match self.next() {
            AppEvent::Delivered { handle: Handle(found), told } if found == number => told,
            event => panic!("{event:?}"),
        }
    }

    /// The endpoint stops, and what it held comes back, the latest first.
    fn expect_failed(&mut self, numbers: &[u64]) -> (String, Option<Duration>) {
        let event = self.next();
        assert!(matches!(event, AppEvent::Disconnected { .. }), "{event:?}");
        let mut told = (String::new(), None);
        for number in numbers {
            match self.next() {
                AppEvent::Failed { handle, reason, retry_after } if handle == Handle(*number) => {
                    told = (reason, retry_after);
                }
                event => panic!("{event:?}"),
            }
        }
        told
    }

    fn deliver(&mut self, number: u64, pieces: &[&[u8]]) -> String {
        let delivery = unit(number, pieces);
        let name = unit_name(&delivery.id);
        self.applications.deliver(Handle(number), delivery);
        name
    }
}

fn unit(number: u64, pieces: &[&[u8]]) -> Delivery {
    let creation = CreationTimestamp { time_ms: 820_000_000_000, sequence: number };
    let payload = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
    let handle = Handle(number);
    Delivery { handle, id: BundleId { source: Eid::ipn(10, 1), creation, extent: None }, destination: HERE, payload }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn targets_that_cannot_be_used_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "mine").unwrap();
    let refused = |target| try_open(vec![(HERE, target)], limits()).err().unwrap().to_string();
    let long = at(&"x".repeat(LONGEST_SOCKET_PATH));
    let octets = long.as_os_str().len();
    let cases = [
        (Target::Directory(at("file")), "a file is in the way: move it, or name another place".to_owned()),
        (Target::File(folder.path().to_owned()), "is no regular file".to_owned()),
        (Target::File(at("none/file")), "make the folder that it is in".to_owned()),
        (Target::Program(vec![]), "the program for ipn:30.1 has no name".to_owned()),
        (Target::Socket(at("file")), "is no socket: move it away".to_owned()),
        (Target::Socket(at("none/s")), "make the folder that it is in".to_owned()),
        (Target::Socket(long), format!("has {octets} octets, and the system takes 107")),
    ];
    for (target, expected) in cases {
        let error = refused(target);
        assert!(error.contains(&expected), "{error}");
    }
    assert_eq!(fs::read(at("file")).unwrap(), b"mine");
    let file = Target::File(at("file"));
    let error = try_open(vec![(HERE, file.clone()), (Eid::ipn(30, 2), file.clone())], limits()).err().unwrap();
    assert!(matches!(error, OpenError::FileTwice { .. }), "{error}");
    let error = try_open(vec![(HERE, file.clone()), (HERE, file)], limits()).err().unwrap();
    assert!(error.to_string().contains("ipn:30.1 has two applications"), "{error}");
}

#[test]
fn a_unit_for_no_application_fails() {
    let mut node = try_open(vec![], limits()).unwrap();
    node.applications.deliver(Handle(1), unit(1, &[]));
    match node.next() {
        AppEvent::Failed { handle: Handle(1), reason, retry_after: None } => {
            assert_eq!(reason, "no application takes what is for ipn:30.1");
        }
        event => panic!("{event:?}"),
    }
}
