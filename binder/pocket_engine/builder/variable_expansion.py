"""Variables in an instruction's words."""

from __future__ import annotations

import json
import re

from e2b_dockerfile_utils import ShellLex

from ..errors import BadRequest


def expand(word: str, variables: dict[str, str], escape: str = "\\") -> str:
    """One word with $name, ${name}, ${name:-x}, ${name:+x} … replaced, quotes taken off. Raises BadRequest."""
    try:
        return ShellLex(escape, env=variables, skip_unset_env=False).process_word(word)
    except ValueError as error:
        raise _problem(word, error) from None


def expand_words(word: str, variables: dict[str, str], escape: str = "\\") -> list[str]:
    """The same for instructions where one variable may give several words (EXPOSE)."""
    try:
        return ShellLex(escape, env=variables, skip_unset_env=False).process_words(word)
    except ValueError as error:
        raise _problem(word, error) from None


def _problem(word: str, error: ValueError) -> BadRequest:
    """The parser's reason with the word in front, as Docker puts it."""
    reason = re.sub(r"^failed to process '.*?': ", "", str(error), flags=re.S)
    reason = re.sub(r"modifier \(:(.)\)", r"modifier (\1)", reason)
    return BadRequest(f"failed to process {json.dumps(word, ensure_ascii=False)}: {reason}")
