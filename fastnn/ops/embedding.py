"""Ops of embedding."""

__all__: list[str] = []
