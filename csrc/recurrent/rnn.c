/* rnn.c -- plain recurrent layers: one layer over a sequence, forward and backward. Mathematics and
 * methods: rnn.tmpl.h. */
#define KERNELS "recurrent/rnn.h"
#define CALLS "gemm/gemm.h"
#include "fastnn.h"
#define TEMPLATE "recurrent/rnn.tmpl.h"
#include "core/levels.h"
