"""What a notebook shows as HTML or Markdown: text that stays text, and colours that can be read in both themes."""

from __future__ import annotations

import html

# JupyterLab's colours, else its light theme's. They are mixed with the colour of the text around them: by themselves they are
# too pale on white (WCAG 2.2 asks for 4.5 : 1), and darker ones would not do on black.
PURE = {
    "passed": "var(--jp-success-color1, #388e3c)",
    "not yet": "var(--jp-warn-color1, #f57c00)",
    "measured": "var(--jp-info-color1, #0097a7)",
}
SHARE = 55  # percent of the pure colour
QUIET = "var(--jp-ui-font-color1, inherit)"

# JupyterLab hands `$…$`, `\(…\)`, `\[…\]` and environments to MathJax, which does not look across elements; the Markdown
# renderer looks for a bare `$` before that, so none is left, escaped or not.
TEXT_ONLY = {"$": "<span>&#36;</span>", "\\": "<span>&#92;</span>"}


def as_html(text: object) -> str:
    """The text as HTML that shows it, and no tags, entities or mathematics."""
    shown = html.escape(str(text))
    for sign, plain in TEXT_ONLY.items():
        shown = shown.replace(sign, plain)
    return shown


def as_markdown(text: str) -> str:
    """Markdown in which a dollar is a dollar; code in backticks, where it is one already, stays as it is."""
    parts = text.split("`")
    return "`".join(part if number % 2 else part.replace("$", TEXT_ONLY["$"]) for number, part in enumerate(parts))


def colour(kind: str) -> str:
    """A style's colour for a kind of news: "passed", "not yet" or "measured"; any other is as the text around it."""
    if kind not in PURE:
        return QUIET
    return f"color-mix(in srgb, {PURE[kind]} {SHARE}%, currentColor)"


def news(kind: str, sign: str, head: str, words: str) -> str:
    """One piece of news as HTML: a bar, a sign and a head in the kind's colour, then the words in the text's own."""
    bar = f"border-left: 4px solid {PURE.get(kind, 'var(--jp-border-color1, #9e9e9e)')}; padding: 2px 0 2px 10px; margin: 2px 0"
    rest = f": {as_html(words)}" if words else ""
    return (
        f'<div style="{bar}"><b style="color: {colour(kind)}">{as_html(sign)} {as_html(head)}</b>'
        f'<span style="color: {QUIET}">{rest}</span></div>'
    )
