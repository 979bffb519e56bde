"""Whether a law notices what it is for: helpers of tests that break an op or a state on purpose."""

import numpy as np


def caught(law, op, dtype=np.float64):
    """Whether the law fails on at least one sample of the op."""
    for sample in op.samples():
        try:
            law(op, sample, dtype)
        except AssertionError:
            return True
    return False


def every_place(value, place=()):
    """The places of all values in dicts, lists and tuples, and of these themselves."""
    yield place
    if isinstance(value, (dict, list, tuple)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from every_place(value[key], (*place, key))


def replaced(value, place, new):
    """The same dicts, lists and tuples anew, with another value in one place."""
    if not place:
        return new
    items = dict(value) if isinstance(value, dict) else list(value)
    items[place[0]] = replaced(items[place[0]], place[1:], new)
    return tuple(items) if isinstance(value, tuple) else items
