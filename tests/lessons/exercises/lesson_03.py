"""Lesson 03: two stages."""

from . import Exercise

ASKED = ("target=None", 'target="test"')


def tested(lines: str, name: str = "test") -> tuple[str, str]:
    """A third stage with these lines, between the two."""
    return "FROM python:3.11-alpine", f"FROM builder AS {name}\n{lines}\n\nFROM python:3.11-alpine"


EXERCISES = [
    Exercise(
        "03.1",
        start=(
            'bench = workshop.build(client, "flask_hello", "Dockerfile.multi", target=None, '
            'tag="factory/flask_hello:workbench")'
        ),
        check="""
check = workshop.check
check.that(client, "factory/flask_hello:workbench",
           check.has("/install/**/flask/app.py"), check.lacks("/app/app.py"), unlike="factory/flask_hello:multi")
""",
        hint="What stands behind `AS` in the first `FROM`?",
        because=(
            "On the command line this is `docker build --target builder`. Lesson 9 uses it for test and debug images."
        ),
        wrong={
            "the one stage of another recipe": (
                [("Dockerfile.multi", "Dockerfile.single")],
                "no /install/**/flask/app.py",
            ),
        },
        right={
            "by the stage's name": [("target=None", 'target="builder"')],
            "the recipe cut off where the second stage begins": [
                ('"Dockerfile.multi", target=None', 'multi.dockerfile.partition("FROM python:3.11-alpine")[0]'),
            ],
        },
    ),
    Exercise(
        "03.2",
        start='''
recipe = r"""
FROM python:3.11-slim AS builder
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --prefix=/install -r requirements.txt

FROM python:3.11-alpine
WORKDIR /app
COPY --from=builder /install /usr/local
COPY . .
EXPOSE 5000
CMD ["python", "app.py"]
"""
tested = workshop.build(client, "flask_hello", recipe, target=None, tag="factory/flask_hello:tested")
delivered = workshop.build(client, "flask_hello", recipe, tag="factory/flask_hello:delivered")
''',
        check="""
check = workshop.check
unchanged = [check.same_files_as("factory/flask_hello:multi"), check.answers("Hello")]
check.that(client, "factory/flask_hello:tested",
           check.fails_in("python:3.11-slim", beyond="factory/flask_hello:multi.builder"),
           check.also("factory/flask_hello:delivered", *unchanged), unlike="factory/flask_hello:multi")
""",
        hint=(
            "Three lines between the two stages. `python -c` runs a program that is given as text. A check that says that "
            "nothing was attempted saw the customer's image under both names: which stage is the target of the first build?"
        ),
        because=(
            "BuildKit, the builder behind `docker build`, makes only what the target needs: without a target the test is "
            "skipped, and a failing one stops nobody. (The classic builder makes every stage on its way.) Lesson 9 is about "
            "tests that have to run."
        ),
        wrong={
            "the inspector rides along": (
                [
                    tested('ENV PYTHONPATH=/install/lib/python3.11/site-packages\nRUN python -c "import flask"'),
                    (
                        "WORKDIR /app\nCOPY --from",
                        "WORKDIR /app\nCOPY --from=test /app/requirements.txt /inspected\nCOPY --from",
                    ),
                    ASKED,
                ],
                "nothing new should cross the gate",
            ),
            "a stage that tests nothing": ([tested(""), ASKED], "a test needs a RUN"),
            "a command that cannot fail": (
                [tested("RUN touch /tested"), ASKED],
                "does not fail in python:3.11-slim either",
            ),
            "a test whose failure is ignored": (
                [
                    tested(
                        'ENV PYTHONPATH=/install/lib/python3.11/site-packages\nRUN python -c "import flask" || true'
                    ),
                    ASKED,
                ],
                "does not fail in python:3.11-slim either",
            ),
            "the test is delivered": (
                [
                    tested('ENV PYTHONPATH=/install/lib/python3.11/site-packages\nRUN python -c "import flask"'),
                    ASKED,
                    ("recipe, tag=", 'recipe, target="test", tag='),
                ],
                "nothing new should cross the gate",
            ),
        },
        right={
            "a variable, then the import": [
                tested('ENV PYTHONPATH=/install/lib/python3.11/site-packages\nRUN python -c "import flask"'),
                ASKED,
            ],
            "the app itself is imported, in one line": [
                tested("COPY app.py .\nRUN PYTHONPATH=/install/lib/python3.11/site-packages python -c 'import app'"),
                ASKED,
            ],
            "an import that writes nothing": [
                tested(
                    'ENV PYTHONPATH=/install/lib/python3.11/site-packages\nRUN ["python", "-B", "-c", "import flask"]'
                ),
                ASKED,
            ],
            "a recipe that the cache does not know": [
                ("--no-cache-dir", "--no-cache-dir --no-input"),
                tested("RUN PYTHONPATH=/install/lib/python3.11/site-packages python -m flask --version"),
                ASKED,
            ],
            "a name of one's own": [
                tested("RUN PYTHONPATH=/install/lib/python3.11/site-packages python -m flask --version", "inspector"),
                ("target=None", 'target="inspector"'),
            ],
        },
    ),
]
