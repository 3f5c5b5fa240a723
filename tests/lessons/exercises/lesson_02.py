"""Lesson 02: one stage."""

from . import Exercise

FLASK = '''
recipe = r"""
FROM python:3.11
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
        "02.1",
        start=FLASK + 'smaller = workshop.build(client, "flask_hello", recipe, tag="factory/flask_hello:smaller")',
        check="""
check = workshop.check
check.that(client, "factory/flask_hello:smaller",
           check.smaller_than("factory/flask_hello:single", by_megabytes=500),
           check.answers("Hello"), unlike="factory/flask_hello:single")
""",
        hint="Nearly all of the bytes came with the base image. Which word names it, and which smaller ones are there?",
        because=(
            "The cheapest improvement there is. It works as long as nothing has to be compiled: that is when a second "
            "stage earns its keep."
        ),
        wrong={
            "hidden is not gone": ([("RUN pip", "RUN rm -rf /usr/lib/gcc && pip")], "Its heaviest layer"),
            "small, and without Python": (
                'recipe = "FROM busybox:1.37\\n"\n'
                'smaller = workshop.build(client, "flask_hello", recipe, tag="factory/flask_hello:smaller")',
                "ended instead of answering",
            ),
        },
        right={
            "Debian without the tools": [("FROM python:3.11", "FROM python:3.11-slim")],
            "another small Linux": [("FROM python:3.11", "FROM python:3.11-alpine")],
        },
    ),
    Exercise(
        "02.2",
        start=FLASK
        + "swept_guess = ...  # MB that the image gets smaller\n"
        + 'swept = workshop.build(client, "flask_hello", recipe, tag="factory/flask_hello:swept")',
        check="""
check = workshop.check
check.that(client, "factory/flask_hello:swept",
           check.lacks("**/cc1plus"), check.not_smaller_than("factory/flask_hello:single"),
           check.answers("Hello"), unlike="factory/flask_hello:single")
""",
        hint=(
            "`RUN` runs any command of the image, and Debian has `rm`. The line may stand anywhere after `FROM`. Debian 12 "
            "keeps its compiler in `/usr/lib/gcc`, Debian 13 in `/usr/libexec/gcc`."
        ),
        because=(
            "The compiler is gone from sight, and every byte of it is still shipped: a layer can hide what is below it, "
            "but not take it out. Lesson 5 looks into that. The fix is next."
        ),
        wrong={
            "the wrong thing swept up": (
                [("EXPOSE 5000", "RUN rm -rf /usr/lib/git-core\nEXPOSE 5000")],
                "can still be seen",
            ),
            "another base, so that there is nothing to sweep": (
                [("FROM python:3.11", "FROM python:3.11-slim")],
                "did you change more than you had to?",
            ),
        },
        right={
            "a line at the end": [("EXPOSE 5000", "RUN rm -rf /usr/lib/gcc /usr/libexec/gcc\nEXPOSE 5000")],
            "in pip's line, with another tool": [("RUN pip", "RUN find /usr/lib*/gcc -delete && pip")],
        },
    ),
]
