/* unfold.c -- every window of an image as a column, and the way back. Mathematics and methods:
 * unfold.tmpl.h. */
#define KERNELS "conv/unfold.h"
#include "fastnn.h"
#define TEMPLATE "conv/unfold.tmpl.h"
#include "core/levels.h"
