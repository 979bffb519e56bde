"""Ops of cross_entropy."""

__all__: list[str] = []
