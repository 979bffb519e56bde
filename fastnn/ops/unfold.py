"""Ops of unfold."""

__all__: list[str] = []
