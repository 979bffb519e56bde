"""Ops of reduce."""

__all__: list[str] = []
