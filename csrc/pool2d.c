/* pool2d.c -- the largest value or the mean of each window. Mathematics and methods: pool2d.tmpl.h. */
#include "fastnn.h"
#define TEMPLATE "pool2d.tmpl.h"
#include "levels.h"
