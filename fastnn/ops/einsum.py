"""Ops of einsum."""

__all__: list[str] = []
