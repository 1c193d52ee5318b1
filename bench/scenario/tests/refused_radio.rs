//! What is refused in the radio of a channel.

mod support;

use support::{Refusal as No, edited, read, refuse};

/// In a link that follows geometry and ends on the ground.
const FAR: &str = "rate: 256 kbit/s";
/// In a link with a constant light time.
const NEAR: &str = "rate: 2 Mbit/s, ber: 1e-6";

const SENDS: &str = "frequency: 8.4 GHz, power: 20 W, transmit_antenna: { diameter: 3 m }";
const RECEIVES: &str = "gain_over_temperature: 53 dB/K, required_eb_n0: 2 dB";

fn radio(radio: &str, words: &[&str]) {
    refuse(&[No(FAR, &format!("{FAR}, radio: {radio}"), words)]);
}

/// A sound radio with these keys besides.
fn with(keys: &str, words: &[&str]) {
    radio(&format!("{{ {SENDS}, {RECEIVES}, {keys} }}"), words);
}

fn sends(keys: &str, words: &[&str]) {
    radio(&format!("{{ frequency: 8.4 GHz, {RECEIVES}, {keys} }}"), words);
}

fn receives(keys: &str, words: &[&str]) {
    radio(&format!("{{ {SENDS}, required_eb_n0: 2 dB, {keys} }}"), words);
}

#[test]
fn what_must_stand() {
    radio("^5", &["keys with values must stand here"]);
    radio(&format!("^{{ eirp: 50 dBW, {RECEIVES} }}"), &["`frequency` is missing", "add `frequency: 8.42 GHz`"]);
    radio(&format!("^{{ frequency: 8.4 GHz, {RECEIVES} }}"), &["nothing says what is transmitted", "`eirp: 70 dBW`"]);
    radio(&format!("^{{ {SENDS}, required_eb_n0: 2 dB }}"), &["nothing says how well is received"]);
    radio(
        &format!("^{{ {SENDS}, gain_over_temperature: 53 dB/K }}"),
        &["nothing says what Eb/N0 the decoder needs", "add `required_eb_n0: 2.5 dB`"],
    );
    with("^wavelength: 3 cm", &["unknown key `wavelength`"]);
    // The code says what it needs.
    let coded = format!(
        "{FAR}, radio: {{ {SENDS}, gain_over_temperature: 53 dB/K }}, errors: {{ coding: {{ code: turbo-1784 }} }}"
    );
    read(&edited(FAR, &coded)).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn values() {
    radio(&format!("{{ frequency: ^8.4, eirp: 50 dBW, {RECEIVES} }}"), &["`8.4` has no unit", "GHz"]);
    radio(&format!("{{ frequency: ^0 GHz, eirp: 50 dBW, {RECEIVES} }}"), &["out of range"]);
    sends("eirp: ^50 dB", &["`dB` is not a unit of a power"]);
    sends("eirp: ^-5 W", &["out of range"]);
    sends("power: ^0 W, transmit_antenna: { gain: 3 dB }", &["out of range"]);
    receives("gain_over_temperature: ^53 dB", &["`dB` is not a unit"]);
    receives("receive_antenna: { gain: 60 dBi }, noise_temperature: ^0 K", &["out of range"]);
    receives("receive_antenna: { gain: 60 dBi }, noise_temperature: ^20", &["`20` has no unit"]);
    radio(&format!("{{ {SENDS}, gain_over_temperature: 53 dB/K, required_eb_n0: ^2 }}"), &["`2` has no unit"]);
}

#[test]
fn transmitters() {
    sends("eirp: 50 dBW, power: ^20 W", &["`power` and `eirp` exclude each other"]);
    sends("eirp: 50 dBW, circuit_loss: ^1 dB", &["`circuit_loss` is part of the `eirp` already"]);
    sends("eirp: 50 dBW, transmit_antenna: ^{ gain: 3 dBi }", &["`transmit_antenna` is part of the `eirp`"]);
    radio(&format!("^{{ frequency: 8.4 GHz, power: 20 W, {RECEIVES} }}"), &["`transmit_antenna` is missing"]);
    sends("power: 20 W, circuit_loss: ^-1 dB, transmit_antenna: { gain: 3 dBi }", &["a loss of -1 dB is a gain"]);
}

#[test]
fn receivers() {
    receives(
        "gain_over_temperature: ^53 dB/K, noise_temperature: 20 K",
        &["`gain_over_temperature` is told already by antenna and noise"],
    );
    receives("gain_over_temperature: ^53 dB/K, receive_antenna: { gain: 3 dBi }", &["told already"]);
    radio(
        &format!("^{{ {SENDS}, required_eb_n0: 2 dB, receive_antenna: {{ gain: 3 dBi }} }}"),
        &["`noise_temperature` is missing"],
    );
    radio(&format!("^{{ {SENDS}, required_eb_n0: 2 dB, noise_temperature: 20 K }}"), &["`receive_antenna` is missing"]);
}

#[test]
fn antennas() {
    let antenna = |antenna: &str, words: &[&str]| sends(&format!("power: 20 W, transmit_antenna: {antenna}"), words);
    antenna("^{}", &["nothing says what antenna this is", "write `gain: 46 dBi`, or `diameter: 3 m`"]);
    antenna("{ gain: 3 dBi, diameter: ^3 m }", &["`diameter` and `gain` exclude each other"]);
    antenna("{ gain: 3 dBi, efficiency: ^0.5 }", &["a gain holds the `efficiency` already"]);
    antenna("{ gain: ^3 }", &["`3` has no unit"]);
    antenna("{ diameter: ^0 m }", &["no dish is 0 m wide"]);
    antenna("{ diameter: ^-3 m }", &["no dish is -3 m wide"]);
    antenna("{ diameter: 3 m, efficiency: ^0 }", &["without efficiency", "above 0"]);
    antenna("{ diameter: 3 m, efficiency: ^1.1 }", &["out of range"]);
    antenna("{ ^size: 3 m }", &["unknown key `size`", "`gain`, `diameter` or `efficiency`"]);
}

#[test]
fn pointing() {
    for key in ["transmit_pointing", "receive_pointing"] {
        let pointing = |pointing: &str, words: &[&str]| with(&format!("{key}: {pointing}"), words);
        let either = "a `loss`, or an `offset` in a `beamwidth`";
        pointing("^{}", &[either]);
        pointing("^{ offset: 1 deg }", &[either]);
        pointing("^{ beamwidth: 1 deg }", &[either]);
        pointing("^{ loss: 1 dB, offset: 1 deg, beamwidth: 1 deg }", &[either]);
        pointing("{ loss: ^-1 dB }", &["a loss of -1 dB is a gain", "above 0 dB"]);
        pointing("{ offset: 1 deg, beamwidth: ^0 deg }", &["no beam is 0 deg wide"]);
        pointing("{ offset: ^1, beamwidth: 1 deg }", &["`1` has no unit"]);
    }
}

#[test]
fn losses() {
    for key in ["polarisation_loss", "implementation_loss"] {
        with(&format!("{key}: ^-0.1 dB"), &["a loss of -0.1 dB is a gain", "above 0 dB"]);
        with(&format!("{key}: ^1"), &["`1` has no unit"]);
    }
    with("other_losses: { radome: ^-1 dB }", &["a loss of -1 dB is a gain"]);
    with("other_losses: { radome: ^one }", &["`one`"]);
    with("other_losses: { radome: 1 dB, ^radome: 1 dB }", &["`radome` stands twice"]);
    with("other_losses: ^1 dB", &["keys with values must stand here"]);
}

#[test]
fn tables_by_elevation() {
    for key in ["atmosphere", "rain"] {
        let table = |table: &str, words: &[&str]| with(&format!("{key}: {table}"), words);
        table("^[]", &["no table by elevation", "at least one row"]);
        table("^-1 dB", &["a loss of -1 dB is a gain"]);
        table("^much", &["`much`"]);
        table("[^1 dB]", &["keys with values must stand here"]);
        table("[^{ loss: 1 dB }]", &["`elevation` is missing"]);
        table("[^{ elevation: 5 deg }]", &["`loss` is missing", "add `loss: 0.5 dB`"]);
        table("[{ elevation: 5 deg, loss: ^1 }]", &["`1` has no unit"]);
        table("[^{ elevation: 91 deg, loss: 1 dB }]", &["row 0 is 91°", "rising elevations"]);
        table(
            "[{ elevation: 9 deg, loss: 1 dB }, ^{ elevation: 5 deg, loss: 2 dB }]",
            &["row 1 is for 5°, not above 9°", "rising elevations"],
        );
        table("[{ elevation: 5 deg, loss: 1 dB }, ^{ elevation: 9 deg, loss: -2 dB }]", &["a loss of -2 dB is a gain"]);
        table("[{ elevation: 5 deg, ^gain: 1 dB, loss: 1 dB }]", &["unknown key `gain`"]);
    }
    receives("gain_over_temperature: [^{ elevation: 5 deg }]", &["`gain_over_temperature` is missing"]);
    receives("gain_over_temperature: ^[]", &["at least one row"]);
    let antenna = "receive_antenna: { gain: 60 dBi }";
    receives(&format!("{antenna}, noise_temperature: [^{{ elevation: 5 deg }}]"), &["`temperature` is missing"]);
    receives(
        &format!("{antenna}, noise_temperature: [{{ elevation: 5 deg, temperature: ^-20 K }}]"),
        &["out of range"],
    );
    with("atmosphere: ^{ loss: 1 dB }", &["a value or a list must stand here"]);
}

#[test]
fn tables_need_an_elevation() {
    let words = ["nothing tells the elevation that this list goes by", "`visibility`", "a `site`"];
    let list = "[{ elevation: 5 deg, loss: 1 dB }, { elevation: 90 deg, loss: 0.1 dB }]";
    let near = |keys: &str| format!("{NEAR}, radio: {{ {SENDS}, required_eb_n0: 2 dB, {keys} }}");
    for key in ["atmosphere", "rain"] {
        let new = near(&format!("gain_over_temperature: 53 dB/K, {key}: ^{list}"));
        refuse(&[No(NEAR, &new, &words)]);
    }
    let figures = "[{ elevation: 5 deg, gain_over_temperature: 53 dB/K }]";
    refuse(&[No(NEAR, &near(&format!("gain_over_temperature: ^{figures}")), &words)]);
    let noise = "receive_antenna: { gain: 60 dBi }, noise_temperature: ^[{ elevation: 5 deg, temperature: 20 K }]";
    refuse(&[No(NEAR, &near(noise), &words)]);
    // One value holds wherever the other end stands.
    read(&edited(NEAR, &near("gain_over_temperature: 53 dB/K, atmosphere: 0.1 dB"))).unwrap();
    // Two places, of which neither has a horizon.
    let sky = "  ground: { site: { body: earth, latitude: 35 deg, longitude: -117 deg, altitude: 1 km } }";
    let centre = edited(sky, "  ground: { body: earth }");
    let text = centre.replacen(FAR, &format!("{FAR}, radio: {{ {SENDS}, {RECEIVES}, rain: {list} }}"), 1);
    let error = read(&text).unwrap_err();
    assert!(error.problems().len() == 1 && error.to_string().contains(words[0]), "{error}");
}

/// The forward channel with a radio and this waveform, in this code.
fn waveform(waveform: &str, errors: &str, words: &[&str]) {
    let channel = format!("{FAR}, radio: {{ {SENDS}, {RECEIVES}, waveform: {waveform} }}{errors}");
    refuse(&[No(FAR, &channel, words)]);
}

#[test]
fn waveforms() {
    let uncoded = ", errors: { coding: { code: uncoded } }";
    let good = "{ modulation: qpsk, roll_off: 0.35, samples_per_symbol: 2.5, frame: 512 B, frequency_offset: -3 kHz }";
    let text = edited(FAR, &format!("{FAR}, radio: {{ {SENDS}, {RECEIVES}, waveform: {good} }}{uncoded}"));
    let scenario = read(&text).unwrap_or_else(|error| panic!("{error}"));
    let read = scenario.links.iter().find_map(|link| link.forward.waveform).expect("a waveform");
    assert_eq!((read.frequency_offset_hz, read.through_samples), (-3e3, true));
    // 502 of 512 octets are for packets, and a marker of 4 octets stands before each frame; two bits a symbol.
    let symbols = 256e3 / 502.0 * 516.0 / 2.0;
    assert!((read.signal.symbol_rate_hz / symbols - 1.0).abs() < 1e-12, "{}", read.signal.symbol_rate_hz);

    waveform("^{ roll_off: 0.5 }", uncoded, &["`modulation` is missing", "add `modulation: bpsk`"]);
    waveform("{ modulation: ^fm }", uncoded, &["there is no modulation `fm`", "`bpsk`"]);
    waveform("{ modulation: ^residual-carrier }", uncoded, &["not available in scenarios yet"]);
    waveform("{ modulation: bpsk, ^pulse: square }", uncoded, &["unknown key `pulse`"]);
    waveform(
        "{ modulation: bpsk, through: ^space }",
        uncoded,
        &["there is no way of transfer frames `space`", "`samples`"],
    );
    waveform("{ modulation: bpsk, roll_off: ^0.05 }", uncoded, &["no roll-off is 0.05", "from 0.1 to 1"]);
    waveform("{ modulation: bpsk, samples_per_symbol: ^1.5 }", uncoded, &["is 1.5", "from 2 to 64"]);
    waveform(
        "{ modulation: bpsk, frame: ^8 B }",
        uncoded,
        &["no transfer frame is 8 bytes long", "from 32 B to 2048 B"],
    );
    waveform("{ modulation: bpsk, frame: ^100 }", uncoded, &["`100` has no unit"]);
    waveform("{ modulation: bpsk, frequency_offset: ^3 MHz }", uncoded, &["3000000 Hz is too far off"]);
    waveform("{ modulation: bpsk, frequency_offset: ^3 }", uncoded, &["`3` has no unit"]);
    waveform("^{ modulation: bpsk }", "", &["nothing says which code the frames are in", "code: concatenated"]);
}

#[test]
fn codes_and_rates_that_no_waveform_has() {
    let coded = |code: &str| format!(", errors: {{ coding: {{ code: {code} }} }}");
    let bpsk = "^{ modulation: bpsk }";
    waveform(bpsk, &coded("turbo-1784"), &["turbo codes cannot be decoded yet", "concatenated"]);
    waveform(bpsk, &coded("concatenated, interleaving: 6"), &["no code block has 6 words", "1, 2, 3, 4, 5 and 8"]);
    waveform(bpsk, &coded("uncoded, scintillation: { index: 0.1 }"), &["does not scintillate yet", "remove"]);
    waveform("{ modulation: bpsk, frame: ^512 B }", &coded("ldpc-1024"), &["settles the length of a transfer frame"]);
    let radio = format!("radio: {{ {SENDS}, {RECEIVES}, waveform: {bpsk} }}{}", coded("uncoded"));
    for rate in
        ["none", "{ highest_of: [1 Mbit/s, 2 Mbit/s] }", "[{ at: 0 s, rate: 1 Mbit/s }, { at: 9 s, rate: none }]"]
    {
        let words = &["has one rate throughout", "`rate: 256 kbit/s`"];
        refuse(&[No(FAR, &format!("rate: {rate}, {radio}"), words)]);
    }
}
