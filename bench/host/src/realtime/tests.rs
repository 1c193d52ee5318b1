use super::*;
use crate::permits::Limit;
use std::fs;
use std::process::Command;
use std::thread;

fn permits(status: &str, limits: &str) -> Permits {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("proc/self");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("status"), format!("CapEff: {status}\n")).unwrap();
    let text = format!("Max open files 1024 1024 files\nMax locked memory {limits} bytes\nMax realtime priority 0 0\n");
    fs::write(folder.join("limits"), text).unwrap();
    Permits::read(&Tree::at(root.path())).unwrap()
}

/// Policy, real-time priority and niceness of the calling thread, as proc_pid_stat(5) numbers them.
fn scheduling() -> (u32, u32, i32) {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // The first of these is field 3.
    (fields[41 - 3].parse().unwrap(), fields[40 - 3].parse().unwrap(), fields[19 - 3].parse().unwrap())
}

fn allowed_now() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

#[test]
fn what_was_taken_is_what_the_kernel_says_and_a_helper_gives_it_back() {
    let before = scheduling();
    let all = allowed_now();
    thread::spawn(move || {
        let wish = Wish { fifo: true, cores: Cores::Own { thread: 0 }, ..Wish::default() };
        let got = take(&wish);
        let permits = Permits::read(&Tree::of_this_system()).unwrap();
        let may = permits.has(Capability::SysNice) || permits.realtime_priority.allows(u64::from(PRIORITY));
        match &got.scheduling {
            Outcome::Taken { what } => {
                assert_eq!(what, "SCHED_FIFO at priority 40");
                assert_eq!(scheduling(), (1, 40, before.2));
            }
            Outcome::Refused { why, remedy } => {
                assert!(!may || why.contains("control group"), "it may, but: {why}");
                assert!(may || remedy.as_deref().is_some_and(|remedy| remedy.contains("setcap")), "{why} {remedy:?}");
                assert_eq!(scheduling().0, 0);
            }
            Outcome::NotAsked => panic!("it was asked for"),
        }
        assert_eq!(got.timer_slack, Outcome::Taken { what: "1 ns".to_owned() });
        if scheduling().0 == 0 {
            assert_eq!(rustix::thread::current_timer_slack().unwrap(), 1);
        }
        match all.len() {
            1 => assert!(got.cores.is_refused()),
            _ => assert_eq!(allowed_now().len(), 1),
        }
        assert_eq!(got.memory, Outcome::NotAsked);
        let (mine, cores) = (scheduling(), allowed_now());

        thread::spawn(move || {
            assert_eq!((scheduling(), allowed_now()), (mine, cores), "a thread inherits what its maker has");
            ordinary().unwrap();
            assert_eq!(scheduling(), before);
            assert_eq!(allowed_now(), all);
            assert_eq!(rustix::thread::current_timer_slack().unwrap(), 50_000);
        })
        .join()
        .unwrap();
    })
    .join()
    .unwrap();
    assert_eq!(scheduling(), before, "other threads are left alone");
}

#[test]
fn every_niceness_survives_becoming_ordinary() {
    thread::spawn(|| {
        // Only down, which everybody may.
        for niceness in scheduling().2..=19 {
            rustix::process::setpriority_process(None, niceness).unwrap();
            ordinary().unwrap();
            assert_eq!(scheduling(), (0, 0, niceness));
        }
    })
    .join()
    .unwrap();
}

#[test]
fn cores_that_there_are_not_are_refused_by_name() {
    thread::spawn(|| {
        let got = take(&Wish { cores: Cores::These(vec![1023]), ..Wish::default() });
        let Outcome::Refused { why, remedy } = got.cores else { panic!("{got}") };
        assert!(why.starts_with("core 1023 is none that this process may use"), "{why}");
        assert!(remedy.unwrap().starts_with("name some of "));
        let first = allowed_now()[0];
        let got = take(&Wish { cores: Cores::These(vec![first]), ..Wish::default() });
        assert_eq!(got.cores, Outcome::Taken { what: format!("core {first}") });
        assert_eq!(allowed_now(), [first]);
    })
    .join()
    .unwrap();
}

/// Set for a test that starts itself again, as the process without privileges.
const UNPRIVILEGED: &str = "FARLINK_TEST_UNPRIVILEGED";

#[test]
fn a_process_without_privileges_hears_what_it_lacks_and_how_to_get_it() {
    if std::env::var_os(UNPRIVILEGED).is_some() {
        let wish = Wish { fifo: true, spins: false, memory: Memory::Growing { holds: 1 << 20 }, cores: Cores::Any };
        let got = take(&wish);
        assert!(!got.is_all());
        let Outcome::Refused { why, remedy: Some(remedy) } = &got.scheduling else { panic!("{got}") };
        assert!(why.contains("CAP_SYS_NICE") && why.contains("ulimit -r"), "{why}");
        assert!(remedy.contains("setcap") && remedy.contains("limits.conf") && remedy.contains("systemd"), "{remedy}");
        let Outcome::Refused { why, remedy: Some(remedy) } = &got.memory else { panic!("{got}") };
        assert!(why.contains("CAP_IPC_LOCK") && why.contains("64 KiB"), "{why}");
        assert!(remedy.contains("memlock") && remedy.contains("LimitMEMLOCK"), "{remedy}");
        // What is mapped is counted, so even that is more than 64 KiB.
        let got = take(&Wish { memory: Memory::Present, ..Wish::default() });
        assert!(got.memory.is_refused(), "{got}");
        assert_eq!(got.timer_slack, Outcome::Taken { what: "1 ns".to_owned() }, "everybody may have this");
        assert_eq!(scheduling().0, 0);
        return;
    }
    let drop = "-sys_nice,-ipc_lock";
    let test = "realtime::tests::a_process_without_privileges_hears_what_it_lacks_and_how_to_get_it";
    let output = Command::new("setpriv")
        .args(["--bounding-set", drop, "--inh-caps", drop, "prlimit", "--rtprio=0", "--memlock=65536"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(UNPRIVILEGED, "1")
        .output()
        .expect("setpriv (Debian package util-linux) starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let lacking = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "run as root, who may give privileges away:\n{text}\n{lacking}");
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn spinning_is_refused_where_nothing_bounds_it_and_warned_of_elsewhere() {
    let throttle = |runtime| spinning(Ok(Throttle { runtime, period: 1_000_000 }));
    let warning = throttle(950_000).unwrap().unwrap();
    assert!(warning.contains("50000 of every 1000000 us"), "{warning}");
    for unbounded in [-1, 1_000_000] {
        let Err(Outcome::Refused { why, remedy }) = throttle(unbounded) else { panic!("{unbounded}") };
        assert!(why.contains("starve"), "{why}");
        assert_eq!(remedy.as_deref(), Some("sudo sysctl -w kernel.sched_rt_runtime_us=950000"));
    }
    let unread = spinning(Err(io::Error::from(io::ErrorKind::NotFound)));
    assert!(matches!(&unread, Err(Outcome::Refused { remedy: None, .. })), "{unread:?}");
}

#[test]
fn memory_that_a_delay_store_would_fill_is_not_locked() {
    let root = permits("00000000ffffffff", "65536 65536");
    let limited = permits("0", "8388608 8388608");
    let unlimited = permits("0", "8388608 unlimited");
    assert_eq!(limited.locked_memory, Limit { soft: Some(8 << 20), hard: Some(8 << 20) });
    let growing = |holds, permits: &Permits| locking(Memory::Growing { holds }, permits, Ok(1 << 30));
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    assert_eq!(growing(512 << 20, &root), Ok(Some(flags)));
    assert_eq!(growing(512 << 20, &unlimited), Ok(Some(flags)));
    let Err(Outcome::Refused { why, .. }) = growing(0, &limited) else { panic!() };
    assert!(why.contains("8 MiB"), "{why}");
    let Err(Outcome::Refused { why, remedy }) = growing((512 << 20) + 1, &root) else { panic!() };
    assert!(why.contains("of 1 GiB"), "{why}");
    assert_eq!(remedy.as_deref(), Some("a smaller --memory, at most 512 MiB"));
    let unread = locking(Memory::Growing { holds: 0 }, &root, Err(io::Error::from(io::ErrorKind::NotFound)));
    assert!(unread.is_err());
    // What is there now may be locked by anybody whose limit it keeps; the kernel judges.
    let present = MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT;
    assert_eq!(locking(Memory::Present, &limited, Ok(0)), Ok(Some(present)));
}

#[test]
fn what_was_got_is_told_in_words_and_in_json() {
    let got = Got {
        scheduling: Outcome::refused("no right", "ask"),
        memory: Outcome::hopeless("the system says: x"),
        cores: Outcome::taken("core 1"),
        timer_slack: Outcome::NotAsked,
        warnings: vec!["beware".to_owned()],
    };
    assert_eq!(
        got.to_string(),
        "scheduling: no: no right; try: ask\nmemory: no: the system says: x\ncores: core 1\ntimer slack: not asked for\n\
         warning: beware"
    );
    assert_eq!(
        serde_json::to_value(&got).unwrap(),
        serde_json::json!({
            "scheduling": {"outcome": "refused", "why": "no right", "remedy": "ask"},
            "memory": {"outcome": "refused", "why": "the system says: x"},
            "cores": {"outcome": "taken", "what": "core 1"},
            "timer_slack": {"outcome": "not-asked"},
            "warnings": ["beware"],
        })
    );
}

#[test]
fn bytes_are_told_in_the_unit_that_fits() {
    for (count, text) in [(0, "0 bytes"), (1023, "1023 bytes"), (8 << 20, "8 MiB"), (16_428_802_048, "15.3 GiB")] {
        assert_eq!(bytes(count), text);
    }
}
