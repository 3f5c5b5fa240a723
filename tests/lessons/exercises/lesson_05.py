"""Lesson 05: layers."""

from . import Exercise

EXERCISES = [
    Exercise(
        "05.1",
        start='''
recipe = r"""
FROM python:3.11-slim
WORKDIR /app
RUN apt-get update && apt-get install -y --no-install-recommends tini
COPY netrc /root/.netrc
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
RUN rm -rf /var/lib/apt/lists && rm /root/.netrc
COPY catalogue.py app.py ./
RUN python catalogue.py > parts.csv
RUN sort -o parts.csv parts.csv
RUN useradd --no-create-home clerk && chown -R clerk /app
USER clerk
CMD ["tini", "python", "app.py"]
"""
joined = workshop.build(client, "leaky", recipe, tag="factory/leaky:joined")
''',
        check="""
check = workshop.check
check.that(client, "factory/leaky:joined",
           check.waste_below(5), check.smaller_than("factory/leaky:single", by_megabytes=15),
           check.prints("400,000 parts"), check.runs_as(other_than="root"), unlike="factory/leaky:single")
""",
        hint=(
            "A line can take back only what it has made itself. So each `rm`, and the `chown`, belongs into the line that "
            "wrote what it is about."
        ),
        because=(
            "The waste is gone. The password is not: `COPY` put it into a layer of its own, and no `RUN` can reach that one."
        ),
        wrong={
            "two of the lines": (
                [("catalogue.py > parts.csv\nRUN sort -o parts.csv parts.csv", "catalogue.py | sort > parts.csv")],
                "RUN apt-get update",
            ),
            "all of it in one breath, and then as root": (
                [
                    ("tini\n", "tini && rm -rf /var/lib/apt/lists\n"),
                    ("RUN rm -rf /var/lib/apt/lists && rm /root/.netrc\n", ""),
                    ("catalogue.py > parts.csv\nRUN sort -o parts.csv parts.csv", "catalogue.py | sort > parts.csv"),
                    ("RUN useradd --no-create-home clerk && chown -R clerk /app\nUSER clerk\n", ""),
                ],
                "it runs as root",
            ),
        },
        right={
            "each line tidies up after itself": [
                ("tini\n", "tini && rm -rf /var/lib/apt/lists\n"),
                (
                    "requirements.txt\nRUN rm -rf /var/lib/apt/lists && rm /root/.netrc",
                    "requirements.txt && rm /root/.netrc",
                ),
                (
                    "catalogue.py > parts.csv\nRUN sort -o parts.csv parts.csv\n"
                    "RUN useradd --no-create-home clerk && chown -R clerk /app",
                    "catalogue.py | sort > parts.csv \\\n && useradd --no-create-home clerk \\\n && chown -R clerk /app",
                ),
            ],
            "the owner does the work, so that nothing changes hands": [
                ("tini\n", "tini && rm -rf /var/lib/apt/lists && chown 1000 /app\n"),
                ("RUN rm -rf /var/lib/apt/lists && rm /root/.netrc\n", ""),
                ("RUN python catalogue.py > parts.csv\n", "USER 1000\nRUN python catalogue.py | sort > parts.csv\n"),
                (
                    "RUN sort -o parts.csv parts.csv\nRUN useradd --no-create-home clerk && chown -R clerk /app\nUSER clerk\n",
                    "",
                ),
            ],
        },
    ),
    Exercise(
        "05.2",
        start='''
mended = workshop.build(client, "leaky", tag="factory/leaky:mended", dockerfile=r"""
FROM python:3.11-slim AS builder
WORKDIR /app
COPY netrc /root/.netrc
COPY requirements.txt .
RUN pip install --no-cache-dir --target=/packages -r requirements.txt
COPY catalogue.py .
RUN python catalogue.py > parts.csv
RUN sort -o parts.csv parts.csv
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists
WORKDIR /app
COPY --from=builder /packages /packages
COPY --from=builder --chown=1000:1000 /app/parts.csv .
COPY . .
RUN rm netrc
ENV PYTHONPATH=/packages
USER 1000
CMD ["tini", "python", "app.py"]
""")
''',
        check="""
check = workshop.check
check.that(client, "factory/leaky:mended",
           check.no_layer_has("/root/.netrc", as_in="factory/leaky:single"), check.history_lacks(password),
           check.prints("400,000 parts"), unlike="factory/leaky:hasty")
""",
        hint="Which of the two stages does the password lie in now? What does the app need, besides what the builder made?",
        because=(
            "A second stage is no magic: it ships what you copy, from the builder *and* from your own folder. Name what "
            "you copy. (Where no stage needs a file, a line in `.dockerignore` keeps it out of the build altogether.)"
        ),
        wrong={
            "a tidier whiteout": (
                [("RUN rm netrc", "RUN rm netrc catalogue.py")],
                "(RUN rm netrc catalogue.py) only hides it",
            ),
            "under another name": (
                [("COPY . .\nRUN rm netrc", "COPY app.py .\nCOPY netrc /etc/harmless")],
                "which holds what /root/.netrc held",
            ),
            "as a variable": (
                [("COPY . .\nRUN rm netrc", "COPY app.py .\nENV TOKEN=not-a-real-token-7f3a")],
                "in plain text",
            ),
        },
        right={
            "only the app is copied": [("COPY . .\nRUN rm netrc", "COPY app.py .")],
            "the app, too, comes through the gate": [
                ("COPY catalogue.py .", "COPY catalogue.py app.py ./"),
                (
                    "--chown=1000:1000 /app/parts.csv .\nCOPY . .\nRUN rm netrc",
                    "--chown=1000:1000 /app/parts.csv /app/app.py ./",
                ),
            ],
        },
    ),
]
