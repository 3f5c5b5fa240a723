"""Lesson 06: the cache."""

from . import Exercise

EXERCISES = [
    Exercise(
        "06.1",
        start='''
recipe = r"""
FROM python:3.11-slim
WORKDIR /app
COPY . .
RUN pip install --no-cache-dir -r requirements.txt
CMD ["python", "app.py"]
"""
workshop.build(client, monday, recipe, tag="factory/cache:monday")
workshop.build(client, tuesday, recipe, tag="factory/cache:tuesday")
''',
        check="""
check = workshop.check
check.that(client, "factory/cache:tuesday",
           check.same_layer("factory/cache:monday", "**/flask/app.py"), check.answers(greeting),
           unlike="factory/cache:everything-first-tuesday")
""",
        hint=(
            "What does pip read of the app's folder? Nothing else may have changed below its line. If there is a gate in your "
            "recipe, the same holds of the builder's lines."
        ),
        because=(
            "What changes seldom comes first. With two stages the order counts as well, in each of them: a builder that copies "
            "the whole folder before pip runs has nothing to cut off."
        ),
        wrong={
            "two files by name, in the wrong place": (
                [("COPY . .", "COPY requirements.txt app.py ./")],
                "RUN pip install --no-cache-dir -r requirements.txt ran again",
            ),
            "a second stage behind the same order": (
                [
                    ("FROM python:3.11-slim", "FROM python:3.11-slim AS builder"),
                    ("pip install --no-cache-dir", "pip install --no-cache-dir --prefix=/install"),
                    (
                        "CMD",
                        "FROM python:3.11-slim\nWORKDIR /app\nCOPY --from=builder /install /usr/local\n"
                        "COPY app.py .\nCMD",
                    ),
                ],
                ".pyc has other bytes",
            ),
            "the app is left out": (
                [("COPY . .", "COPY requirements.txt .")],
                "ended instead of answering",
            ),
        },
        right={
            "requirements first": [
                ("COPY . .", "COPY requirements.txt ."),
                ("requirements.txt\nCMD", "requirements.txt\nCOPY . .\nCMD"),
            ],
            "two stages, and the builder gets requirements.txt alone": [
                ("FROM python:3.11-slim", "FROM python:3.11-slim AS builder"),
                ("COPY . .", "COPY requirements.txt ."),
                ("pip install --no-cache-dir", "pip install --no-cache-dir --prefix=/install"),
                ("CMD", "FROM python:3.11-slim\nWORKDIR /app\nCOPY --from=builder /install /usr/local\nCOPY . .\nCMD"),
            ],
            "the packages are named in the recipe, which reads no file": [
                (
                    "COPY . .\nRUN pip install --no-cache-dir -r requirements.txt",
                    "RUN pip install flask==3.1.2\nCOPY . .",
                ),
            ],
        },
    ),
    Exercise(
        "06.2",
        start='''
recipe = r"""
FROM python:3.11 AS floor
WORKDIR /bench
COPY widget.c .
RUN mkdir /out && gcc -Os -static -s -o /out/widget widget.c
RUN date +%s.%N > /out/built-on
FROM busybox:1.37
COPY --from=floor /out /usr/local/bin
CMD ["widget"]
"""
workshop.build(client, plain, recipe, tag="factory/cache:widget-box-before")
workshop.build(client, commented, recipe, tag="factory/cache:widget-box-after")
''',
        check="""
check = workshop.check
check.that(client, "factory/cache:widget-box-after",
           check.same_layer("factory/cache:widget-box-before", "**/widget"), check.has("**/built-on"),
           check.prints("Widget no. 1"), unlike=dated_after)
""",
        hint=(
            "One `COPY --from` is one step: it is a hit if *all* that it copies has stayed the same. And what stands behind a "
            "step that ran runs, too, in the second stage as in the first."
        ),
        because=(
            "The date goes through a gate of its own, behind the widget's: each gate is compared for itself. In the other "
            "order the widget's line would stand on the date's, and run with it."
        ),
        wrong={
            "a gate each, the date's first": (
                [
                    (
                        "COPY --from=floor /out /usr/local/bin",
                        "COPY --from=floor /out/built-on /usr/local/bin/\nCOPY --from=floor /out/widget /usr/local/bin/",
                    )
                ],
                "same, byte for byte, but newer",
            ),
            "the date is in the widget": (
                [
                    ("gcc -Os", 'gcc -DBUILT="$(date +%s)" -Os'),
                    ("widget widget.c", "widget widget.c && date +%s.%N >> /out/widget"),
                ],
                "widget has other bytes",
            ),
            "the date is left behind": (
                [("/out /usr/local/bin", "/out/widget /usr/local/bin/widget")],
                "no **/built-on",
            ),
        },
        right={
            "the widget's gate first, then the date's": [
                (
                    "COPY --from=floor /out /usr/local/bin",
                    "COPY --from=floor /out/widget /usr/local/bin/\nCOPY --from=floor /out/built-on /usr/local/bin/",
                )
            ],
            "the date comes from a stage of its own": [
                ("RUN date +%s.%N > /out/built-on\n", "FROM floor AS calendar\nRUN date +%s.%N > /built-on\n"),
                (
                    "COPY --from=floor /out /usr/local/bin",
                    "COPY --from=floor /out /usr/local/bin\nCOPY --from=calendar /built-on /",
                ),
            ],
            "the date is the package's own": [
                ("RUN date +%s.%N > /out/built-on\n", ""),
                ("/out /usr/local/bin\n", "/out /usr/local/bin\nRUN date > /built-on\n"),
            ],
        },
    ),
]
