/* attention.c -- scaled dot-product attention without the matrix of scores. Mathematics and methods: attention.tmpl.h. */
#include "fastnn.h"
#include "philox.h"
#define TEMPLATE "attention.tmpl.h"
#include "levels.h"
