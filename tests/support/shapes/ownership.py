"""Owners: by name, by number, of folders that a copy makes, under a USER."""

from .shape import BUILDKIT_ONLY, File, Shape

USER = "RUN echo 'app:x:4711:4712::/app:/bin/sh' >> /etc/passwd && echo 'crew:x:4712:' >> /etc/group\n"

SHAPES = [
    Shape(
        "ownership_by_name_and_by_number",
        f"""FROM busybox:1.37 AS build
RUN mkdir -p /out/deep && echo a > /out/deep/a && chown -R 7:8 /out
FROM busybox:1.37
{USER}COPY --chown=app:crew --from=build /out /named/new
COPY --chown=4711 --from=build /out/deep/a /numbered/
COPY --chown=0:4712 local.txt /group/
COPY --from=build /out /kept
""",
        {"local.txt": "local\n"},
        (
            "build /out/deep/a -> /named/new/deep/a",
            "build /out/deep/a -> /numbered/a",
            "build /out/deep/a -> /kept/deep/a",
        ),
        roots=("/named",),
    ),
    Shape(
        "ownership_under_a_user",
        f"""FROM busybox:1.37 AS build
{USER}WORKDIR /made/by/root
USER app
WORKDIR /made/by/whom
COPY local.txt copied.txt
USER root
RUN echo x > x
FROM busybox:1.37
{USER}USER app:crew
COPY --from=build /made/by/whom /home
WORKDIR /work
ADD local.txt added.txt
""",
        {"local.txt": "local\n"},
        ("build /made/by/whom/copied.txt -> /home/copied.txt", "build /made/by/whom/x -> /home/x"),
        roots=("/work",),
    ),
    Shape(
        "ownership_modes_with_a_copy",
        """FROM busybox:1.37 AS build
RUN mkdir -p /out/sub && echo a > /out/a && echo b > /out/sub/b
FROM busybox:1.37
COPY --chmod=755 run.sh /bin/run
COPY --chmod=0640 --chown=5:6 --from=build /out /out
""",
        {"run.sh": File("#!/bin/sh\n", 0o600)},
        ("build /out/a -> /out/a", "build /out/sub/b -> /out/sub/b"),
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "ownership_from_a_variable",
        f"""FROM busybox:1.37 AS build
RUN echo a > /a
FROM busybox:1.37
ARG OWNER=4711
{USER}COPY --from=build --chown=$OWNER:crew /a /a
USER ${{OWNER}}
""",
        {},
        ("build /a -> /a",),
    ),
]
