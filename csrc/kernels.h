/* kernels.h -- the list of all kernels, by family. It is included many times with different
 * meanings of KERNEL and REAL, so it has no guard. How names are made, and what to search for:
 * fastnn.h. */
#include "pointwise/activation.h"       /* relu, gelu, sigmoid, ... */
#include "pointwise/arithmetic.h"       /* + - * /, exp, log, ...: by element, with broadcasting */
#include "pointwise/special.h"          /* erfc, erfinv, lgamma, digamma */
#include "pointwise/reduce.h"           /* sum, prod, max, argmax, cumsum along axes */
#include "gemm/gemm.h"                  /* matrix products, linear layers */
#include "conv/conv2d.h"                /* convolution and transposed convolution */
#include "conv/unfold.h"                /* im2col as an op of its own */
#include "pool/pool2d.h"                /* max and average pooling */
#include "resample/resample.h"          /* images of another size */
#include "recurrent/lstm.h"
#include "recurrent/gru.h"
#include "recurrent/rnn.h"
#include "pointwise/softmax.h"          /* softmax, cross-entropy, negative log likelihood */
#include "attention/attention.h"
#include "norm/norm.h"                  /* layer, RMS, group and batch normalisation */
#include "pointwise/loss.h"             /* mse, huber, binary cross-entropy, ... */
#include "pointwise/embedding.h"
#include "pointwise/scatter.h"          /* gather, scatter, index_select, index_add, ... */
#include "pointwise/dropout.h"
#include "optim/optim.h"                /* SGD, Adam, Rprop, ...: a step of all parameters */
#include "ladder/peak.h"                /* how fast the machine multiplies */
#include "ladder/ladder.h"              /* the steps that docs/kernels tells of */
