"""Contrast of two colours after WCAG 2.2; each (red, green, blue) from 0 to 255."""

from __future__ import annotations

from collections.abc import Sequence


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """From 1, the same, to 21, black on white."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Sequence[float]) -> float:
    """WCAG's relative luminance, 0 to 1."""
    parts = [part / 255 for part in colour]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(part * weight for part, weight in zip(parts, (0.2126, 0.7152, 0.0722)))
