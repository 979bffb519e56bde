/* conv_transpose.tmpl.h -- transposed convolution: the gradients of convolution as an operation.
 * Included by conv2d.tmpl.h.
 *
 * Math       y[n,c,i,j] = b[c] + sum_{k,p,q,r,s} w[k,c,r,s] * x[n,k,p,q]
 *            over all with i = p*sh - ph + r*dh and j = q*sw - pw + s*dw
 *            Let v = conv2d(u, w) for images u of y's shape. Then y is conv2d's dx for the upstream
 *            gradient x: the matrix of conv2d, transposed, times x. That is linear in x, so its own
 *            dx is the forward of conv2d on dy; and its dw is the dw of conv2d, with x in the place
 *            of the upstream gradient and dy in the place of the image.
 * Symbols    window.h, of the convolution u -> v: C channels of H x W are the result here, K of P x
 *            Q the input.
 * Layout     x [N][K][P][Q]   w [K][C/G][R][S]   b [C]   y [N][C][H][W]
 * Method     that of conv2d's dx, y and dw: conv_choose
 * Cost       2*N*K*P*Q*(C/G)*R*S flop, dx and dw the same
 * Reference  fastnn/reference/conv_transpose.py. Zeiler, Krishnan, Taylor, Fergus (2010),
 *            "Deconvolutional networks".
 */
void FN(conv_transpose2d_forward)(REAL *y, const REAL *x, const REAL *w, const REAL *b, REAL *workspace,
                                  const fnn_window *g)
{
    FN(conv_dx)(y, x, w, b, workspace, g);
}

void FN(conv_transpose2d_backward)(REAL *dx, REAL *dw, REAL *db, const REAL *dy, const REAL *x, const REAL *w,
                                   REAL *workspace, const fnn_window *g)
{
    if (dx)
        FN(conv2d_forward)(dx, dy, w, NULL, g);
    if (dw)
        FN(conv_dw)(dw, x, dy, workspace, g);
    if (db)                                         /* forward was  y[n,c,i,j] += b[c] */
        FN(conv_db)(db, dy, g->N, g->C, g->H * g->W);
}
