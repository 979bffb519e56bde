"""Ops of indexing."""

__all__: list[str] = []
