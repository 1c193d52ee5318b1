//! Batches of frames over real loopback sockets: whatever the kernel joins and cuts, what arrives is what was sent.
#![allow(missing_docs)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use farlink_ports::udp::batch::{BatchOptions, BatchPort, Frame};
use farlink_ports::udp::{MAX_DATAGRAM, UdpPort};
use proptest::prelude::*;

const PATIENCE: Duration = Duration::from_secs(10);

const OFFLOADS: [BatchOptions; 4] = [
    BatchOptions { segmentation_offload: false, receive_offload: false, receive_buffer: 4 << 20 },
    BatchOptions { segmentation_offload: true, receive_offload: false, receive_buffer: 4 << 20 },
    BatchOptions { segmentation_offload: false, receive_offload: true, receive_buffer: 4 << 20 },
    BatchOptions { segmentation_offload: true, receive_offload: true, receive_buffer: 4 << 20 },
];

fn open(address: &str, options: BatchOptions) -> (BatchPort, SocketAddr) {
    let port = UdpPort::open(address.parse().unwrap()).unwrap();
    let at = port.local_address().unwrap().0;
    (BatchPort::new(port, options).unwrap(), at)
}

/// A frame whose every byte depends on its number and place.
fn frame(number: usize, length: usize) -> Bytes {
    (0..length).map(|place| (number * 31 + place * 7 + place / 256) as u8).collect()
}

fn receive(port: &mut BatchPort, count: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    while frames.len() < count {
        assert!(port.wait(PATIENCE).unwrap(), "only {} of {count} frames came", frames.len());
        port.receive_batch(&mut frames).unwrap();
    }
    frames
}

/// Sends frames of these lengths, a few at a time so that no buffer overflows, and checks what arrives.
fn passes(address: &str, sender: BatchOptions, receiver: BatchOptions, lengths: &[usize]) {
    let ((mut a, a_at), (mut b, b_at)) = (open(address, sender), open(address, receiver));
    let frames: Vec<Bytes> = lengths.iter().enumerate().map(|(number, length)| frame(number, *length)).collect();
    for some in frames.chunks(100) {
        let mut sent = 0;
        while sent < some.len() {
            sent += a.send_batch(b_at, &some[sent..]).unwrap();
        }
        let received = receive(&mut b, some.len());
        assert_eq!(received.len(), some.len());
        for (received, sent) in received.iter().zip(some) {
            assert_eq!(received.from, a_at);
            assert!(received.content == *sent, "{} bytes for {}", received.content.len(), sent.len());
        }
    }
    assert_eq!(b.receive_batch(&mut Vec::new()).unwrap(), 0, "nothing else came");
}

#[test]
fn frames_of_every_size_arrive_whole_in_order_and_apart() {
    let lengths = [
        1, 1, 2, 3, 1360, 1360, 1360, 7, 1360, 1360, 1400, 9000, 9000, 9000, 1, 32_753, 32_753, 32_754, 32_754, 0, 0, 5,
    ];
    let lengths: Vec<usize> = lengths.into_iter().chain([MAX_DATAGRAM, MAX_DATAGRAM, 40_000, 1]).collect();
    for sender in OFFLOADS {
        for receiver in OFFLOADS {
            passes("udp:0", sender, receiver, &lengths);
        }
    }
}

#[test]
fn long_runs_of_one_length_arrive_frame_by_frame() {
    for (length, count) in [(1, 200), (100, 200), (1360, 200), (1360, 49), (1361, 48), (8000, 30)] {
        for receiver in OFFLOADS {
            passes("udp:0", BatchOptions::default(), receiver, &vec![length; count]);
        }
    }
}

#[test]
fn ipv6_is_no_different() {
    for receiver in OFFLOADS {
        passes("udp:[::1]:0", BatchOptions::default(), receiver, &[1360, 1360, 1360, 20, 0, MAX_DATAGRAM, 1]);
    }
}

#[test]
fn ports_with_and_without_batches_understand_each_other() {
    let plain = UdpPort::open("udp:0".parse().unwrap()).unwrap();
    let plain_at = plain.local_address().unwrap().0;
    let (mut batched, batched_at) = open("udp:0", BatchOptions::default());
    let frames: Vec<Bytes> = [1360, 1360, 1360, 500].iter().enumerate().map(|(n, l)| frame(n, *l)).collect();

    assert_eq!(batched.send_batch(plain_at, &frames).unwrap(), 4);
    let mut buffer = vec![0; MAX_DATAGRAM];
    for frame in &frames {
        let length = plain.receive(&mut buffer, PATIENCE).unwrap().unwrap();
        assert_eq!(buffer[..length], frame[..]);
    }
    for frame in &frames {
        assert!(plain.send(frame, batched_at).unwrap());
    }
    let received: Vec<Bytes> = receive(&mut batched, 4).into_iter().map(|f| f.content).collect();
    assert_eq!(received, frames);
}

#[test]
fn a_frame_stays_as_it_is_while_it_is_held() {
    let (mut a, _) = open("udp:0", BatchOptions::default());
    let (mut b, b_at) = open("udp:0", BatchOptions::default());
    let sent: Vec<Bytes> = (0..48 * 40).map(|number| frame(number, 1360)).collect();
    let mut held = Vec::new();
    for run in sent.chunks(48) {
        assert_eq!(a.send_batch(b_at, run).unwrap(), run.len());
        let received = receive(&mut b, run.len());
        // Every other run is let go, so that its buffer is used again.
        if held.len() < sent.len() / 2 {
            held.extend(received);
        }
    }
    assert!(held.iter().zip(&sent).all(|(held, sent)| held.content == *sent));
}

#[test]
fn what_cannot_be_sent_is_told_and_stops_nothing_before_it() {
    let (mut a, _) = open("udp:0", BatchOptions::default());
    let (mut b, b_at) = open("udp:0", BatchOptions::default());
    let frames = [frame(0, 1360), frame(1, 1360), frame(2, MAX_DATAGRAM + 1), frame(3, 10)];
    assert_eq!(a.send_batch(b_at, &frames).unwrap(), 2);
    assert!(a.send_batch(b_at, &frames[2..]).is_err());
    assert_eq!(a.send_batch(b_at, &frames[3..]).unwrap(), 1);
    let lengths: Vec<usize> = receive(&mut b, 3).iter().map(|f| f.content.len()).collect();
    assert_eq!(lengths, [1360, 1360, 10]);
    assert_eq!(a.send_batch(b_at, &[]).unwrap(), 0);
}

#[test]
fn nobody_listening_is_no_error_and_an_empty_port_does_not_wait() {
    let (mut a, _) = open("udp:0", BatchOptions::default());
    let (gone, gone_at) = open("udp:0", BatchOptions::default());
    drop(gone);
    for _ in 0..3 {
        assert_eq!(a.send_batch(gone_at, &[frame(0, 1360), frame(1, 1360)]).unwrap(), 2);
        assert!(!a.wait(Duration::from_millis(1)).unwrap());
        assert_eq!(a.receive_batch(&mut Vec::new()).unwrap(), 0);
    }
}

#[test]
fn the_kernel_tells_how_much_it_keeps() {
    let (small, _) = open("udp:0", BatchOptions { receive_buffer: 64 << 10, ..BatchOptions::default() });
    let (large, _) = open("udp:0", BatchOptions { receive_buffer: 2 << 20, ..BatchOptions::default() });
    assert!(small.receive_buffer().unwrap() >= 64 << 10);
    assert!(large.receive_buffer().unwrap() > small.receive_buffer().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_lengths_the_frames_are_the_same(
        runs in prop::collection::vec((1usize..3000, 1usize..20), 1..20), sender in 0usize..4, receiver in 0usize..4,
    ) {
        let lengths: Vec<usize> = runs.into_iter().flat_map(|(length, count)| vec![length; count]).collect();
        passes("udp:0", OFFLOADS[sender], OFFLOADS[receiver], &lengths);
    }
}
