/* peak.c -- the multiply-add peak of this machine. Method: peak.tmpl.h. */
#define KERNELS "ladder/peak.h"
#include "fastnn.h"
#define TEMPLATE "ladder/peak.tmpl.h"
#include "core/levels.h"
