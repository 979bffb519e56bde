/* loss.c -- losses that compare element by element. Mathematics and methods: loss.tmpl.h. */
#include "fastnn.h"
#define TEMPLATE "loss.tmpl.h"
#include "levels.h"
