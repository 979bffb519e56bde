/* peak.h -- how fast this machine multiplies and adds when nothing else is in the way: the
 * yardstick of benchmarks. */

/* sink [blocks] receives numbers without meaning, so that nothing is optimised away; *flops the
 * operations done, a multiply-add counting as two. Every block runs `steps` rounds of independent
 * multiply-adds in registers. */
KERNEL(multiply_add_peak, REAL *sink, double *flops, fnn_size blocks, fnn_size steps)
