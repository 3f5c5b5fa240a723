"""The cases, by theme."""

from __future__ import annotations

from corpus import adding, arguments, copying, errors, ignoring, instructions, ownership, running, samples, stages
from corpus.case import Case

THEMES = (instructions, arguments, copying, adding, ownership, running, stages, ignoring, errors, samples)
CASES: list[Case] = [case for theme in THEMES for case in theme.CASES]
