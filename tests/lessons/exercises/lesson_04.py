"""Lesson 04: sizes."""

from . import Exercise

RECIPE = '''
recipe = r"""
FROM {base}
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
EXPOSE 5000
CMD ["python", "app.py"]
"""
'''.lstrip()

EXERCISES = [
    Exercise(
        "04.1",
        start=RECIPE.format(base="python:3.11-alpine")
        + 'staging = workshop.build(client, "flask_hello", recipe, tag="factory/flask_hello:staging")',
        check="""
check = workshop.check
check.that(client, "factory/flask_hello:staging",
           check.brings_less_than("factory/flask_hello:slim", megabytes=1),
           check.answers("Hello"), unlike="factory/flask_hello:alpine")
""",
        hint="What is already on the server is not fetched again. Which layers could the two images have in common?",
        because=(
            "The same base *and* the same first lines: the builder takes them from its cache, and so they are the same "
            "layers, pip's included. On another build machine, `RUN pip install` would run anew and make another layer "
            "(the times in it differ, if nothing else). If two images have to share it, let one of them say "
            "`FROM factory/flask_hello:slim`, or give both a base of your own."
        ),
        wrong={
            "another base than the server's": (
                [("FROM python:3.11-alpine", "FROM python:3.11")],
                "the aim is under 1 MB",
            ),
            "the same base, and pip in another line": (
                [("FROM python:3.11-alpine", "FROM python:3.11-slim"), ("--no-cache-dir", "--no-cache-dir --quiet")],
                "RUN pip install --no-cache-dir --quiet",
            ),
        },
        right={
            "the same first lines": [("FROM python:3.11-alpine", "FROM python:3.11-slim")],
            "the other image as the base": (
                'recipe = "FROM factory/flask_hello:slim\\nENV STAGE=staging\\n"\n'
                'staging = workshop.build(client, "flask_hello", recipe, tag="factory/flask_hello:staging")'
            ),
        },
    ),
    Exercise(
        "04.2",
        start=RECIPE.format(base="python:3.11-slim")
        + 'lean = workshop.build(client, "flask_hello", recipe, tag="factory/flask_hello:lean")',
        check="""
check = workshop.check
check.that(client, "factory/flask_hello:lean",
           check.brings_less_than("python:3.11-slim", megabytes=10),
           check.answers("Hello"), unlike="factory/flask_hello:slim")
""",
        hint=(
            "Python writes a `.pyc` for what it imports, unless `PYTHONDONTWRITEBYTECODE` is set. And what is written on "
            "another floor stays there."
        ),
        lead="One line, before pip runs:",
        because=(
            "Python then keeps no compiled copies (`.pyc`) of what it imports, neither while pip runs nor later. The "
            "price: what is not there compiled has to be compiled at each start, in memory. Lesson 10 measures starts. "
            "The other way is a second stage, also `FROM python:3.11-slim`, as in lesson 3: there the side effects stay "
            "on the floor, and the setting does not travel with the product."
        ),
        wrong={
            "smaller, on a base that the team does not have": (
                [("FROM python:3.11-slim", "FROM python:3.11-alpine")],
                "the aim is under 10 MB",
            ),
            "removed in a line of its own": (
                [("COPY . .", "RUN find / -name '*.pyc' -path '*/usr/local/*' -delete\nCOPY . .")],
                "RUN pip install",
            ),
        },
        right={
            "no compiled copies": [
                ("COPY requirements.txt .", "ENV PYTHONDONTWRITEBYTECODE=1\nCOPY requirements.txt .")
            ],
            "a second stage on the same base": [
                ("FROM python:3.11-slim", "FROM python:3.11-slim AS builder"),
                ("--no-cache-dir", "--no-cache-dir --prefix=/install"),
                (
                    "COPY . .",
                    "\nFROM python:3.11-slim\nWORKDIR /app\nCOPY --from=builder /install /usr/local\nCOPY . .",
                ),
            ],
        },
    ),
]
