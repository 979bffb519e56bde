/* peak.h -- how fast this machine multiplies and adds when nothing else is in the way, which is
 * what benchmarks compare with: the row of kernels.h for peak.c; no guard.
 *
 * Names      fnn_multiply_add_peak: FN(multiply_add_peak), in peak.tmpl.h.
 */

/* sink [blocks] receives numbers without meaning, so that nothing is optimised away; *flops the
 * operations done, a multiply-add counting as two. Every block runs `steps` rounds of independent
 * multiply-adds in registers. */
KERNEL(multiply_add_peak, (REAL *sink, double *flops, fnn_size blocks, fnn_size steps), (sink, flops, blocks, steps))
