/* adafactor.c -- a step of Adafactor for one parameter. Mathematics: optim.h. Method:
 * adafactor.tmpl.h. */
#define KERNELS "optim/optim.h"
#include "fastnn.h"
#define TEMPLATE "optim/adafactor.tmpl.h"
#include "core/levels.h"
