//! What is refused where a node listens and in the convergence layers to its neighbours.

mod node_support;
mod support;

use node_support::{Refusal as No, edited, read, refuse};

#[test]
fn listeners() {
    let stcp = r#"{ stcp: "tcp:4557" }"#;
    refuse(&[
        No(stcp, "^{}", &["this listens to nothing", "add one of `ltp`, `tcpcl`, `stcp`, `mtcp` or `udp`"]),
        No(stcp, r#"{ stcp: "tcp:4557", mtcp: ^"tcp:4558" }"#, &["`mtcp` and `stcp` exclude each other"]),
        No(stcp, r#"{ stcp: ^"udp:4557" }"#, &["`udp:4557` is not a TCP address", "write `tcp:4556`"]),
        No(stcp, r#"{ stcp: ^4557 }"#, &["is not a TCP address", "`tcp:[::1]:4556`"]),
        No(stcp, r#"{ stcp: ^"tcp:70000" }"#, &["is not a TCP address"]),
        No(stcp, r#"{ stcp: ^"tcp:+80" }"#, &["is not a TCP address"]),
        No(stcp, r#"{ stcp: ^"tcp:localhost:80" }"#, &["is not a TCP address"]),
        No(stcp, r#"{ ltp: ^"tcp:4557" }"#, &["`tcp:4557` is not a UDP address", "write `udp:4556`"]),
        No(stcp, r#"{ stcp: ^"tcp:4556" }"#, &["the TCP port 4556 is already listened to in line 15"]),
        No(stcp, r#"{ udp: ^"udp:0.0.0.0:1113" }"#, &["the UDP port 1113 is already listened to in line 14"]),
        No(
            stcp,
            r#"{ stcp: "tcp:4557", tls: ^{ certificate: cert.pem, key: key.pem, trust: ca.pem } }"#,
            &["only TCPCL"],
        ),
        No(stcp, r#"{ ^sctp: "tcp:4557" }"#, &["unknown key `sctp`", "did you mean `stcp`?"]),
    ]);
    // The same port of another transport or another address is another port, and so is port 0 each time.
    for sound in [r#"{ udp: "udp:4557" }"#, r#"{ stcp: "tcp:127.0.0.2:4556" }"#, r#"{ stcp: "tcp:[::]:4556" }"#] {
        assert!(read(&edited(stcp, sound)).is_ok(), "{sound}");
    }
    assert!(read(&edited(stcp, "{ stcp: 'tcp:0' }\n  - { mtcp: 'tcp:0' }")).is_ok());
}

#[test]
fn tls_of_a_listener() {
    let tls = "{ certificate: cert.pem, key: key.pem, require: true, trust: ca.pem }";
    refuse(&[
        No(
            tls,
            "^{ trust: ca.pem }",
            &["who listens must show a certificate", "add `certificate: cert.pem, key: key.pem`"],
        ),
        No(tls, "{ certificate: ^cert.pem, trust: ca.pem }", &["this certificate has no key", "add `key: key.pem`"]),
        No(tls, "{ key: ^key.pem, trust: ca.pem }", &["this key has no certificate"]),
        No(tls, "^{ certificate: cert.pem, key: key.pem }", &["key `trust` is missing"]),
        No(
            tls,
            "{ certificate: ^gone.pem, key: key.pem, trust: ca.pem }",
            &["the certificate ", "gone.pem does not exist"],
        ),
        No(tls, "{ certificate: cert.pem, key: ^., trust: ca.pem }", &["the key ", "is a directory"]),
        No(
            tls,
            "{ certificate: cert.pem, key: key.pem, trust: ^empty.pem }",
            &["file of trusted certificates", "is empty"],
        ),
        No(tls, "{ certificate: cert.pem, key: key.pem, trust: ca.pem, ^name: x }", &["unknown key `name`"]),
        No(tls, "{ certificate: cert.pem, key: key.pem, trust: ca.pem, require: ^1 }", &["neither yes nor no"]),
    ]);
}

#[test]
fn neighbours() {
    let stcp = r#"ipn:40.0: { stcp: { to: "tcp:4601" } }"#;
    refuse(&[
        No(stcp, r#"^ipn:10.0: { stcp: { to: "tcp:4601" } }"#, &["`ipn:10.0` is this node itself"]),
        No(stcp, r#"^ipn:0.30.0: { stcp: { to: "tcp:4601" } }"#, &["the neighbour `ipn:30.0` stands twice"]),
        No(stcp, r#"^ipn:40.1: { stcp: { to: "tcp:4601" } }"#, &["not a node", "`ipn:40.0`"]),
        No(stcp, "^ipn:40.0: {}", &["nothing says how to reach this neighbour", "`ltp`, `tcpcl`"]),
        No(stcp, r#"ipn:40.0: { stcp: { to: "tcp:1" }, mtcp: ^{ to: "tcp:2" } }"#, &["`mtcp` and `stcp` exclude"]),
        No(stcp, "ipn:40.0: { stcp: ^{} }", &["key `to` is missing", "add `to: \"tcp:127.0.0.1:4557\"`"]),
        No(stcp, "ipn:40.0: { mtcp: ^{} }", &["key `to` is missing"]),
        No(stcp, "ipn:40.0: { udp: ^{} }", &["key `to` is missing", "udp:127.0.0.1:4556"]),
        No(stcp, r#"ipn:40.0: { stcp: { to: ^"tcp:0" } }"#, &["nothing can be sent to port 0"]),
        No(
            stcp,
            r#"ipn:40.0: { stcp: { to: ^"tcp:0.0.0.0:1" } }"#,
            &["it stands for every address", "address of the neighbour"],
        ),
        No(stcp, r#"ipn:40.0: { udp: { to: "udp:1", rate: ^10 } }"#, &["`10` has no unit"]),
    ]);
}

#[test]
fn ltp_neighbours() {
    refuse(&[
        No("segment_size: 1300 B", "segment_size: ^127 B", &["segments of 127 B are out of range", "128 B to 65507 B"]),
        No("segment_size: 1300 B", "segment_size: ^65508 B", &["out of range"]),
        No("segment_size: 1300 B", "segment_size: ^1300", &["`1300` has no unit"]),
        No("light_time: 2 s", "light_time: ^-2 s", &["`-2 s` is out of range"]),
        No("light_time: 2 s", "light_time: ^11 d", &["a light time of 11 d is out of range", "at most 10 d"]),
        No("response_margin: 3 s", "response_margin: ^-1 s", &["`-1 s` is out of range"]),
        No("size: 64 KiB, time", "size: ^0 B, time", &["blocks of 0 B are out of range"]),
        No("time: 100 ms", "time: ^0 s", &["a wait of 0 ns is out of range"]),
        No("{ size: 64 KiB, time: 100 ms }", "^{ size: 64 KiB }", &["key `time` is missing"]),
        No("session_numbers: 64", "session_numbers: ^48", &["`48` bits are not possible", "`32` or `64`"]),
        No("checkpoint_every: 32 KiB", "checkpoint_every: ^1 B", &["a checkpoint after every 1 B is too much"]),
        No("retransmission_limit: 10", "retransmission_limit: ^0", &["limit of 0 is out of range", "from 1 to 1000"]),
        No("suite: hmac-sha1-80", "suite: ^hmac-sha1", &["no ciphersuite `hmac-sha1`", "did you mean `hmac-sha1-80`?"]),
        No("{ suite: hmac-sha1-80, ", "^{ ", &["key `suite` is missing"]),
        No("suite: hmac-sha1-80, key_id: 1, key_file: ", "suite: null-key, key_file: ^", &["stands in RFC 5327"]),
        No(
            "{ suite: hmac-sha1-80, key_id: 1, key_file: key.bin }",
            "^{ suite: rsa-sha256 }",
            &["key `key_file` is missing"],
        ),
        No("key_file: key.bin", "key_file: ^gone.bin", &["the key ", "gone.bin does not exist", "folder of this file"]),
        No(
            "ltp: { to: \"udp:127.0.0.1:1114\",",
            "ltp: { to: \"udp:1114\", engine: ^10,",
            &["engine 10 is already that of this node"],
        ),
        No(
            "ipn:40.0: { stcp: { to: \"tcp:4601\" } }",
            "ipn:40.0: { ltp: { to: \"udp:1115\", engine: ^20 } }",
            &["engine 20 is already that of `ipn:20.0`"],
        ),
    ]);
    let error = read(&edited("  - { ltp: \"udp:1113\" }\n", "")).unwrap_err();
    assert!(error.to_string().ends_with(":19:20: LTP needs answers, but this node does not listen for LTP"), "{error}");
    assert!(read(&edited("suite: hmac-sha1-80, key_id: 1, key_file: key.bin", "suite: null-key")).is_ok());
}

#[test]
fn tcpcl_neighbours() {
    let tls = "{ trust: ca.pem, name: relay.example, require: false, certificate: cert.pem, key: key.pem }";
    refuse(&[
        No("keepalive: 20 s", "keepalive: ^1500 ms", &["interval of 1.5 s is not possible", "whole seconds"]),
        No("keepalive: 20 s", "keepalive: ^-1 s", &["`-1 s` is out of range"]),
        No("keepalive: 20 s", "keepalive: ^65536 s", &["from 0 s to 65535 s"]),
        No("segment_size: 32 KiB", "segment_size: ^1023 B", &["out of range", "from 1 KiB to 1 GiB"]),
        No(tls, "^{}", &["key `trust` is missing", "add `trust: ca.pem`"]),
        No(tls, "{ trust: ^gone.pem }", &["gone.pem does not exist"]),
        No(tls, "{ trust: ca.pem, name: ^'' }", &["`` is no DNS name"]),
        No(tls, "{ trust: ca.pem, name: ^'a b' }", &["`a b` is no DNS name", "`relay.example`"]),
        No(tls, "{ trust: ca.pem, key: ^key.pem }", &["this key has no certificate"]),
        No(tls, "{ trust: ca.pem, certificate: ^cert.pem }", &["this certificate has no key"]),
    ]);
    assert!(read(&edited(tls, "{ trust: ca.pem }")).is_ok(), "a client may be without a certificate");
    assert!(read(&edited("keepalive: 20 s", "keepalive: 0 s")).is_ok());
    let error = read("node: ipn:10.0\nneighbours: { ipn:20.0: { tcpcl: {} } }\n").unwrap_err();
    assert!(
        error.to_string().ends_with(
            ":2:34: without `to` this neighbour must connect to us, but this node does not listen for TCPCL"
        ),
        "{error}"
    );
}
