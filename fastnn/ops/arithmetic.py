"""Ops of arithmetic."""

__all__: list[str] = []
