/* loss.c -- losses that compare element by element. Mathematics and methods: loss.tmpl.h. */
#define KERNELS "pointwise/loss.h"
#include "fastnn.h"
#define TEMPLATE "pointwise/loss.tmpl.h"
#include "core/levels.h"
