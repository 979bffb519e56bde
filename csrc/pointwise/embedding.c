/* embedding.c -- look up rows of a table. Mathematics and method: embedding.tmpl.h. */
#define KERNELS "pointwise/embedding.h"
#include "fastnn.h"
#define TEMPLATE "pointwise/embedding.tmpl.h"
#include "core/levels.h"
