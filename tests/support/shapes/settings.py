"""What an image says of itself: how it starts, its labels, what it inherits."""

from .shape import Shape

SHAPES = [
    Shape(
        "settings_all_of_them",
        """FROM busybox:1.37 AS build
RUN echo x > /x
FROM busybox:1.37
LABEL org.opencontainers.image.title="A title" \\
      org.opencontainers.image.licenses=MIT
LABEL multi="line \\
continued"
ENV A=1 B="two words" C=three\\ words
ENV OLD style of writing
EXPOSE 80 443/tcp 53/udp
VOLUME /data
STOPSIGNAL SIGTERM
USER 1000:1000
WORKDIR /home
SHELL ["/bin/sh", "-ec"]
HEALTHCHECK --interval=5s --timeout=2s --start-period=1s --retries=4 CMD ["true"]
COPY --from=build /x /x
ENTRYPOINT ["/bin/cat"]
CMD ["/x"]
""",
        {},
        ("build /x -> /x",),
    ),
    Shape(
        "settings_inherited_and_reset",
        """FROM busybox:1.37 AS base
ENV A=base
LABEL level=base keep=yes
ENTRYPOINT ["/bin/echo"]
CMD ["one"]
HEALTHCHECK CMD true
USER nobody
VOLUME /v
RUN true
FROM base AS build
USER root
RUN echo x > /x
FROM base
USER root
COPY --from=build /x /x
ENTRYPOINT ["/bin/cat"]
ENV A=$A-child
LABEL level=child
HEALTHCHECK NONE
""",
        {},
        ("build /x -> /x",),
        volumes=("/v",),
    ),
    Shape(
        "settings_shell_forms",
        """FROM busybox:1.37 AS build
SHELL ["/bin/sh", "-exc"]
RUN echo x > /x
FROM busybox:1.37
COPY --from=build /x /
ENTRYPOINT exec cat $FILE
CMD /x
ENV FILE=/x
""",
        {},
        ("build /x -> /x",),
    ),
    Shape(
        "settings_nothing_but_a_file",
        """FROM busybox:1.37 AS build
RUN echo x > /x
FROM scratch
COPY --from=build /x /
""",
        {},
        ("build /x -> /x",),
    ),
    Shape(
        "settings_maintainer_and_odd_case",
        """# escape=\\
from busybox:1.37 as build
maintainer Somebody <somebody@example.org>
run echo x > /x
From busybox:1.37
maintainer Somebody <somebody@example.org>
copy --from=build /x /x
Cmd cat /x
""",
        {},
        ("build /x -> /x",),
    ),
    Shape(
        "settings_volume_that_is_written_to",
        """FROM busybox:1.37 AS build
RUN echo x > /x
FROM busybox:1.37
VOLUME /data
COPY --from=build /x /data/x
RUN mkdir -p /else && echo y > /else/y
""",
        {},
        ("build /x -> /data/x",),
    ),
    Shape(
        "settings_work_folders_that_are_made",
        """FROM busybox:1.37 AS build
WORKDIR /a
WORKDIR b/c
WORKDIR ../d
RUN pwd > here
FROM busybox:1.37
WORKDIR /app/
COPY --from=build /a/b/d/here .
WORKDIR sub
""",
        {},
        ("build /a/b/d/here -> /app/here",),
    ),
]
