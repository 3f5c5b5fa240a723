""".dockerignore: clients leave files out before they send a context, and Docker's engine copies whatever was sent.

All that an engine does is to hide the Dockerfile and .dockerignore themselves, where the rules name them.
"""

from __future__ import annotations

from corpus.case import Case, Dir

COPY = "FROM scratch\nCOPY . /x/\n"
TREE = {
    "a.py": "a\n",
    "a.pyc": "a\n",
    "b": Dir(),
    "b/c.py": "c\n",
    "b/c.pyc": "c\n",
    "b/d": Dir(),
    "b/d/e.pyc": "e\n",
    "node_modules": Dir(),
    "node_modules/x": "x\n",
    ".git": Dir(),
    ".git/HEAD": "ref\n",
}


def ignoring(name: str, rules: str, dockerfile: str = COPY, **more) -> Case:
    return Case(f"ignore_{name}", dockerfile, {**TREE, ".dockerignore": rules}, **more)


CASES = [
    ignoring("nothing", ""),
    ignoring("a_file_and_a_folder", "a.py\nnode_modules\n"),
    ignoring("star_stays_in_its_folder", "*.pyc\n"),
    ignoring("double_star", "**/*.pyc\n"),
    ignoring("comments_blanks_and_slashes", "# a.py\n\n  /a.pyc  \nb/\n./node_modules\n"),
    ignoring("all_but_one", "*\n!a.py\n"),
    ignoring("all_but_one_deep", "*\n!b/d/e.pyc\n"),
    ignoring("the_dockerfile_itself", "Dockerfile\n.dockerignore\n"),
    ignoring("everything", "*\n", "FROM scratch\nCOPY . /x/\n"),
    ignoring("everything_then_named", "*\n", "FROM scratch\nCOPY a.py /x/\n"),
    ignoring("a_named_source", "a.py\n", "FROM scratch\nCOPY a.py /x/\n"),
    ignoring("a_glob", "a.py\n", "FROM scratch\nCOPY *.py* /x/\n"),
    ignoring("for_add_too", "b/c.py\n", "FROM scratch\nADD b /x/\n"),
    ignoring("all_but_the_dockerfile", "*\n!Dockerfile\n"),
    ignoring("the_dockerfile_by_pattern", "**/*file\n"),
    ignoring("the_dockerfile_out_and_in", "Dockerfile\n!Docker*\n"),
    ignoring("bad_pattern", "[a\n"),
]
