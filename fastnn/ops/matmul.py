"""Ops of matmul."""

__all__: list[str] = []
