/* norm.c -- layer, RMS, group and batch normalisation. Mathematics and methods: norm.tmpl.h. */
#include "fastnn.h"
#define TEMPLATE "norm.tmpl.h"
#include "levels.h"
