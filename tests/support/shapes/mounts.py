"""Secrets and mounts: of a stage, of an image, of the context, of memory."""

from .shape import BUILDKIT_ONLY, Shape

SHAPES = [
    Shape(
        "mounts_a_secret_that_no_layer_keeps",
        """FROM busybox:1.37 AS build
RUN --mount=type=secret,id=token wc -c < /run/secrets/token | tr -d ' ' > /length
RUN --mount=type=secret,id=netrc,target=/root/.netrc,mode=0444,uid=5 stat -c '%a %u' /root/.netrc > /mode
FROM scratch
COPY --from=build /length /mode /
""",
        {},
        ("build /length -> /length", "build /mode -> /mode"),
        secrets={"token": "twelve-chars", "netrc": "machine x\n"},
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "mounts_a_secret_as_a_variable",
        """FROM busybox:1.37 AS build
RUN --mount=type=secret,id=token,env=TOKEN echo "${#TOKEN}" > /length
FROM scratch
COPY --from=build /length /
""",
        {},
        ("build /length -> /length",),
        secrets={"token": "twelve-chars"},
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "mounts_a_secret_that_need_not_be_there",
        """FROM busybox:1.37 AS build
RUN --mount=type=secret,id=none if [ -e /run/secrets/none ]; then echo yes; else echo no; fi > /there
FROM scratch
COPY --from=build /there /
""",
        {},
        ("build /there -> /there",),
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "mounts_a_stage_instead_of_copying",
        """FROM busybox:1.37 AS wheels
RUN mkdir /wheels && echo w > /wheels/w.whl
FROM busybox:1.37 AS base
RUN --mount=type=bind,from=wheels,source=/wheels,target=/mnt cp /mnt/w.whl /installed
RUN --mount=from=busybox:1.37,source=/bin,target=/other ls /other/sh > /seen
FROM scratch
COPY --from=base /installed /seen /
""",
        {},
        ("base /installed -> /installed", "base /seen -> /seen"),
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "mounts_memory_and_no_network",
        """FROM busybox:1.37 AS build
RUN --mount=type=tmpfs,target=/scratch --network=none echo x > /scratch/x && cp /scratch/x /y
FROM scratch
COPY --from=build /y /
""",
        {},
        ("build /y -> /y",),
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "mounts_the_context_writable",
        """FROM busybox:1.37 AS build
WORKDIR /src
RUN --mount=type=bind,target=.,rw echo changed > a.txt && cat a.txt b.txt > /both
FROM scratch
COPY --from=build /both /
""",
        {"a.txt": "a\n", "b.txt": "b\n"},
        ("build /both -> /both",),
        no_classic=BUILDKIT_ONLY,
    ),
]
