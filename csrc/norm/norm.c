/* norm.c -- layer, RMS and group normalisation. Mathematics and methods: norm.tmpl.h. */
#define KERNELS "norm/norm.h"
#include "fastnn.h"
#define TEMPLATE "norm/norm.tmpl.h"
#include "core/levels.h"
