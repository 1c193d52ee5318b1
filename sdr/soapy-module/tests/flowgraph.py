"""Sends a known sequence into end a of the link `moon` and compares what comes out of end b, sample for sample."""

import sys
import time

try:
    from gnuradio import blocks, gr, soapy
except ImportError as error:
    sys.exit(f"{error}: install it with `apt-get install gnuradio`")

PERIOD = 10_007
COUNT = 300_000
PATIENCE_S = 120


def main():
    sequence = [complex(n, 0.5 - n) for n in range(1, PERIOD + 1)]
    graph = gr.top_block()
    device = "driver=farlink"
    sink = soapy.sink(device, "fc32", 1, "link=moon,end=a", "", [""], [""])
    source = soapy.source(device, "fc32", 1, "link=moon,end=b", "", [""], [""])
    for end in (sink, source):
        end.set_sample_rate(0, 2e6)
        end.set_frequency(0, 8.4e9)
        end.set_gain(0, 0.0)
    sent = blocks.vector_source_c(sequence, True)
    wanted = blocks.head(gr.sizeof_gr_complex, COUNT)
    got = blocks.vector_sink_c()
    graph.connect(sent, sink)
    graph.connect(source, wanted, got)
    graph.start()
    deadline = time.monotonic() + PATIENCE_S
    while len(got.data()) < COUNT:
        if time.monotonic() > deadline:
            sys.exit(f"only {len(got.data())} samples came in {PATIENCE_S} s")
        time.sleep(0.01)
    graph.stop()
    graph.wait()
    samples = got.data()
    first = next((n for n, sample in enumerate(samples) if sample != 0), COUNT)
    if COUNT - first < 2 * PERIOD:
        sys.exit(f"the sequence begins at sample {first} only")
    # Sink and source start in any order, so the sequence may be under way when the source does.
    start = int(samples[first].real) - 1 if first == 0 else 0
    for n in range(first, COUNT):
        expected = sequence[(start + n - first) % PERIOD]
        if samples[n] != expected:
            sys.exit(f"sample {n} is {samples[n]}, not {expected}")


main()
