"""Lesson 03: two stages."""

from . import Exercise

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
tested = workshop.build(client, "flask_hello", recipe, tag="factory/flask_hello:tested")
''',
        check="""
check = workshop.check
check.that(client, "factory/flask_hello:tested",
           check.has_stage("test", check.fails_in("python:3.11-slim", beyond="factory/flask_hello:multi.builder")),
           check.same_files_as("factory/flask_hello:multi"),
           check.answers("Hello"), unlike="factory/flask_hello:multi")
""",
        hint="Three lines between the two stages. `python -c` runs a program that is given as text.",
        because=(
            "The classic builder, which the Docker SDK speaks to, builds every stage, so the test ran. BuildKit builds "
            "only what the final stage needs and would have skipped it unless asked (`--target test`). Lesson 6 shows "
            "the difference."
        ),
        wrong={
            "the inspector rides along": (
                [
                    (
                        "FROM python:3.11-alpine",
                        "FROM builder AS test\nENV PYTHONPATH=/install/lib/python3.11/site-packages\n"
                        'RUN python -c "import flask"\n\n'
                        "FROM python:3.11-alpine\nCOPY --from=test /app/requirements.txt /inspected.txt",
                    )
                ],
                "nothing new should cross the gate",
            ),
            "another name": (
                [("FROM python:3.11-alpine", "FROM builder AS checks\nRUN ls /install\n\nFROM python:3.11-alpine")],
                "asks for one called test",
            ),
            "a stage that tests nothing": (
                [("FROM python:3.11-alpine", "FROM builder AS test\n\nFROM python:3.11-alpine")],
                "in the stage test",
            ),
            "a command that cannot fail": (
                [("FROM python:3.11-alpine", "FROM builder AS test\nRUN touch /tested\n\nFROM python:3.11-alpine")],
                "does not fail in python:3.11-slim either",
            ),
            "a test whose failure is ignored": (
                [
                    (
                        "FROM python:3.11-alpine",
                        "FROM builder AS test\nENV PYTHONPATH=/install/lib/python3.11/site-packages\n"
                        'RUN python -c "import flask" || true\n\nFROM python:3.11-alpine',
                    )
                ],
                "does not fail in python:3.11-slim either",
            ),
        },
        right={
            "a variable, then the import": [
                (
                    "FROM python:3.11-alpine",
                    "FROM builder AS test\nENV PYTHONPATH=/install/lib/python3.11/site-packages\n"
                    'RUN python -c "import flask"\n\nFROM python:3.11-alpine',
                )
            ],
            "the app itself is imported, in one line": [
                (
                    "FROM python:3.11-alpine",
                    "FROM builder AS test\nCOPY app.py .\n"
                    "RUN PYTHONPATH=/install/lib/python3.11/site-packages python -c 'import app'\n\n"
                    "FROM python:3.11-alpine",
                )
            ],
            "an import that writes nothing": [
                (
                    "FROM python:3.11-alpine",
                    "FROM builder AS test\nENV PYTHONPATH=/install/lib/python3.11/site-packages\n"
                    'RUN ["python", "-B", "-c", "import flask"]\n\nFROM python:3.11-alpine',
                )
            ],
            "a recipe that the cache does not know": [
                ("--no-cache-dir", "--no-cache-dir --no-input"),
                (
                    "FROM python:3.11-alpine",
                    "FROM builder AS test\nRUN PYTHONPATH=/install/lib/python3.11/site-packages python -m flask --version\n\n"
                    "FROM python:3.11-alpine",
                ),
            ],
        },
    ),
]
