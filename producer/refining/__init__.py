"""Stored masks made finer where they are read; what is stored never changes."""

from __future__ import annotations

from producer.refining.refine import Refined, refine

__all__ = ["Refined", "refine"]
