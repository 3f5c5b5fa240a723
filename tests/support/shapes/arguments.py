"""ARG, FROM and platforms: which base, which stage, which value where."""

from .shape import Shape

SHAPES = [
    Shape(
        "arguments_base_and_its_tag",
        """ARG REGISTRY=docker.io/library
ARG BUSYBOX=1.37
ARG BASE=${REGISTRY}/busybox:${BUSYBOX}
FROM ${BASE} AS build
ARG BUSYBOX
RUN echo "$BUSYBOX" > /version
FROM $BASE
COPY --from=build /version /version
""",
        {},
        ("build /version -> /version",),
    ),
    Shape(
        "arguments_choose_a_stage",
        """ARG FLAVOUR=plain
FROM busybox:1.37 AS flavour-plain
RUN echo plain > /flavour
FROM busybox:1.37 AS flavour-full
RUN echo full > /flavour
FROM flavour-${FLAVOUR} AS chosen
RUN cp /flavour /chosen
FROM scratch
COPY --from=chosen /chosen /
""",
        {},
        ("chosen /chosen -> /chosen",),
        buildargs={"FLAVOUR": "full"},
    ),
    Shape(
        "arguments_with_defaults_in_words",
        """ARG TAG
FROM busybox:${TAG:-1.37} AS a
ARG PREFIX=/opt
ENV ROOT=${PREFIX}/app \\
    EMPTY=${NOTHING:-} \\
    SET=${PREFIX:+yes}
WORKDIR $ROOT
RUN echo "$SET$EMPTY" > made
FROM busybox:1.37
ARG PREFIX=/srv
COPY --from=a /opt/app $PREFIX
LABEL prefix="$PREFIX" "with space"="a b"
""",
        {},
        ("a /opt/app/made -> /srv/made",),
    ),
    Shape(
        "arguments_platform_in_from",
        """FROM --platform=$TARGETPLATFORM busybox:1.37 AS one
RUN echo one > /one
FROM --platform=linux/amd64 busybox:1.37
COPY --from=one /one /
""",
        {},
        ("one /one -> /one",),
    ),
    Shape(
        "arguments_architecture_chooses_a_stage",
        """FROM busybox:1.37 AS build-amd64
RUN echo amd64 > /arch
FROM busybox:1.37 AS build-arm64
RUN echo arm64 > /arch
FROM build-${TARGETARCH} AS build
RUN cp /arch /copied
FROM scratch
COPY --from=build /copied /copied
""",
        {},
        ("build /copied -> /copied",),
    ),
    Shape(
        "arguments_given_to_every_stage_anew",
        """ARG VERSION=1
FROM busybox:1.37 AS one
ARG VERSION
RUN echo "one $VERSION" > /one
FROM busybox:1.37 AS two
RUN echo "two $VERSION" > /two
FROM busybox:1.37
ARG VERSION=9
ENV VERSION=v$VERSION
RUN echo "three $VERSION" > /three
COPY --from=one /one /
COPY --from=two /two /
""",
        {},
        ("one /one -> /one", "two /two -> /two"),
        buildargs={"VERSION": "2"},
    ),
    Shape(
        "arguments_spelled_out_official_name",
        """FROM docker.io/library/busybox:1.37 AS build
RUN echo x > /x
FROM library/busybox:1.37
COPY --from=build /x /x
COPY --from=docker.io/library/busybox:1.37 /bin/sh /sh
""",
        {},
        ("build /x -> /x",),
    ),
    Shape(
        "arguments_escaped_with_a_backtick",
        """# escape=`
FROM busybox:1.37 AS build
RUN mkdir /out && `
    echo one > /out/one
FROM busybox:1.37
COPY --from=build `
     /out `
     /in
ENV A=b`
c
""",
        {},
        ("build /out/one -> /in/one",),
    ),
]
