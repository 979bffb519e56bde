/* resample.c -- images of another size. Mathematics and method: resample.tmpl.h. */
#define KERNELS "resample/resample.h"
#include "fastnn.h"

#include <string.h>

#define TEMPLATE "resample/resample.tmpl.h"
#include "core/levels.h"
