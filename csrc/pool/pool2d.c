/* pool2d.c -- the largest value or the mean of each window of a plane. Mathematics and methods:
 * pool2d.tmpl.h; a map of the family: pool2d.h. */
#define KERNELS "pool/pool2d.h"
#include "fastnn.h"
#include "pool/pool2d_cut.h"

int fnn_pool2d_is_framed(const fnn_window *g) { return pool_is_framed(g); }

#define TEMPLATE "pool/pool2d.tmpl.h"
#include "core/levels.h"
