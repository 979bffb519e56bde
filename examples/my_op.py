"""An op of your own, checked and timed against fastnn's: python examples/my_op.py

Write the forward in NumPy, put it in the op's place, and train with it. `use_kernel` first compares
it with the definition on every sample of the op's record, and says how its time compares with the C
kernel's.
"""

import numpy as np

import fastnn as nn


def my_conv2d(x, w, b=None, *, stride, padding, dilation, groups):
    """Convolution as a sum of matrix products, one for each place (r, s) in the window:

        y[n,k,p,q] += sum over c of w[k,c,r,s] x[n,c,p*sh+r*dh,q*sw+s*dw]
    """
    (sh, sw), (dh, dw) = stride, dilation
    x = np.pad(x, ((0, 0), (0, 0), *padding))
    N, _, H, W = x.shape
    K, C, R, S = w.shape                            # C: channels of one group
    P, Q = (H - dh*(R - 1) - 1)//sh + 1, (W - dw*(S - 1) - 1)//sw + 1
    y = np.zeros((N, K, P, Q), x.dtype)
    for g in range(groups):
        seen = x[:, g*C:(g + 1)*C]
        filters = slice(g*(K//groups), (g + 1)*(K//groups))
        for r in range(R):
            for s in range(S):
                pixels = seen[:, :, r*dh:r*dh + sh*(P - 1) + 1:sh, s*dw:s*dw + sw*(Q - 1) + 1:sw]
                y[:, filters] += np.einsum("kc,ncpq->nkpq", w[filters, :, r, s], pixels)
    return y if b is None else y + b[:, None, None]


def accuracy(epochs):
    """Train the digits' network; how much of the unseen digits it reads."""
    nn.seed(0)
    history = nn.fit(nn.models.DigitsCNN(), nn.data.digits("train"), nn.data.digits("test"), epochs=epochs)
    return history["valid_accuracy"][-1]


def main(epochs=1):
    with nn.use_kernel("conv2d", my_conv2d) as verdict:
        print(verdict)
        mine = accuracy(epochs)
    print("the same network on fastnn's kernel:")
    return mine, accuracy(epochs)


if __name__ == "__main__":
    main()
