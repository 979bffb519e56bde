"""Ops of pool2d."""

__all__: list[str] = []
