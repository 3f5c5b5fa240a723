"""Lesson 00: start here."""

from . import Exercise

HELLO = '''
recipe = r"""
FROM busybox:1.37
RUN echo "Hello from the factory floor!" > /hello.txt
CMD ["cat", "/hello.txt"]
"""
'''.lstrip()

EXERCISES = [
    Exercise(
        "00.1",
        start=HELLO + 'mine = workshop.build(client, "hello", recipe, tag="factory/hello:mine")',
        check="""
check = workshop.check
check.that(client, "factory/hello:mine",
           check.prints_other_than("Hello from the factory floor!"), unlike="factory/hello")
""",
        hint="One line of the recipe writes the greeting. What stands between the quotation marks is yours to choose.",
        because="Only the changed line and those after it were run again. Lesson 6 is about that.",
        wrong={
            "changed, but it still says the same": ([("> /hello.txt", "> /hello.txt && touch /mine")], "the old words"),
            "a greeting that nobody prints": ([('"cat", "/hello.txt"', '"cat", "/hi.txt"')], "look at the CMD line"),
        },
        right={
            "other words in the file": [("Hello from the factory floor!", "Good morning, Ada.")],
            "the command says it by itself": [('["cat", "/hello.txt"]', '["echo", "Good morning, Ada."]')],
        },
    ),
    Exercise(
        "00.2",
        start=HELLO + 'heavy = workshop.build(client, "hello", recipe, tag="factory/hello:heavy")',
        check="""
check = workshop.check
check.that(client, "factory/hello:heavy",
           check.more_layers_than("factory/hello"), check.has("/ballast", at_least_megabytes=5), unlike="factory/hello")
""",
        hint="`RUN` runs a command, and each `RUN` makes a layer. `bs` times `count` is how much `dd` writes.",
        because=(
            'Draw it: `workshop.show(workshop.charts.layers(workshop.layers(workshop.files(client, "factory/hello:heavy"))))`.'
        ),
        wrong={
            "the file is elsewhere": (
                [("CMD [", "RUN dd if=/dev/zero of=/tmp/ballast bs=1M count=5\nCMD [")],
                "no /ballast",
            ),
            "no line of its own": (
                [("> /hello.txt", "> /hello.txt && dd if=/dev/zero of=/ballast bs=1M count=5")],
                "One line made both /hello.txt and /ballast, so they share a layer",
            ),
            "nothing that makes a layer": (
                [("CMD [", "ENV BALLAST=5MB\nCMD [")],
                "Which Dockerfile words make a layer?",
            ),
            "too light": (
                [("CMD [", "RUN dd if=/dev/zero of=/ballast bs=1M count=4\nCMD [")],
                "it has 4.2 MB, not 5 MB",
            ),
        },
        right={
            "one more RUN": [("CMD [", "RUN dd if=/dev/zero of=/ballast bs=1M count=5\nCMD [")],
            "with another tool, before the greeting": [
                ("RUN echo", "RUN head -c 5000000 /dev/zero > /ballast\nRUN echo")
            ],
        },
    ),
]
