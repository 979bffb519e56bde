"""Ops of losses."""

__all__: list[str] = []
