//! Connections with a real node: refused, and given up when a case is over.
#![allow(missing_docs)]

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};

use farlink_conformance::medium::{Door, Happening, Medium, NoHooks, SocketDoor, Sockets};
use farlink_units::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// The tester's side of a door, the port at which a node listens, and where the tester does.
fn open() -> (Sockets, TcpListener, SocketAddr) {
    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    let tester = "127.0.0.1:0".parse().unwrap();
    let door = SocketDoor { door: Door::Tcpcl, node: Some(node.local_addr().unwrap()), tester: Some(tester) };
    let sockets = Sockets::open(&[door], PATIENCE, Box::new(NoHooks)).unwrap();
    let tester = sockets.address(Door::Tcpcl).unwrap();
    (sockets, node, tester)
}

fn next(sockets: &mut Sockets) -> Happening {
    let until = sockets.now() + PATIENCE;
    sockets.next(until).expect("something comes").what
}

fn is_reset(socket: &mut TcpStream) -> bool {
    socket.set_read_timeout(Some(PATIENCE.to_std())).unwrap();
    socket.read(&mut [0; 1]).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn what_is_refused_is_told_as_reset() {
    let (mut sockets, _node, tester) = open();
    sockets.set_listening(Door::Tcpcl, false);
    let mut refused = TcpStream::connect(tester).unwrap();
    assert!(matches!(next(&mut sockets), Happening::Reset { stream } if stream.door == Door::Tcpcl));
    assert!(is_reset(&mut refused));
    sockets.set_listening(Door::Tcpcl, true);
    let _taken = TcpStream::connect(tester).unwrap();
    assert!(matches!(next(&mut sockets), Happening::Opened { .. }));
}

#[test]
fn nothing_stands_once_a_case_has_released_it() {
    let (mut sockets, node, tester) = open();
    let asked = sockets.connect(Door::Tcpcl).unwrap();
    let mut at_node = node.accept().unwrap().0;
    assert_eq!(next(&mut sockets), Happening::Opened { stream: asked });
    let mut of_node = TcpStream::connect(tester).unwrap();
    let Happening::Opened { stream: taken } = next(&mut sockets) else { panic!("the node has connected") };
    // One that nobody has looked at yet goes, too.
    let mut unseen = TcpStream::connect(tester).unwrap();
    let released = sockets.release();
    assert!(released.len() == 3 && released.contains(&asked) && released.contains(&taken), "{released:?}");
    for socket in [&mut at_node, &mut of_node, &mut unseen] {
        assert!(is_reset(socket));
    }
    assert_eq!(sockets.release(), []);
}
