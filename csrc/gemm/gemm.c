/* gemm.c -- matrix products. Mathematics and methods: gemm.tmpl.h. */
#define KERNELS "gemm/gemm.h"
#include "fastnn.h"
#define TEMPLATE "gemm/gemm.tmpl.h"
#include "core/levels.h"
