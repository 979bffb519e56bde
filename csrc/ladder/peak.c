/* peak.c -- the multiply-add peak of this machine. Method: peak.tmpl.h. */
#include "fastnn.h"
#define TEMPLATE "ladder/peak.tmpl.h"
#include "core/levels.h"
