/* conv2d_frame.tmpl.h -- a frame: part of a plane with its padding around it. Included by
 * conv2d.tmpl.h.
 *
 * Math       frame[i][phase][j] = plane[top + i][left + j * phases + phase], 0 outside the plane of
 *            H x W
 * Layout     frame [rows][phases][width]
 * Method     row by row, and phase by phase of a row (every phases-th pixel): zeros, pixels, zeros
 */
static void FN(frame_of_plane)(REAL *frame, fnn_size rows, fnn_size phases, fnn_size width, const REAL *plane,
                               fnn_size H, fnn_size W, fnn_size top, fnn_size left)
{
    const fnn_size begin = fnn_min(fnn_max(-top, 0), rows), end = fnn_max(begin, fnn_min(H - top, rows));
    memset(frame, 0, begin * phases * width * sizeof(REAL));
    for (fnn_size phase = 0; phase < phases; phase++) {
        fnn_size j0, j1;
        fnn_inside(W, width, phases, left + phase, &j0, &j1);
        for (fnn_size i = begin; i < end; i++) {
            REAL *to = frame + (i * phases + phase) * width;
            /* of what is left of the plane: below 0 */
            const fnn_size from = (top + i) * W + left + phase;
            for (fnn_size j = 0; j < j0; j++) to[j] = 0;
            if (phases == 1) {
                for (fnn_size j = j0; j < j1; j++) to[j] = plane[from + j];
            } else if (phases == 2) {
                for (fnn_size j = j0; j < j1; j++) to[j] = plane[from + 2 * j];
            } else {
                for (fnn_size j = j0; j < j1; j++) to[j] = plane[from + j * phases];
            }
            for (fnn_size j = j1; j < width; j++) to[j] = 0;
        }
    }
    memset(frame + end * phases * width, 0, (rows - end) * phases * width * sizeof(REAL));
}
