"""Ops of softmax."""

__all__: list[str] = []
