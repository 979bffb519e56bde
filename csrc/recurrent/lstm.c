/* lstm.c -- long short-term memory: one layer over a sequence, forward and backward. Mathematics
 * and methods: lstm.tmpl.h. */
#define KERNELS "recurrent/lstm.h"
#define CALLS "gemm/gemm.h"
#include "fastnn.h"
#define TEMPLATE "recurrent/lstm.tmpl.h"
#include "core/levels.h"
