"""What stays out of the build context, and by which file's word."""

from .shape import Folder, Shape

TREE = {
    "app.py": "app\n",
    ".env": "SECRET=1\n",
    "docs/a.md": "a\n",
    "docs/keep.md": "k\n",
    "src/x.pyc": "pyc\n",
    "src/x.py": "x\n",
    "src/deep/y.pyc": "pyc\n",
    "build/out.o": "o\n",
    "build/keep/this": "this\n",
}
ALL = """FROM scratch AS all
COPY . /all/
FROM scratch
COPY --from=all /all /
"""

SHAPES = [
    Shape(
        "ignoring_with_exceptions",
        ALL,
        {
            **TREE,
            ".dockerignore": "# comment\n.env\n**/*.pyc\ndocs/*\n!docs/keep.md\n/build\n!build/keep\nDockerfile\n.docker*\n",
        },
        (
            "all /all/app.py -> /app.py",
            "all /all/docs/keep.md -> /docs/keep.md",
            "all /all/src/x.py -> /src/x.py",
            "all /all/build/keep/this -> /build/keep/this",
        ),
    ),
    Shape(
        "ignoring_all_but_a_list",
        ALL,
        {**TREE, ".dockerignore": "*\n!app.py\n!src\nsrc/deep\n"},
        ("all /all/app.py -> /app.py", "all /all/src/x.py -> /src/x.py", "all /all/src/x.pyc -> /src/x.pyc"),
    ),
    Shape(
        "ignoring_by_the_dockerfiles_own_list",
        ALL,
        {**TREE, ".dockerignore": "app.py\n", "Dockerfile.web.dockerignore": "*\n!app.py\n!docs/a.md\n"},
        ("all /all/app.py -> /app.py", "all /all/docs/a.md -> /docs/a.md"),
        file="Dockerfile.web",
    ),
    Shape(
        "ignoring_by_a_list_in_another_folder",
        ALL,
        {**TREE, "docker/web.Dockerfile.dockerignore": "**\n!src/x.py\n"},
        ("all /all/src/x.py -> /src/x.py",),
        file="docker/web.Dockerfile",
    ),
    Shape(
        "ignoring_nothing_copies_everything",
        ALL,
        {"app.py": "app\n", "empty": Folder(), "docs/a.md": "a\n", ".dockerignore": ""},
        (
            "all /all/app.py -> /app.py",
            "all /all/docs/a.md -> /docs/a.md",
            "all /all/Dockerfile -> /Dockerfile",
            "all /all/.dockerignore -> /.dockerignore",
        ),
    ),
    Shape(
        "ignoring_for_a_text",
        ALL,
        {"app.py": "app\n", "log.txt": "log\n", ".dockerignore": "*.txt\n"},
        ("all /all/app.py -> /app.py", "all /all/.dockerignore -> /.dockerignore"),
        file="",
    ),
    Shape(
        "ignoring_for_a_text_without_a_list",
        ALL,
        {"app.py": "app\n", "log.txt": "log\n"},
        ("all /all/app.py -> /app.py", "all /all/log.txt -> /log.txt"),
        file="",
    ),
    Shape(
        "ignoring_lower_case_dockerfile",
        ALL,
        {"app.py": "app\n", ".dockerignore": ".dockerignore\n"},
        ("all /all/app.py -> /app.py", "all /all/dockerfile -> /dockerfile"),
        file="dockerfile",
    ),
]
