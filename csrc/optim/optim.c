/* optim.c -- one step of an optimiser over all parameters in one call. Mathematics: optim.h.
 * Method: optim.tmpl.h. */
#define KERNELS "optim/optim.h"
#include "fastnn.h"
#define TEMPLATE "optim/optim.tmpl.h"
#include "core/levels.h"
