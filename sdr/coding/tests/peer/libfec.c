/*
 * libfec as a process, to be compared with: reads stdin to its end, writes stdout.
 *
 *   libfec rs-encode CODE PAD        blocks of K - PAD octets -> blocks of N - PAD
 *   libfec rs-decode CODE PAD ERASED blocks of ERASED positions and N - PAD octets -> an octet (errors corrected, 255 for a failure) and
 *                                    the block as libfec leaves it
 *   libfec viterbi END               soft symbols (0 for a sure 0, 255 for a sure 1) -> packed bits, the last six of which are END
 *   libfec tables                    conventional to dual basis and back, 256 octets each
 *   libfec time-rs-decode CODE TIMES the same input as rs-decode CODE 0 0 -> seconds, as text
 *   libfec time-viterbi TIMES        the same input as viterbi 0 -> seconds, as text
 *
 * CODE is ccsds (255,223 in the dual basis), conventional (255,223) or e8 (255,239 in the conventional basis).
 */
#include <fec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned char *input;
static size_t length;

static void read_all(void) {
    size_t room = 1 << 16;
    input = malloc(room);
    for (size_t got; (got = fread(input + length, 1, room - length, stdin)) > 0;) {
        length += got;
        if (length == room) input = realloc(input, room *= 2);
    }
}

static void *e8;

static int roots(const char *code) { return strcmp(code, "e8") ? 32 : 16; }

static void encode(const char *code, unsigned char *block, int k, int pad) {
    if (!strcmp(code, "ccsds")) encode_rs_ccsds(block, block + k, pad);
    else if (!strcmp(code, "conventional")) encode_rs_8(block, block + k, pad);
    else encode_rs_char(e8, block, block + k);
}

static int decode(const char *code, unsigned char *block, int *positions, int erased, int pad) {
    if (!strcmp(code, "ccsds")) return decode_rs_ccsds(block, positions, erased, pad);
    if (!strcmp(code, "conventional")) return decode_rs_8(block, positions, erased, pad);
    return decode_rs_char(e8, block, positions, erased);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void *ccsds_viterbi(int bits) {
    int polynomials[2] = {V27POLYB, -V27POLYA};
    set_viterbi27_polynomial(polynomials);
    return create_viterbi27(bits);
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    const char *code = argc > 2 ? argv[2] : "";
    int pad = argc > 3 ? atoi(argv[3]) : 0;
    if (!strcmp(mode, "tables")) {
        fwrite(Taltab, 1, 256, stdout);
        fwrite(Tal1tab, 1, 256, stdout);
        return 0;
    }
    read_all();
    if (!strcmp(mode, "rs-encode")) {
        int n = 255 - pad, k = n - roots(code);
        e8 = init_rs_char(8, 0x187, 120, 11, 16, pad);
        for (size_t at = 0; at + k <= length; at += k) {
            unsigned char block[255];
            memcpy(block, input + at, k);
            encode(code, block, k, pad);
            fwrite(block, 1, n, stdout);
        }
    } else if (!strcmp(mode, "rs-decode")) {
        int n = 255 - pad, erased = atoi(argv[4]);
        e8 = init_rs_char(8, 0x187, 120, 11, 16, pad);
        for (size_t at = 0; at + erased + n <= length; at += erased + n) {
            int positions[255] = {0};
            for (int i = 0; i < erased; i++) positions[i] = input[at + i];
            int count = decode(code, input + at + erased, positions, erased, pad);
            putchar(count < 0 ? 255 : count);
            fwrite(input + at + erased, 1, n, stdout);
        }
    } else if (!strcmp(mode, "viterbi")) {
        int bits = length / 2;
        unsigned char *out = calloc(bits / 8 + 1, 1);
        void *v = ccsds_viterbi(bits);
        init_viterbi27(v, 0);
        update_viterbi27_blk(v, input, bits);
        /* The last six bits are the state that it is told. */
        chainback_viterbi27(v, out, bits - 6, atoi(argv[2]));
        fwrite(out, 1, (bits - 6) / 8, stdout);
    } else if (!strcmp(mode, "time-rs-decode")) {
        int times = atoi(argv[3]);
        e8 = init_rs_char(8, 0x187, 120, 11, 16, 0);
        double begin = now();
        for (int i = 0; i < times; i++)
            for (size_t at = 0; at + 255 <= length; at += 255) {
                unsigned char block[255];
                memcpy(block, input + at, 255);
                if (decode(code, block, NULL, 0, 0) < 0) return 3;
            }
        printf("%.9f\n", now() - begin);
    } else if (!strcmp(mode, "time-viterbi")) {
        int bits = length / 2, times = atoi(argv[2]);
        unsigned char *out = calloc(bits / 8 + 1, 1);
        void *v = ccsds_viterbi(bits);
        double begin = now();
        for (int i = 0; i < times; i++) {
            init_viterbi27(v, 0);
            update_viterbi27_blk(v, input, bits);
            chainback_viterbi27(v, out, bits - 6, 0);
        }
        printf("%.9f\n", now() - begin);
    } else {
        fprintf(stderr, "libfec: which mode?\n");
        return 2;
    }
    return 0;
}
