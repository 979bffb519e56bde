"""Philox-4x32-10: random words from a key and a counter, as its paper defines it.

So the random number of an element depends on its own index only, and threads need not agree.

Salmon, Moraes, Dror, Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3".
"""

import numpy as np

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def philox(key, counter_hi, counter_lo):
    """Four 32-bit words (as uint64) for each element of counter_lo: shape (..., 4)."""
    counter_lo = np.asarray(counter_lo, np.uint64)
    c = [counter_lo & LOW, counter_lo >> HALF] + [np.full_like(counter_lo, half)
                                                  for half in divmod(counter_hi, 2**32)[::-1]]
    k0, k1 = key % 2**32, key >> 32
    for _ in range(10):
        # 32 x 32 bits: exact in 64
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> HALF) ^ c[1] ^ np.uint64(k0), b & LOW, (a >> HALF) ^ c[3] ^ np.uint64(k1), a & LOW]
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return np.stack(c, axis=-1)


def keep_mask(p, key, call, index):
    """Which elements dropout with probability p keeps: those whose word is at least p 2^32.

    It is word index % 4 of the counter (call, index // 4).
    """
    index = np.asarray(index, np.uint64)
    words = philox(key, call, index // np.uint64(4))
    word = np.take_along_axis(words, (index % np.uint64(4))[..., None].astype(np.int64), axis=-1)[..., 0]
    return word >= np.uint64(int(p * 2**32))
