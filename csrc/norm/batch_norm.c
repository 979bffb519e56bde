/* batch_norm.c -- batch normalisation. Mathematics and methods: batch_norm.tmpl.h. */
#define KERNELS "norm/norm.h"
#include "fastnn.h"
#define TEMPLATE "norm/batch_norm.tmpl.h"
#include "core/levels.h"
