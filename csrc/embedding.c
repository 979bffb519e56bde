/* embedding.c -- look up rows of a table. Mathematics and method: embedding.tmpl.h. */
#include "fastnn.h"
#define TEMPLATE "embedding.tmpl.h"
#include "levels.h"
