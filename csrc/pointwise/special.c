/* special.c -- functions of the normal distribution and of the gamma function. Mathematics and
 * methods: special.tmpl.h. */
#define KERNELS "pointwise/special.h"
#include "fastnn.h"
#define TEMPLATE "pointwise/special.tmpl.h"
#include "core/levels.h"
