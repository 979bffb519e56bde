"""Ops of shape."""

__all__: list[str] = []
