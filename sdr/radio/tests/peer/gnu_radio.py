"""GNU Radio and gr-satellites as the other end: their coders, deframers, modulator and demodulator behind a command.

Frames are octets without anything between them. Symbols are one octet each: as channel bits 0 or 1, as soft symbols signed, positive for 0.
Samples are cf32. GNU Radio has it that a positive float is a 1, so soft symbols change their sign on the way in.
"""

import argparse
import signal
import sys
import threading
import time

try:
    import numpy as np
    import pmt
    from gnuradio import blocks, channels, digital, fec, gr, pdu
except ImportError as error:
    sys.exit(f"{error}: install it with `apt-get install gnuradio`")
# Debian 12 has gr-satellites 4 beside GNU Radio 3.10, which moved what that one looks for here.
blocks.byte_t = gr.types.byte_t
blocks.tagged_stream_to_pdu = pdu.tagged_stream_to_pdu
blocks.pdu_to_tagged_stream = pdu.pdu_to_tagged_stream
try:
    import satellites
    from satellites.ccsds import space_packet, telemetry
    from satellites.components.deframers import ccsds_concatenated_deframer, ccsds_rs_deframer
    from satellites.components.demodulators import bpsk_demodulator
except ImportError as error:
    sys.exit(f"{error}: install it with `apt-get install gr-satellites`")

PATIENCE_S = 150
MARKER = np.unpackbits(np.array([0x1A, 0xCF, 0xFC, 0x1D], np.uint8))
# The symbols of a bit in their order, as gr-satellites names them; the newest bit is in the lowest place, and less than 0 is inverted.
CODES = {
    "CCSDS": [0o117, -0o155],
    "NASA-DSN": [-0o155, 0o117],
    "CCSDS uninverted": [0o117, 0o155],
    "NASA-DSN uninverted": [0o155, 0o117],
}
# 131.0-B table 3-1: C1 and C2 of each bit in turn.
PATTERNS = {"1/2": "11", "2/3": "1101", "3/4": "110110", "5/6": "1101100110", "7/8": "11010101100110"}
# The bits at a time of its encoder and decoder of convolutional codes; a multiple of all the patterns' periods.
BLOCK = 840


class Samples(gr.sync_block):
    """What it was given, then zeros without end: a source that ends takes messages with it that are under way."""

    def __init__(self, items):
        gr.sync_block.__init__(self, "samples", None, [items.dtype.type])
        self.items = items

    def work(self, _, outputs):
        out = outputs[0]
        count = min(len(out), len(self.items))
        if count == 0:
            time.sleep(0.002)
            count = min(len(out), 1024)
            out[:count] = 0
        else:
            out[:count], self.items = self.items[:count], self.items[count:]
        return count


class Frames(gr.basic_block):
    """Keeps the octets of PDUs."""

    def __init__(self, until):
        gr.basic_block.__init__(self, "frames", None, None)
        self.until, self.got, self.done = until, [], threading.Event()
        self.message_port_register_in(pmt.intern("in"))
        self.set_msg_handler(pmt.intern("in"), self.take)

    def take(self, message):
        self.got.append(bytes(pmt.u8vector_elements(pmt.cdr(message))))
        if self.until(self.got):
            self.done.set()


def soft_symbols(path):
    """As GNU Radio has them: its decoders expect values about 1."""
    return np.fromfile(path, np.int8).astype(np.float32) / -64


def collect(graph, frames):
    """Runs until the frames are there that are waited for, or patience ends."""
    graph.start()
    frames.done.wait(2 * PATIENCE_S / 3)
    graph.stop()
    graph.wait()
    return frames.got


def run(items, *stages):
    """What comes out of stages of which each ends when its input does."""
    graph = gr.top_block()
    source, sink = {
        np.dtype(np.uint8): blocks.vector_source_b,
        np.dtype(np.float32): blocks.vector_source_f,
        np.dtype(np.complex64): blocks.vector_source_c,
    }[items.dtype], stages[-1]
    graph.connect(source(items.tolist()), *stages)
    graph.run()
    return np.array(sink.data())


def deframe(options):
    """Frames from samples, or from soft symbols where --samples-per-symbol is 0."""
    graph = gr.top_block()
    first = bytes.fromhex(options.until)
    frames = Frames(lambda got: got[-1].startswith(first))
    if options.samples_per_symbol:
        source = Samples(np.fromfile(options.input, np.complex64))
        demodulator = bpsk_demodulator(1.0, options.samples_per_symbol, iq=True, options=options.demodulator)
        graph.connect(source, demodulator)
    else:
        demodulator = Samples(soft_symbols(options.input))
    # GNU Radio does not keep blocks that are written in Python.
    kept = []
    # A carrier is found up to half a turn. Their answer is differential coding; without it, both signs are tried.
    for sign in (1.0, -1.0):
        turned = blocks.multiply_const_ff(sign)
        common = dict(frame_size=options.frame_size, scrambler=options.scrambler, rs_basis=options.basis,
                      rs_en=options.depth > 0, rs_interleaving=max(options.depth, 1), syncword_threshold=4)
        if options.convolutional == "none":
            deframer = ccsds_rs_deframer(**common)
        else:
            deframer = ccsds_concatenated_deframer(convolutional=options.convolutional, **common)
        kept.append(deframer)
        graph.connect(demodulator, turned, deframer)
        graph.msg_connect((deframer, "out"), (frames, "in"))
    with open(options.output, "wb") as out:
        out.write(b"".join(collect(graph, frames)))


def reed_solomon(data, options):
    """Code blocks of frames."""
    graph = gr.top_block()
    encoder = satellites.encode_rs(options.basis == "dual", options.depth)
    wanted = [frame.tobytes() for frame in data.reshape(-1, options.frame_size)]
    frames = Frames(lambda got: len(got) == len(wanted))
    graph.msg_connect((encoder, "out"), (frames, "in"))
    for frame in wanted:
        message = pmt.cons(pmt.PMT_NIL, pmt.init_u8vector(len(frame), list(frame)))
        encoder.to_basic_block()._post(pmt.intern("in"), message)
    return np.frombuffer(b"".join(collect(graph, frames)), np.uint8)


def transmit(options):
    """Channel bits of frames, or samples where --samples-per-symbol is not 0."""
    data = np.fromfile(options.input, np.uint8)
    count = len(data) // options.frame_size
    if options.depth:
        data = reed_solomon(data, options)
    bits = np.unpackbits(data)
    length = len(bits) // count
    if options.scrambler == "CCSDS":
        scrambler = digital.additive_scrambler_bb(0xA9, 0xFF, 7, count=length, bits_per_byte=1)
        bits = run(bits, scrambler, blocks.vector_sink_b()).astype(np.uint8)
    markers = np.tile(MARKER, (count, 1))
    bits = np.hstack([markers, bits.reshape(count, length)]).ravel()
    if options.convolutional != "none":
        bits = encoded(bits, options)
    if not options.samples_per_symbol:
        return bits.astype(np.uint8).tofile(options.output)
    # A multiple of eight bits, as its modulator takes octets.
    bits = np.append(bits, np.tile([0, 1], 64))[: (len(bits) + 64) // 8 * 8]
    modulator = digital.generic_mod(
        digital.constellation_bpsk().base(), False, options.samples_per_symbol, False, excess_bw=options.roll_off)
    signal = run(np.packbits(bits), modulator, blocks.vector_sink_c()).astype(np.complex64)
    power = np.mean(np.abs(signal) ** 2)
    noise = np.sqrt(power * options.samples_per_symbol * 10 ** (-options.es_n0_db / 10))
    model = channels.channel_model(noise, options.offset, options.epsilon, [complex(np.exp(1j * options.phase))], 7)
    samples = run(signal, model, blocks.vector_sink_c()).astype(np.complex64)
    samples.tofile(options.output)


def encoded(bits, options):
    """Channel bits of the convolutional code."""
    bits = np.append(bits, np.zeros(-len(bits) % BLOCK, np.uint8))
    encoder = fec.cc_encoder_make(BLOCK, 7, 2, CODES[options.convolutional], 0, fec.CC_STREAMING)
    stages = fec.extended_encoder(encoder, None, PATTERNS[options.rate]), blocks.vector_sink_b()
    return run(bits.astype(np.uint8), *stages)


def encode(options):
    encoded(np.fromfile(options.input, np.uint8), options).astype(np.uint8).tofile(options.output)


def decode(options):
    """Bits of soft symbols of the convolutional code."""
    soft = soft_symbols(options.input)
    decoder = fec.cc_decoder.make(BLOCK, 7, 2, CODES[options.convolutional], 0, -1, fec.CC_STREAMING, False)
    stages = fec.extended_decoder(decoder, None, None, PATTERNS[options.rate]), blocks.vector_sink_b()
    run(soft, *stages).astype(np.uint8).tofile(options.output)


TM_NAMES = [
    "transfer_frame_version_number", "spacecraft_id", "virtual_channel_id", "ocf_flag", "master_channel_frame_count",
    "virtual_channel_frame_count", "transfer_frame_secondary_header_flag", "synch_flag", "packet_order_flag",
    "segment_length_id", "first_header_pointer",
]
PACKET_NAMES = [
    "ccsds_version", "packet_type", "secondary_header_flag", "AP_ID", "sequence_flags", "packet_sequence_count_or_name",
    "data_length",
]


def headers(options):
    """For each telemetry frame a line with the numbers in its header, those of the packet that its pointer points to, whether its error
    control is right, and the octets of both headers and of the error control as they are made of those numbers."""
    crc = digital.crc(16, 0x1021, 0xFFFF, 0, False, False)
    data = np.fromfile(options.input, np.uint8).tobytes()
    with open(options.output, "w") as out:
        for at in range(0, len(data), options.frame_size):
            frame = data[at : at + options.frame_size]
            primary = telemetry.PrimaryHeader.parse(frame)
            packet = space_packet.PrimaryHeader.parse(frame[6 + primary.first_header_pointer :])
            check = crc.compute(list(frame[:-2]))
            numbers = [int(primary[name]) for name in TM_NAMES] + [int(packet[name]) for name in PACKET_NAMES]
            numbers.append(int(check == int.from_bytes(frame[-2:], "big")))
            made = telemetry.PrimaryHeader.build({name: primary[name] for name in TM_NAMES})
            made += space_packet.PrimaryHeader.build({name: packet[name] for name in PACKET_NAMES})
            made += check.to_bytes(2, "big")
            out.write(" ".join(map(str, numbers)) + " " + made.hex() + "\n")


def main():
    signal.alarm(PATIENCE_S)
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=["deframe", "transmit", "encode", "decode", "headers"])
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--frame-size", type=int, help="octets of a transfer frame")
    parser.add_argument("--depth", type=int, default=0, help="Reed-Solomon code words in a block; 0 is none of it")
    parser.add_argument("--basis", default="dual", choices=["dual", "conventional"])
    parser.add_argument("--scrambler", default="CCSDS", choices=["CCSDS", "none"])
    parser.add_argument("--convolutional", default="none", choices=["none", *CODES])
    parser.add_argument("--rate", default="1/2", choices=PATTERNS)
    parser.add_argument("--until", help="first octets, in hexadecimal, of the frame that ends deframing")
    parser.add_argument("--samples-per-symbol", type=float, default=0)
    parser.add_argument("--demodulator", default="", help="options of gr-satellites' demodulator")
    parser.add_argument("--roll-off", type=float, default=0.5)
    parser.add_argument("--es-n0-db", type=float, default=100)
    parser.add_argument("--offset", type=float, default=0, help="of the carrier, as a part of the sample rate")
    parser.add_argument("--phase", type=float, default=0, help="of the carrier, in radians")
    parser.add_argument("--epsilon", type=float, default=1, help="samples in for a sample out")
    work = {"deframe": deframe, "transmit": transmit, "encode": encode, "decode": decode, "headers": headers}
    # Several pieces of work, so that what takes longest, to load all of GNU Radio, is done once.
    arguments = sys.argv[1:] + ["then"]
    while arguments:
        end = arguments.index("then")
        options = parser.parse_args(arguments[:end])
        work[options.work](options)
        arguments = arguments[end + 1 :]


main()
