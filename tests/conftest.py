"""Shared set-up: every test starts from the same seed."""

import pytest

import fastnn as nn


@pytest.fixture(autouse=True)
def _same_seed():
    nn.seed(0)
