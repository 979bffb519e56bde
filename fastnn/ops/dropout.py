"""Ops of dropout."""

__all__: list[str] = []
