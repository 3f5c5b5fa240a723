"""Lesson 01: the factory floor."""

from . import Exercise

WIDGET = '''
recipe = r"""
FROM python:3.11 AS floor
WORKDIR /bench
COPY widget.c .
RUN mkdir /out && gcc -Os -static -s -o /out/widget widget.c

FROM busybox:1.37
COPY --from=floor /out/widget /usr/local/bin/widget
CMD ["widget"]
"""
'''.lstrip()

SLIP = 'RUN echo "1 widget, no lathe" > /out/slip.txt\n\nFROM busybox:1.37'

EXERCISES = [
    Exercise(
        "01.1",
        start=WIDGET + 'tiny = workshop.build(client, "widget", recipe, tag="factory/widget:tiny")',
        check="""
check = workshop.check
check.that(client, "factory/widget:tiny",
           check.lacks("**/busybox"), check.prints("Widget no. 1"),
           check.smaller_than("factory/widget:multi"), unlike="factory/widget:multi")
""",
        hint="The box is whatever the last `FROM` names. `scratch` can stand there like any other name.",
        because=(
            "One file in one layer. There is no shell in it: try "
            '`workshop.run(client, "factory/widget:tiny", "sh")` and read what the engine says.'
        ),
        wrong={
            "another box, and a larger one": ([("FROM busybox:1.37", "FROM python:3.11-slim")], "Its heaviest layer"),
            "nothing around it, and no switch": (
                [("FROM busybox:1.37", "FROM scratch"), ('["widget"]', "widget")],
                "there is no shell in it",
            ),
        },
        right={
            "the product alone": [("FROM busybox:1.37", "FROM scratch")],
            "the whole folder of products, elsewhere": [
                ("FROM busybox:1.37", "FROM scratch"),
                ("/out/widget /usr/local/bin/widget", "/out /shelf"),
                ('["widget"]', '["/shelf/widget"]'),
            ],
            "the whole folder of products, where programs are": [
                ("FROM busybox:1.37", "FROM scratch"),
                ("/out/widget /usr/local/bin/widget", "/out/ /bin/"),
            ],
        },
    ),
    Exercise(
        "01.2",
        start=WIDGET + 'packed = workshop.build(client, "widget", recipe, tag="factory/widget:packed")',
        check="""
check = workshop.check
check.that(client, "factory/widget:packed",
           check.has_stage("floor", check.has("/out/slip.txt")),
           check.has("/usr/local/share/slip.txt"), check.has("/usr/local/bin/widget"),
           check.lacks("**/gcc*"), check.prints("Widget no. 1"), unlike="factory/widget:multi")
""",
        hint="Two lines: one that makes the slip, in the first stage, and one that lets it through, in the second.",
        because=(
            "`RUN` on the floor, `COPY --from` at the gate. A third `COPY` from the build context would have worked "
            "as well, but then nothing was *made*."
        ),
        wrong={
            "a slip that was not made on the floor": (
                [("CMD [", "COPY widget.c /usr/local/share/slip.txt\nCMD [")],
                "in the stage floor: no /out/slip.txt",
            ),
            "the slip stays behind": ([("\nFROM busybox:1.37", SLIP)], "no /usr/local/share/slip.txt"),
            "the compiler slips through": (
                [
                    ("\nFROM busybox:1.37", SLIP),
                    ("CMD [", "COPY --from=floor /out/slip.txt /usr/bin/gcc /usr/local/share/\nCMD ["),
                ],
                "/usr/local/share/gcc can still be seen",
            ),
        },
        right={
            "a line on the floor, a line at the gate": [
                ("\nFROM busybox:1.37", SLIP),
                ("CMD [", "COPY --from=floor /out/slip.txt /usr/local/share/slip.txt\nCMD ["),
            ],
            "in the machine's own line, and by the stage's number": [
                ("widget.c\n\n", "widget.c && wc -c /out/widget > /out/slip.txt\n\n"),
                ("CMD [", "COPY --from=0 /out/slip.txt /usr/local/share/\nCMD ["),
            ],
        },
    ),
]
