"""Ops of lstm."""

__all__: list[str] = []
