"""How much processor time GNU Radio takes for samples: `channel_model.py CASE COUNT` prints seconds of processor time.

Its threads are counted together, so samples a second are those of one core, however many it ran on.
"""

import sys
import time

try:
    from gnuradio import analog, blocks, channels, gr
except ImportError as error:
    sys.exit(f"{error}: install it with `apt-get install gnuradio`")


def main():
    case, count = sys.argv[1], int(sys.argv[2])
    graph = gr.top_block()
    size = gr.sizeof_gr_complex
    source, head, sink = blocks.null_source(size), blocks.head(size, count), blocks.null_sink(size)
    if case == "nothing":
        # What it takes to hand samples on, whatever is done to them.
        graph.connect(source, head, sink)
    elif case in ("noise", "pool"):
        # Its channel model draws from a pool of noise that is made once.
        kind = analog.noise_source_c if case == "noise" else analog.fastnoise_source_c
        noise, add = kind(analog.GR_GAUSSIAN, 0.1, 1), blocks.add_cc()
        graph.connect(source, head, add, sink)
        graph.connect(noise, (add, 1))
    elif case == "channel":
        # Noise, an offset of a hundredth of the rate, a resampler at a ratio of 1.00001, and a filter of one tap.
        graph.connect(source, head, channels.channel_model(0.1, 0.01, 1.00001, [1.0], 1, False), sink)
    else:
        sys.exit(f"no case {case}")
    begin = time.process_time()
    graph.run()
    print(time.process_time() - begin)


main()
