"""An op of your own, checked and timed against fastnn's: python examples/my_op.py

Write the forward in NumPy, put it in an op's place, and train with it: `use_kernel` first compares
it with the definition on every sample of the op's record, and says how its time compares with the C
kernel's.
"""

import numpy as np

import fastnn as nn


def my_conv2d(x, w, b=None, *, stride, padding, dilation, groups):
    """Cross-correlation as one sum of matrix products, a window position (r, s) at a time: y +=
    w[:, :, r, s] x[..., shifted].
    """
    (sh, sw), (dh, dw) = stride, dilation
    x = np.pad(x, ((0, 0), (0, 0), *padding))
    filters, channels, height, width = w.shape
    rows, columns = (x.shape[2] - dh*(height - 1) - 1)//sh + 1, (x.shape[3] - dw*(width - 1) - 1)//sw + 1
    y = np.zeros((len(x), filters, rows, columns), x.dtype)
    per_group = filters//groups
    for g in range(groups):
        xs, ks = x[:, g*channels:(g + 1)*channels], slice(g*per_group, (g + 1)*per_group)
        for r in range(height):
            for s in range(width):
                window = xs[:, :, r*dh:r*dh + sh*rows:sh, s*dw:s*dw + sw*columns:sw][:, :, :rows, :columns]
                y[:, ks] += np.einsum("kc,ncpq->nkpq", w[ks, :, r, s], window)
    return y if b is None else y + b[:, None, None]


nn.seed(0)
train, test = nn.data.digits("train"), nn.data.digits("test")
with nn.use_kernel("conv2d", my_conv2d) as verdict:
    print(verdict)
    model = nn.models.DigitsCNN()
    nn.fit(model, train, test, epochs=1)
print("the same network on fastnn's kernel:")
nn.seed(0)
nn.fit(nn.models.DigitsCNN(), train, test, epochs=1)
