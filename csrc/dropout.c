/* dropout.c -- zero random elements. Mathematics and method: dropout.tmpl.h. */
#include "fastnn.h"
#include "philox.h"
#define TEMPLATE "dropout.tmpl.h"
#include "levels.h"
