/* attention.c -- scaled dot-product attention without the matrix of scores. Mathematics and
 * methods: attention.tmpl.h. */
#include "fastnn.h"
#include "core/philox.h"
#define TEMPLATE "attention/attention.tmpl.h"
#include "core/levels.h"
