"""ONBUILD, links of both kinds, and what is taken away again."""

from .shape import File, Folder, Link, Same, Shape

SHAPES = [
    Shape(
        "links_of_both_kinds_through_the_gate",
        """FROM busybox:1.37 AS build
RUN mkdir /out && echo real > /out/real && ln /out/real /out/same && ln -s real /out/soft && ln -s /nowhere /out/broken
FROM scratch
COPY --from=build /out /out
""",
        {},
        ("build /out/real -> /out/real", "build /out/same -> /out/same"),
    ),
    Shape(
        "links_in_the_context",
        """FROM scratch AS all
COPY . /all/
FROM busybox:1.37
COPY --from=all /all /srv
COPY current /current
""",
        {
            "v1/file": "1\n",
            "current": Link("v1/file"),
            "v1/again": Same("v1/file"),
            "dead": Link("gone"),
            "up": Link("v1"),
        },
        (
            "all /all/Dockerfile -> /srv/Dockerfile",
            "all /all/v1/file -> /srv/v1/file",
            "all /all/v1/again -> /srv/v1/again",
        ),
    ),
    Shape(
        "links_onbuild_of_a_stage",
        """FROM busybox:1.37 AS template
ONBUILD COPY main.txt /app/
ONBUILD RUN cat /app/main.txt > /app/built
WORKDIR /app
FROM template AS build
RUN echo done >> /app/built
FROM busybox:1.37
COPY --from=build /app/built /built
ONBUILD ENV A=1
ONBUILD RUN echo late
""",
        {"main.txt": "main\n"},
        ("build /app/built -> /built",),
    ),
    Shape(
        "links_modes_that_matter",
        """FROM busybox:1.37 AS build
COPY secret.key script.sh /out/
RUN mkdir -m 1777 /out/tmp && mkdir -m 2755 /out/set && touch /out/suid && chmod 4755 /out/suid && chmod 700 /out
FROM busybox:1.37
COPY --from=build /out /out
COPY --from=build /out /opt/
COPY empty /empty
""",
        {"secret.key": File("k\n", 0o600), "script.sh": File("#!/bin/sh\n", 0o755), "empty/sub": Folder(0o750)},
        (
            "build /out/secret.key -> /out/secret.key",
            "build /out/script.sh -> /out/script.sh",
            "build /out/suid -> /out/suid",
            "build /out/secret.key -> /opt/secret.key",
            "build /out/script.sh -> /opt/script.sh",
            "build /out/suid -> /opt/suid",
        ),
    ),
    Shape(
        "links_copied_over_and_taken_away",
        """FROM busybox:1.37 AS build
RUN mkdir -p /out/a /out/b && echo 1 > /out/a/1 && echo 2 > /out/b/2 && echo top > /out/top
FROM busybox:1.37
COPY --from=build /out /x
RUN rm -r /x/a && echo changed > /x/top
COPY --from=build /out/a /x/a
""",
        {},
        ("build /out/b/2 -> /x/b/2", "build /out/a/1 -> /x/a/1"),
    ),
    Shape(
        "links_copy_link",
        """FROM busybox:1.37 AS build
RUN mkdir /out && echo l > /out/l
FROM busybox:1.37
COPY --link --from=build /out /linked
COPY --link local.txt /linked/
""",
        {"local.txt": "local\n"},
        ("build /out/l -> /linked/l",),
    ),
]
