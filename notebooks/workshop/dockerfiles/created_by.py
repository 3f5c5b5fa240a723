"""An image's history: which instruction made which layer, and how a Dockerfile would say it."""

from __future__ import annotations

import re


def made_layers(config: dict, count: int) -> list[str]:
    """The history text behind each of `count` layers, base first; empty texts where the history does not say.

    config: the image's config. OCI image specification, "history": an entry with empty_layer made no layer. Size 0
    does not mean empty: `RUN rm file` makes a real layer of 0 bytes.
    """
    texts = [entry.get("created_by", "") for entry in config.get("history") or [] if not entry.get("empty_layer")]
    return texts if len(texts) == count else [""] * count


def instruction(created_by: str) -> str:
    """A history entry as the Dockerfile had it: `/bin/sh -c #(nop) WORKDIR /app` → `WORKDIR /app`, `/bin/sh -c x` → `RUN x`."""
    text = " ".join(str(created_by or "").split())
    text = re.sub(r"\s*# buildkit$", "", text)
    text = re.sub(r"^\|\d+ (\S+=\S* )*(?=/bin/sh)", "", text)  # classic engines put the ARGs in front
    text = re.sub(r"^(RUN )?\S+( \S+)*? #\(nop\)\s*", "", text)  # the SHELL stands in front, whichever it is
    text = re.sub(r"^(RUN )?/bin/sh -c\s+", "RUN ", text)
    text = re.sub(r"^(COPY|ADD) (?:(--ch\S+?) ?)?(?:file|dir|multi):[0-9a-f]+ in ", _copied, text)
    return text or "(no instruction recorded)"


def _copied(found: re.Match) -> str:
    """Classic engines name a digest where the source stood, and put an option right before it."""
    return " ".join(filter(None, (found[1], found[2], "to "))).replace("to  ", "to ")
