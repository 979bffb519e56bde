/* gemm.c -- matrix products. Mathematics and methods: gemm.tmpl.h. */
#include "fastnn.h"
#define TEMPLATE "gemm.tmpl.h"
#include "levels.h"
