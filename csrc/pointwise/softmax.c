/* softmax.c -- softmax, log-softmax and the losses made of them. Mathematics and methods:
 * softmax.tmpl.h. */
#define KERNELS "pointwise/softmax.h"
#include "fastnn.h"
#define TEMPLATE "pointwise/softmax.tmpl.h"
#include "core/levels.h"
