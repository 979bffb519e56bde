"""Ops of norm."""

__all__: list[str] = []
