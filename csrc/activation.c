/* activation.c -- functions applied to each element, and their derivatives. Mathematics and methods: activation.tmpl.h. */
#include "fastnn.h"
#define TEMPLATE "activation.tmpl.h"
#include "levels.h"
