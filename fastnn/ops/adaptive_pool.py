"""Ops of adaptive_pool."""

__all__: list[str] = []
