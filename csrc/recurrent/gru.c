/* gru.c -- gated recurrent units: one layer over a sequence, forward and backward. Mathematics and
 * methods: gru.tmpl.h. */
#define KERNELS "recurrent/gru.h"
#define CALLS "gemm/gemm.h"
#include "fastnn.h"
#define TEMPLATE "recurrent/gru.tmpl.h"
#include "core/levels.h"
