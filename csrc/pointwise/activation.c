/* activation.c -- functions applied to each element, and their derivatives. Mathematics and
 * methods: activation.tmpl.h. */
#define KERNELS "pointwise/activation.h"
#include "fastnn.h"
#define TEMPLATE "pointwise/activation.tmpl.h"
#include "core/levels.h"
