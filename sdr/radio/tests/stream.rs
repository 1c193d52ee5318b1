//! PDUs over a chain.
mod common;

use farlink_coding::ldpc;
use farlink_radio::chain::{Chain, ChainConfig, Outcome};
use farlink_radio::stream::{Stream, StreamConfig};
use farlink_radio::waveform::{Coding, Waveform};

fn ldpc() -> Waveform {
    Waveform::new(Coding::Ldpc { rate: ldpc::Rate::Half, length: ldpc::Length::K1024 }, 1e6)
}

fn stream(waveform: Waveform, eb_n0_db: f64) -> Stream {
    let chain = Chain::new(&ChainConfig::new(waveform, eb_n0_db, 5)).unwrap();
    Stream::new(chain, StreamConfig::default()).unwrap()
}

fn pdu(number: usize) -> Vec<u8> {
    let length = [1, 20, 300, 117, 118, 119, 1000][number % 7] + number / 7;
    (0..length).map(|at| (at * 31 + number * 7) as u8).collect()
}

#[test]
fn pdus_come_out_as_they_went_in_and_in_order() {
    let mut stream = stream(ldpc(), 6.0);
    for number in 0..70 {
        assert_eq!(stream.send(&pdu(number)).unwrap(), number as u64);
        if number % 9 == 0 {
            stream.fill().unwrap();
        }
    }
    stream.flush().unwrap();
    for number in 0..70 {
        let arrival = stream.poll().unwrap();
        assert_eq!((arrival.id, arrival.pdu), (number as u64, Some(pdu(number))));
    }
    assert_eq!((stream.poll(), stream.strange_packets()), (None, 0));
}

/// Where some frames are lost, exactly the PDUs are that had a part in them.
#[test]
fn a_pdu_arrives_if_and_only_if_its_frames_do() {
    let mut stream = stream(ldpc(), 1.1);
    for number in 0..300 {
        stream.send(&pdu(number)).unwrap();
    }
    stream.flush().unwrap();
    let (mut arrived, mut lost) = (0, 0);
    for number in 0..300 {
        let arrival = stream.poll().unwrap();
        let frames = stream.frames_of(arrival.id).unwrap();
        let whole = (frames.first..=frames.last).all(|index| stream.chain().outcome(index) == Some(Outcome::Delivered));
        assert_eq!(arrival.pdu, whole.then(|| pdu(number)), "PDU {number} in {frames:?}");
        if whole { arrived += 1 } else { lost += 1 }
    }
    assert!(arrived > 50 && lost > 10, "{arrived} arrived, {lost} lost: nothing to compare");
    assert_eq!(stream.strange_packets(), 0);
}

#[test]
fn a_gap_decides_everything_and_what_comes_after_it_is_found_again() {
    let mut stream = stream(ldpc(), 6.0);
    for round in 0..3 {
        for number in 0..10 {
            stream.send(&pdu(number)).unwrap();
        }
        stream.gap(0.02).unwrap();
        for number in 0..10 {
            let arrival = stream.poll().unwrap();
            assert_eq!((arrival.id, arrival.pdu), (round * 10 + number as u64, Some(pdu(number))));
        }
        assert_eq!(stream.poll(), None);
    }
}

#[test]
fn what_cannot_be_sent_is_refused_by_name() {
    let chain = |waveform| Chain::new(&ChainConfig::new(waveform, 6.0, 5)).unwrap();
    let refused = |config: StreamConfig| Stream::new(chain(ldpc()), config).unwrap_err().to_string();
    let good = StreamConfig::default();
    assert!(refused(StreamConfig { virtual_channel: 63, ..good }).contains("`virtual_channel` is 63"));
    assert!(refused(StreamConfig { longest_pdu_octets: 0, ..good }).contains("`longest_pdu_octets` is 0"));
    let long = Waveform::new(Coding::Uncoded { frame_octets: 2057 }, 1e6);
    let error = Stream::new(chain(long), good).unwrap_err().to_string();
    assert!(error.contains("2047") && error.contains("`frame_octets`"), "{error}");
    let mut stream = stream(ldpc(), 6.0);
    assert!(stream.send(&[]).unwrap_err().to_string().contains("a PDU of 0 octets"));
    assert!(stream.send(&[0; 65_537]).unwrap_err().to_string().contains("1 to 65536"));
}
