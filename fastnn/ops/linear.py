"""Ops of linear."""

__all__: list[str] = []
