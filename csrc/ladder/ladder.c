/* ladder.c -- the steps on the way to six kernels, for students. Told in docs/kernels; methods:
 * ladder.tmpl.h. */
#define KERNELS "ladder/ladder.h"
#define CALLS "gemm/gemm.h"
#include "fastnn.h"
#define TEMPLATE "ladder/ladder.tmpl.h"
#include "core/levels.h"
