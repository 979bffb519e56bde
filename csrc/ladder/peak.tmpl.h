/* peak.tmpl.h -- multiply-adds in registers, as many as the processor can take.
 *
 * Math       s[c] = s[c] * a + b, over and over, for PEAK_CHAINS values s[c] that do not depend on
 *            each other
 * Method     One vector register per chain. A fused multiply-add takes 4 to 5 cycles and two can
 *            begin in each, so from 10 chains on the units never wait; with the two constants, 12
 *            chains fit into the 16 registers of SSE and AVX2.
 * Cost       2 * VL * PEAK_CHAINS operations a step, no memory.
 * Threads    one block each.
 */
#ifndef FNN_PEAK_ONCE
#define FNN_PEAK_ONCE
enum { PEAK_CHAINS = 12 };  /* chosen: 2 units with a latency of 5 need 10, and 16 registers hold
                               12 */
typedef struct { void *sink; fnn_size steps; } fnn_peak_args;
#endif

static void FN(peak_block)(void *ctx, fnn_size begin, fnn_size end)
{
    const fnn_peak_args *args = ctx;
    REAL *sink = args->sink;
    for (fnn_size block = begin; block < end; block++) {
        /* a below 1 keeps s finite: it tends to b / (1 - a) */
        vec a = v_set((REAL)0.5), b = v_set((REAL)1e-3);
        vec s0 = v_set((REAL)0), s1 = v_set((REAL)1), s2 = v_set((REAL)2);
        vec s3 = v_set((REAL)3), s4 = v_set((REAL)4), s5 = v_set((REAL)5);
        vec s6 = v_set((REAL)6), s7 = v_set((REAL)7), s8 = v_set((REAL)8);
        vec s9 = v_set((REAL)9), s10 = v_set((REAL)10), s11 = v_set((REAL)11);
        for (fnn_size step = 0; step < args->steps; step++) {
            s0 = s0 * a + b; s1 = s1 * a + b; s2 = s2 * a + b; s3 = s3 * a + b;
            s4 = s4 * a + b; s5 = s5 * a + b; s6 = s6 * a + b; s7 = s7 * a + b;
            s8 = s8 * a + b; s9 = s9 * a + b; s10 = s10 * a + b; s11 = s11 * a + b;
        }
        sink[block] = v_sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    }
}

void FN(multiply_add_peak)(REAL *sink, double *flops, fnn_size blocks, fnn_size steps)
{
    fnn_peak_args args = { sink, steps };
    fnn_parallel_for(blocks, 1, FN(peak_block), &args);
    *flops = 2.0 * (double)VL * PEAK_CHAINS * (double)blocks * (double)steps;
}
