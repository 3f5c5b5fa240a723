"""What `import workshop` costs: nothing slow that no lesson calls."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from workshop import opening

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


def test_a_program_that_imports_it_hears_nothing():
    assert fresh("import IPython, workshop") == ""


@pytest.mark.slow
def test_in_a_notebook_it_speaks_before_it_imports_what_takes_time():
    """A real kernel; what is loaded when the words are printed is asked of the printing itself."""
    from jupyter_client import KernelManager

    watch = """if True:
        import sys
        class Listener:
            heard = []
            def write(self, text):
                slow = {"pandas", "plotly", "docker"} & set(sys.modules)
                self.heard += [(text.strip(), slow)] if text.strip() else []
            def flush(self): pass
        screen, sys.stdout = sys.stdout, Listener()
        import workshop
        sys.stdout = screen
        print(Listener.heard)
    """
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "PYTHONPATH": str(NOTEBOOKS)})
    client = manager.client()
    client.start_channels()
    said = []
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive(
            watch, timeout=60, output_hook=lambda one: said.append(one["content"].get("text", ""))
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "".join(said).strip() == str([(opening.WORDS, set())])
