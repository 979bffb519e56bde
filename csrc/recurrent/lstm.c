/* lstm.c -- long short-term memory: one layer over a sequence, forward and backward. Mathematics
 * and methods: lstm.tmpl.h. */
#include "fastnn.h"
#define TEMPLATE "recurrent/lstm.tmpl.h"
#include "core/levels.h"
