/* dropout.c -- zero random elements. Mathematics and method: dropout.tmpl.h. */
#define KERNELS "pointwise/dropout.h"
#include "fastnn.h"
#include "core/philox.h"
#define TEMPLATE "pointwise/dropout.tmpl.h"
#include "core/levels.h"
