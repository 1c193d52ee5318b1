//! Each check on systems made up for it, and all of them on this one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Instant;

use tempfile::TempDir;

use super::clock::KernelClock;
use super::*;

/// A system that has these files, and no others.
struct Made {
    root: TempDir,
}

impl Made {
    fn of(files: &[(&str, &str)]) -> Self {
        let made = Made { root: tempfile::tempdir().unwrap() };
        files.iter().fold(made, |made, (file, text)| made.and(file, text))
    }

    fn and(self, file: &str, text: &str) -> Self {
        let path = self.root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A program that is a shell script.
    fn program(self, name: &str, script: &str) -> Self {
        let file = format!("usr/bin/{name}");
        let made = self.and(&file, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(made.root.path().join(file), fs::Permissions::from_mode(0o755)).unwrap();
        made
    }

    fn tree(&self) -> Tree {
        Tree::at(self.root.path())
    }
}

fn named<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no `{name}` in {checks:#?}"))
}

/// Expects a check to be so, to say these words, and to have a remedy with this in it, or none.
#[track_caller]
fn expect(checks: &[Check], name: &str, state: State, words: &[&str], remedy: Option<&str>) {
    let check = named(checks, name);
    assert_eq!(check.state, state, "{check:#?}");
    for word in words {
        assert!(check.found.contains(word), "expected `{word}`: {check:#?}");
    }
    match (remedy, &check.remedy) {
        (None, None) => {}
        (Some(part), Some(Remedy::Command(text) | Remedy::Advice(text))) => {
            assert!(text.contains(part), "expected `{part}`: {check:#?}");
        }
        _ => panic!("expected remedy {remedy:?}: {check:#?}"),
    }
}

const LIMITS: &str = "Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  1048576  files\n\
                      Max locked memory  8388608  8388608  bytes\nMax realtime priority  0  0\n";
const CPUS: &str = "sys/devices/system/cpu";

fn processes(capabilities: &str, cores: &str) -> String {
    format!("Name:\tfarlink\nCapEff:\t{capabilities}\nCpus_allowed_list:\t{cores}\n")
}

#[test]
fn cores_are_those_that_run_and_may_be_used() {
    let made = |online: &str, allowed: &str| {
        let made = Made::of(&[("proc/self/status", &processes("0", allowed))]);
        let made = made.and(&format!("{CPUS}/online"), online).and("proc/loadavg", "1.50 1.0 0.5 1/100 1234\n");
        processor::checks(&made.and("proc/version", "Linux version 6.1 #1 SMP PREEMPT_DYNAMIC\n").tree())
    };
    let checks = made("0-3", "0-7");
    expect(&checks, "cores", State::Good, &["4 to use of 4", "free of others: none", "a preemptible kernel"], None);
    expect(&checks, "load", State::Good, &["1.50 threads", "4 cores"], None);
    let checks = made("0-3", "2");
    expect(&checks, "cores", State::Poor, &["1 to use of 4"], Some("taskset -c 0-3"));
    expect(&checks, "load", State::Poor, &["1.50 threads"], Some("top"));
    expect(&made("0", "0"), "cores", State::Poor, &["1 to use of 1"], Some("another"));
    expect(&made("0-1", "0-1"), "load", State::Fair, &[], Some("top"));
    expect(&made("nonsense", "0"), "cores", State::Unknown, &["cannot be read"], None);
}

#[test]
fn cores_that_slow_down_or_sleep_deeply_are_fair() {
    let status = processes("0", "0-1");
    let none = Made::of(&[("proc/self/status", &status), (&format!("{CPUS}/online"), "0-1")]);
    let checks = processor::checks(&none.tree());
    expect(&checks, "cpu-frequency", State::Good, &["does not scale"], None);
    expect(&checks, "idle-states", State::Good, &["none"], None);
    expect(&checks, "load", State::Unknown, &["cannot be read"], None);

    let governor =
        |core: u8, governor: &str| (format!("{CPUS}/cpu{core}/cpufreq/scaling_governor"), governor.to_owned());
    let files = [governor(0, "performance\n"), governor(1, "performance\n")];
    let made = files.iter().fold(none, |made, (file, text)| made.and(file, text));
    expect(&processor::checks(&made.tree()), "cpu-frequency", State::Good, &["performance"], None);
    let (file, text) = governor(1, "schedutil");
    let made = made.and(&file, &text);
    let words = ["performance, schedutil", "slow at first"];
    expect(
        &processor::checks(&made.tree()),
        "cpu-frequency",
        State::Fair,
        &words,
        Some("frequency-set -g performance"),
    );

    let idle = |made: Made, state: u8, name: &str, latency: &str, disable: &str| {
        let folder = format!("{CPUS}/cpu0/cpuidle/state{state}");
        made.and(&format!("{folder}/name"), name)
            .and(&format!("{folder}/latency"), latency)
            .and(&format!("{folder}/disable"), disable)
    };
    let made = idle(idle(made, 0, "POLL", "0", "0"), 1, "C1", "2", "0");
    expect(&processor::checks(&made.tree()), "idle-states", State::Good, &["C1", "2 us"], None);
    let made = idle(made, 2, "C10", "890", "0");
    expect(&processor::checks(&made.tree()), "idle-states", State::Fair, &["C10", "890 us"], Some("idle-set -D 50"));
    let made = idle(made, 2, "C10", "890", "1");
    expect(&processor::checks(&made.tree()), "idle-states", State::Good, &["C1", "2 us"], None);
}

#[test]
fn a_virtual_machine_is_judged_by_what_its_host_takes_away() {
    let real = Made::of(&[("proc/stat", "cpu  10 0 10 970 5 0 5 0 0 0\n"), ("proc/cpuinfo", "flags\t\t: fpu tsc\n")]);
    let check = processor::steal(&real.tree(), processor::times(&real.tree()));
    expect(&[check], "virtual-machine", State::Good, &["this machine's own"], None);

    let virtual_machine = real
        .and("proc/cpuinfo", "flags\t\t: fpu hypervisor tsc\n")
        .and("sys/class/dmi/id/sys_vendor", "QEMU\n")
        .and("proc/stat", "cpu  10 0 10 960 5 0 5 10 0 0\n");
    let tree = virtual_machine.tree();
    let before = processor::times(&tree).unwrap();
    let check = processor::steal(&tree, Ok(before));
    expect(&[check], "virtual-machine", State::Fair, &["(QEMU)", "1.00 %", "since boot"], Some("machine of its own"));
    let later = virtual_machine.and("proc/stat", "cpu  50 0 10 970 5 0 5 60 0 0\n");
    let check = processor::steal(&later.tree(), Ok(before));
    expect(
        &[check],
        "virtual-machine",
        State::Poor,
        &["50.00 % of its time to others now", "5.45 % ever"],
        Some("pin"),
    );

    let check = processor::steal(&Made::of(&[]).tree(), Ok(before));
    expect(&[check], "virtual-machine", State::Unknown, &["cannot be read"], None);
    let nonsense = Made::of(&[("proc/stat", "cpu  1 2\n")]);
    assert!(processor::times(&nonsense.tree()).is_err());
}

const SOURCE: &str = "sys/devices/system/clocksource/clocksource0";
const KEPT: KernelClock =
    KernelClock { synchronised: true, estimated_us: 21, maximum_us: 4_300, correction_ppb: -12_345 };

#[test]
fn clock_sources_are_told_apart() {
    let source = |current: &str, available: &str| {
        let made = Made::of(&[(&format!("{SOURCE}/current_clocksource"), current)]);
        clock::checks(&made.and(&format!("{SOURCE}/available_clocksource"), available).tree(), Ok(KEPT))
    };
    expect(&source("tsc\n", "tsc hpet\n"), "clock-source", State::Good, &["tsc"], None);
    expect(&source("kvm-clock", "kvm-clock"), "clock-source", State::Good, &["kvm-clock"], None);
    let remedy = "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource";
    expect(&source("hpet", "tsc hpet acpi_pm"), "clock-source", State::Poor, &["hpet", "a microsecond"], Some(remedy));
    expect(&source("acpi_pm", "acpi_pm"), "clock-source", State::Poor, &["acpi_pm"], Some("dmesg"));
    expect(&source("sundial", "sundial"), "clock-source", State::Fair, &["not known"], Some("dmesg"));
    let checks = clock::checks(&Made::of(&[]).tree(), Ok(KEPT));
    expect(&checks, "clock-source", State::Unknown, &["cannot be read"], None);
}

#[test]
fn synchronisation_is_what_the_kernel_says_and_who_sees_to_it() {
    let made = Made::of(&[("proc/1/comm", "init\n"), ("proc/70/comm", "chronyd\n"), ("proc/71/comm", "ptp4l\n")]);
    const NAME: &str = "clock-synchronisation";
    let words = ["error 21 us by estimate, 4300 us at most", "-12.345 ppm", "chronyd, ptp4l runs"];
    expect(&clock::checks(&made.tree(), Ok(KEPT)), NAME, State::Good, &words, None);
    let vague = KernelClock { maximum_us: 2_000_000, ..KEPT };
    expect(&clock::checks(&made.tree(), Ok(vague)), NAME, State::Fair, &["2000000 us"], Some("chronyc tracking"));
    let adrift = KernelClock { synchronised: false, ..KEPT };
    let words = ["not synchronised", "chronyd, ptp4l runs", "100 us"];
    expect(&clock::checks(&made.tree(), Ok(adrift)), NAME, State::Poor, &words, Some("chrony"));
    let nobody = Made::of(&[("proc/1/comm", "init\n")]);
    expect(&clock::checks(&nobody.tree(), Ok(adrift)), NAME, State::Poor, &["no program here"], Some("chrony"));
    let refused = Err(io::Error::from(io::ErrorKind::PermissionDenied));
    expect(&clock::checks(&made.tree(), refused), NAME, State::Unknown, &["cannot be read"], None);
}

#[test]
fn ptp_clocks_are_named() {
    let made = Made::of(&[("sys/class/ptp/ptp0/clock_name", "ice-0000:01:00.0-clk\n")]);
    expect(
        &clock::checks(&made.tree(), Ok(KEPT)),
        "ptp-clocks",
        State::Good,
        &["/dev/ptp0 (ice-0000:01:00.0-clk)"],
        None,
    );
    expect(&clock::checks(&Made::of(&[]).tree(), Ok(KEPT)), "ptp-clocks", State::Absent, &["/dev/ptp*"], None);
}

#[test]
fn this_kernel_tells_of_its_clock() {
    let clock = KernelClock::read().unwrap();
    assert!(clock.maximum_us >= 0 && clock.estimated_us >= 0, "{clock:?}");
    // adjtimex(2) corrects by 500 ppm at most.
    assert!(clock.correction_ppb.abs() <= 500_000, "{clock:?}");
}

#[test]
fn permissions_are_capabilities_limits_and_devices() {
    let checks = |made: &Made| permissions::checks(&made.tree(), &Permits::read(&made.tree()));
    let nobody = Made::of(&[("proc/self/status", &processes("0", "0")), ("proc/self/limits", LIMITS)]);
    let found = checks(&nobody);
    let setcap = Some("setcap cap_sys_nice,cap_ipc_lock+ep");
    expect(&found, "realtime-scheduling", State::Absent, &["no CAP_SYS_NICE", "ulimit -r: 0", "40 is wanted"], setcap);
    expect(&found, "locked-memory", State::Absent, &["no CAP_IPC_LOCK", "8 MiB"], setcap);
    expect(&found, "raw-ethernet", State::Absent, &["no CAP_NET_RAW"], Some("setcap cap_net_raw"));
    expect(&found, "open-files", State::Good, &["1048576"], None);
    expect(&found, "tap-and-tun", State::Absent, &["no /dev/net/tun"], Some("modprobe tun"));

    let limited = nobody.and(
        "proc/self/limits",
        "Max open files 64 64\nMax locked memory unlimited unlimited\nMax realtime priority 0 99\n",
    );
    let found = checks(&limited.and("dev/net/tun", ""));
    expect(&found, "realtime-scheduling", State::Good, &["ulimit -r: 99"], None);
    expect(&found, "locked-memory", State::Good, &["no limit"], None);
    expect(&found, "open-files", State::Poor, &["64"], Some("limits.d"));
    expect(&found, "tap-and-tun", State::Absent, &["may be opened", "no CAP_NET_ADMIN"], Some("setcap"));

    let root = Made::of(&[("proc/self/status", &processes("1ffffffffff", "0")), ("proc/self/limits", LIMITS)]);
    let found = checks(&root.and("dev/net/tun", ""));
    assert!(found.iter().all(|check| check.state == State::Good && check.remedy.is_none()), "{found:#?}");

    let found = checks(&Made::of(&[]));
    assert_eq!(found.len(), 5);
    assert!(found.iter().all(|check| check.state == State::Unknown), "{found:#?}");
}

#[test]
fn buffers_are_compared_with_what_ports_ask_for() {
    let made = |capabilities: &str, most: &str, backlog: &str| {
        let made = Made::of(&[("proc/self/status", &processes(capabilities, "0")), ("proc/self/limits", LIMITS)]);
        let made = made.and("proc/sys/net/core/rmem_max", most).and("proc/sys/net/core/wmem_max", most);
        let tree = made.and("proc/sys/net/core/netdev_max_backlog", backlog);
        network::checks(&tree.tree(), &Permits::read(&tree.tree()))
    };
    let checks = made("0", "212992\n", "300\n");
    let words = ["16 MiB are asked for", "rmem_max is 208 KiB", "no CAP_NET_ADMIN"];
    expect(&checks, "receive-buffers", State::Poor, &words, Some("sudo sysctl -w net.core.rmem_max=16777216"));
    expect(&checks, "send-buffers", State::Fair, &["8 MiB", "208 KiB"], Some("net.core.wmem_max=8388608"));
    expect(&checks, "backlog", State::Poor, &["300 frames"], Some("netdev_max_backlog=10000"));
    let checks = made("1000", "212992", "1000");
    expect(&checks, "receive-buffers", State::Good, &["CAP_NET_ADMIN lifts the limit"], None);
    expect(&checks, "backlog", State::Fair, &["1000 frames"], Some("netdev_max_backlog=10000"));
    let checks = made("0", "16777216", "10000");
    for name in ["receive-buffers", "send-buffers", "backlog"] {
        expect(&checks, name, State::Good, &[], None);
    }
    expect(&made("0", "8000000", "-1"), "receive-buffers", State::Fair, &["7.6 MiB"], Some("rmem_max"));
    expect(&made("0", "1", "-1"), "backlog", State::Unknown, &["-1 is negative"], None);
    expect(&made("0", "lots", "1"), "send-buffers", State::Unknown, &["`lots` is no number"], None);
}

#[test]
fn ethernet_interfaces_are_listed_with_state_and_speed() {
    let checks = |made: &Made| network::checks(&made.tree(), &Permits::read(&made.tree()));
    let lonely = Made::of(&[("sys/class/net/lo/type", "772\n"), ("sys/class/net/bonding_masters", "")]);
    expect(&checks(&lonely), "interfaces", State::Absent, &["nothing to bridge"], Some("ip link add vetha type veth"));
    let made = lonely
        .and("sys/class/net/eth0/type", "1\n")
        .and("sys/class/net/eth0/operstate", "up\n")
        .and("sys/class/net/eth0/speed", "1000\n")
        .and("sys/class/net/veth1/type", "1\n")
        .and("sys/class/net/veth1/operstate", "down\n")
        .and("sys/class/net/veth1/speed", "-1\n");
    let check = checks(&made);
    assert_eq!(named(&check, "interfaces").found, "eth0 (up, 1000 Mbit/s), veth1 (down)");
}

#[test]
fn memory_is_what_can_be_had() {
    let memory = |text: &str| storage::checks(&Made::of(&[("proc/meminfo", text)]).tree(), &std::env::temp_dir());
    let checks =
        memory("MemTotal: 16777216 kB\nMemFree: 1 kB\nMemAvailable: 8388608 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
    assert_eq!(named(&checks, "memory").found, "8 GiB of 16 GiB to be had");
    assert_eq!(named(&checks, "memory").state, State::Good);
    let checks = memory("MemTotal: 1048576 kB\nMemAvailable: 262144 kB\nSwapTotal: 4096 kB\nSwapFree: 1024 kB\n");
    expect(&checks, "memory", State::Poor, &["256 MiB of 1 GiB", "3 MiB are swapped out"], Some("ps -e"));
    expect(&memory("MemTotal: 1 kB\n"), "memory", State::Unknown, &["no MemAvailable"], None);
    expect(&memory("MemTotal: 1 kB\nMemAvailable: 99999999999999999999 kB"), "memory", State::Unknown, &[], None);
}

#[test]
fn radios_are_a_library_and_modules() {
    let sdr = |made: &Made, told: &[PathBuf]| devices::checks(&made.tree(), told, false);
    let nothing = Made::of(&[]);
    expect(&sdr(&nothing, &[]), "sdr", State::Absent, &["no SoapySDR"], Some("apt-get install soapysdr-tools"));
    let library = Made::of(&[("usr/lib/x86_64-linux-gnu/libSoapySDR.so.0.8", "")]);
    let words = ["libSoapySDR.so.0.8", "without a module"];
    expect(&sdr(&library, &[]), "sdr", State::Absent, &words, Some("soapysdr-module-all"));
    let made = library
        .and("usr/lib/x86_64-linux-gnu/SoapySDR/modules0.8/librtlsdrSupport.so", "")
        .program("SoapySDRUtil", "echo 'Lib Version: v0.8.1-3'; echo 'API Version: v0.8.0'");
    expect(&sdr(&made, &[]), "sdr", State::Good, &["0.8.1", "modules: rtlsdrSupport"], None);
    let elsewhere = Made::of(&[("modules/libplutoSupport.so", "")]);
    let told = elsewhere.root.path().join("modules");
    expect(&sdr(&made, &[told]), "sdr", State::Good, &["modules: plutoSupport, rtlsdrSupport"], None);
    expect(&sdr(&made, &[]), "sdr-build", State::Absent, &["this build has no SoapySDR"], Some("--features soapy"));
    expect(&devices::checks(&made.tree(), &[], true), "sdr-build", State::Good, &["through SoapySDR"], None);
    expect(&sdr(&made, &[]), "sdr-farlink", State::Absent, &["driver=farlink"], Some("-p farlink-soapy-module"));
    expect(&sdr(&made, &[]), "sdr-remote", State::Absent, &["neither"], Some("soapysdr-module-remote"));
    let folder = "usr/local/lib/SoapySDR/modules0.8";
    let made =
        made.and(&format!("{folder}/libFarlinkSupport.so"), "").and(&format!("{folder}/libremoteSupport.so"), "");
    expect(&sdr(&made, &[]), "sdr-farlink", State::Good, &["FarlinkSupport"], None);
    expect(&sdr(&made, &[]), "sdr-remote", State::Good, &["no SoapySDRServer"], None);
    let dumb = made.program("SoapySDRUtil", "exit 1");
    expect(&sdr(&dumb, &[]), "sdr", State::Good, &["tells no version"], None);
}

#[test]
fn serial_ports_are_those_with_hardware() {
    let serial = |made: &Made| devices::checks(&made.tree(), &[], false);
    let none = Made::of(&[
        ("sys/class/tty/ttyS0/type", "0\n"),
        ("sys/class/tty/ttyS0/device/x", ""),
        ("sys/class/tty/tty1/dev", ""),
    ]);
    expect(&serial(&none), "serial-ports", State::Absent, &["none"], None);
    let made = none
        .and("sys/class/tty/ttyS1/type", "4\n")
        .and("sys/class/tty/ttyS1/device/x", "")
        .and("sys/class/tty/ttyUSB0/device/x", "")
        .and("dev/ttyUSB0", "")
        .and("dev/ttyS1", "");
    let by_id = made.root.path().join("dev/serial/by-id");
    fs::create_dir_all(&by_id).unwrap();
    symlink("../../ttyUSB0", by_id.join("usb-FTDI_FT232R_A1-if00-port0")).unwrap();
    let found = serial(&made);
    assert_eq!(named(&found, "serial-ports").found, "ttyS1, ttyUSB0 (/dev/serial/by-id/usb-FTDI_FT232R_A1-if00-port0)");
    assert_eq!(named(&found, "serial-ports").state, State::Good);
    fs::remove_file(made.root.path().join("dev/ttyUSB0")).unwrap();
    expect(&serial(&made), "serial-ports", State::Absent, &["may not open ttyUSB0"], Some("usermod -aG dialout"));
}

#[test]
fn stacks_and_tools_are_found_on_the_path_with_their_versions() {
    let names = ["ion", "hdtn", "dtn7", "hardy", "ud3tn", "tshark", "iperf3", "socat"];
    let nothing = software::checks(&Made::of(&[]).tree());
    for name in names {
        expect(&nothing, name, State::Absent, &["not on the PATH"], Some(""));
    }
    expect(&nothing, "dtn7", State::Absent, &["dtnd"], Some("cargo install --locked dtn7"));
    // Half of ION is none.
    let made = Made::of(&[]).program("ionadmin", "read c; [ $c = v ] && echo ': ION-OPEN-SOURCE-4.1.2'; touch ion.log");
    expect(&software::checks(&made.tree()), "ion", State::Absent, &["ltpadmin, bpadmin"], Some("ION-DTN"));
    let made = made
        .program("ltpadmin", "")
        .program("bpadmin", "")
        .program("dtnd", "[ $1 = --version ] && echo dtn7 0.21.0")
        .program("ud3tn", "echo 'usage: ud3tn [-a 127.0.0.1]' >&2; exit 1")
        .program("socat", "[ $1 = -V ] && echo 'socat by someone'; echo 'socat version 1.7.4.4 on x'");
    let found = software::checks(&made.tree());
    expect(&found, "ion", State::Good, &["4.1.2, ", "usr/bin/ionadmin"], None);
    expect(&found, "dtn7", State::Good, &["0.21.0"], None);
    expect(&found, "ud3tn", State::Good, &["its version is not told"], None);
    expect(&found, "socat", State::Good, &["1.7.4.4"], None);
    assert!(!std::path::Path::new("ion.log").exists(), "what a program litters is gone");
}

#[test]
fn a_stack_that_hangs_is_ended_and_told() {
    let made = Made::of(&[]).program("hdtn-one-process", "sleep 300");
    let begun = Instant::now();
    let found = software::checks(&made.tree());
    expect(&found, "hdtn", State::Fair, &["no answer in 5 s", "hdtn-one-process"], None);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn this_machine_is_examined_whole() {
    let options = Options { measure: Duration::from_millis(100), ..Options::default() };
    let checks = examine(&Tree::of_this_system(), &options);
    let names: BTreeSet<&str> = checks.iter().map(|check| check.name).collect();
    assert_eq!(names.len(), checks.len(), "each once");
    assert_eq!(checks.len(), 35, "{names:?}");
    for check in &checks {
        assert!(!check.found.is_empty());
        assert!(check.state != State::Good || check.remedy.is_none(), "{check:#?}");
        // What every Linux has can be read here.
        let always = ["timer-usual", "timer-no-slack", "cores", "load", "memory", "spill", "clock-synchronisation"];
        assert!(!always.contains(&check.name) || check.state != State::Unknown, "{check:#?}");
        assert!(check.state != State::Poor || check.remedy.is_some(), "{check:#?}");
    }
    let json = serde_json::to_value(&checks).unwrap();
    assert_eq!(json[0]["name"], "timer-usual");
    assert_eq!(json[0]["topic"], "time");
}

#[test]
fn a_system_that_tells_nothing_is_unknown_or_has_nothing() {
    let made = Made::of(&[]);
    let options = Options {
        measure: Duration::ZERO,
        spill: made.root.path().join("missing"),
        sdr_modules: Vec::new(),
        sdr_built: false,
    };
    // What is asked of the kernel and not read in files.
    let asked = |name: &str| name.starts_with("timer-") || name == "clock-synchronisation";
    for check in examine(&made.tree(), &options).iter().filter(|check| !asked(check.name)) {
        let nothing = matches!(check.state, State::Unknown | State::Absent);
        assert!(nothing || check.name == "idle-states", "{check:#?}");
    }
}
