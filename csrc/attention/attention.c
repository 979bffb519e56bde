/* attention.c -- scaled dot-product attention without the matrix of scores. Mathematics and
 * methods: attention.tmpl.h. */
#define KERNELS "attention/attention.h"
#define CALLS "gemm/gemm.h"
#include "fastnn.h"
#include "core/philox.h"
#define TEMPLATE "attention/attention.tmpl.h"
#include "core/levels.h"
