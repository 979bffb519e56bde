/* peak.c -- the multiply-add peak of this machine. Method: peak.tmpl.h. */
#include "fastnn.h"
#define TEMPLATE "peak.tmpl.h"
#include "levels.h"
