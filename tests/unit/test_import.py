"""What `import workshop` costs: nothing slow that no lesson calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def fresh(code: str) -> str:
    """What a new Python prints."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=NOTEBOOKS, capture_output=True, text=True, check=True
    ).stdout


def test_no_grammar_is_compiled_before_somebody_checks_an_address():
    used = "import sys, workshop; workshop.charts.floor('FROM scratch')._repr_mimebundle_(); "
    assert fresh(used + "print('lark' in sys.modules)") == "False\n"


def test_who_does_check_an_address_is_answered_by_the_real_module():
    check = "jsonschema.FormatChecker().conforms({!r}, 'iri')"
    code = f"import workshop, jsonschema; print({check.format('http://fabrik.de/ö')}, {check.format('not one')})"
    assert fresh(code) == "True False\n"
    assert (
        fresh("import workshop, rfc3987_syntax as r; print(r.is_valid_syntax_iri('a:b'), r.__name__)")
        == "True rfc3987_syntax\n"
    )
