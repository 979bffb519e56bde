/* norm.c -- layer, RMS and group normalisation. Mathematics and methods: norm.tmpl.h. */
#include "fastnn.h"
#define TEMPLATE "norm.tmpl.h"
#include "levels.h"
