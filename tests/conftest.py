"""Shared set-up: every test starts from the same seed."""

import pytest
from second_opinion import torch  # noqa: F401  the fixture of tests that compare with PyTorch

import fastnn as nn


@pytest.fixture(autouse=True)
def _same_seed():
    nn.seed(0)


def pytest_configure(config):
    """What is a mistake in a program may be what a test is about."""
    config.addinivalue_line("filterwarnings", "ignore::fastnn.errors.MistakeWarning")


def pytest_collection_modifyitems(items):
    """`-m "not torch"` leaves out what compares with PyTorch; and as processes share the tests by
    their names, these have no addresses in them.
    """
    for item in items:
        assert " at 0x" not in item.nodeid, f"{item.nodeid}: a name with an address in it differs in each process"
        if "torch" in getattr(item, "fixturenames", ()):
            item.add_marker("torch")
