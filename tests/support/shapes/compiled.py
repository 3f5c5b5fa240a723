"""One program out of a compiler's stage: into scratch, beside certificates and users, cached in steps, for a platform."""

from .shape import BUILDKIT_ONLY, Shape

MAIN = {"main.go": "package main\n", "go.mod": "module x\n", "go.sum": "", "internal/a.go": "package internal\n"}

SHAPES = [
    Shape(
        "compiled_into_scratch",
        """FROM busybox:1.37 AS builder
WORKDIR /go/src/app
COPY go.mod go.sum ./
RUN cat go.mod > /downloaded
COPY . .
RUN cat *.go internal/*.go > /app && chmod +x /app
FROM scratch
COPY --from=builder /app /app
ENTRYPOINT ["/app"]
""",
        MAIN,
        ("builder /app -> /app",),
    ),
    Shape(
        "compiled_with_certificates_and_a_user",
        """FROM busybox:1.37 AS certs
RUN mkdir -p /etc/ssl/certs && echo PEM > /etc/ssl/certs/ca-certificates.crt
RUN echo 'nobody:x:65534:65534:nobody:/:' > /etc/passwd.min && echo 'nobody:x:65534:' > /etc/group.min
FROM busybox:1.37 AS build
COPY main.go /
RUN cp /main.go /server && chmod 0755 /server
FROM scratch
COPY --from=certs /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=certs /etc/passwd.min /etc/passwd
COPY --from=certs /etc/group.min /etc/group
COPY --from=build /server /server
USER nobody:nobody
EXPOSE 8080/tcp 9090/udp
ENTRYPOINT ["/server"]
""",
        MAIN,
        (
            "certs /etc/ssl/certs/ca-certificates.crt -> /etc/ssl/certs/ca-certificates.crt",
            "certs /etc/passwd.min -> /etc/passwd",
            "certs /etc/group.min -> /etc/group",
            "build /server -> /server",
        ),
    ),
    Shape(
        "compiled_for_a_platform",
        """FROM --platform=$BUILDPLATFORM busybox:1.37 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
RUN --mount=target=. --mount=type=cache,target=/root/.cache/shapes-go echo "$TARGETOS/$TARGETARCH" | cat - main.go > /out
FROM busybox:1.37
COPY --from=build /out /bin/program
""",
        MAIN,
        ("build /out -> /bin/program",),
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "compiled_chef_planner_cacher_builder",
        """FROM busybox:1.37 AS chef
WORKDIR /app
FROM chef AS planner
COPY . .
RUN cat go.mod > recipe.json
FROM chef AS builder
COPY --from=planner /app/recipe.json recipe.json
RUN mkdir -p target/release && echo deps > target/release/deps
COPY . .
RUN cat main.go target/release/deps > target/release/server
FROM busybox:1.37 AS runtime
WORKDIR /app
COPY --from=builder /app/target/release/server /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/server"]
""",
        MAIN,
        ("builder /app/target/release/server -> /usr/local/bin/server",),
    ),
    Shape(
        "compiled_library_and_its_loader",
        """FROM busybox:1.37 AS toolchain
RUN mkdir -p /usr/lib/x /opt/out/lib && echo elf > /usr/lib/x/libx.so.1.2 \\
 && ln -s libx.so.1.2 /usr/lib/x/libx.so.1 && ln -s libx.so.1 /usr/lib/x/libx.so
FROM toolchain AS compile
COPY *.c Makefile /src/
RUN cat /src/*.c > /opt/out/prog && cp -P /usr/lib/x/* /opt/out/lib/
FROM scratch AS runtime
COPY --from=compile /opt/out/ /
COPY --from=compile ["/src/Makefile", "/share/doc/"]
CMD ["/prog"]
""",
        {"a.c": "int a;\n", "b.c": "int b;\n", "Makefile": "all:\n", "c.h": "//\n"},
        (
            "compile /opt/out/prog -> /prog",
            "compile /opt/out/lib/libx.so.1.2 -> /lib/libx.so.1.2",
            "compile /src/Makefile -> /share/doc/Makefile",
        ),
    ),
    Shape(
        "compiled_several_programs_one_target",
        """FROM busybox:1.37 AS source
WORKDIR /src
COPY . .
FROM source AS build-api
RUN echo api > /api
FROM source AS build-worker
RUN echo worker > /worker
FROM scratch AS api
COPY --from=build-api /api /
FROM scratch AS worker
COPY --from=build-worker /worker /
""",
        MAIN,
        ("build-api /api -> /api",),
        target="api",
    ),
    Shape(
        "compiled_without_stage_names",
        """FROM busybox:1.37
RUN echo first > /first
FROM busybox:1.37
COPY --from=0 /first /second
RUN echo more >> /second
FROM scratch
COPY --from=1 /second /third
COPY --from=0 /first /
""",
        {},
        ("stage-1 /second -> /third", "stage-0 /first -> /first"),
    ),
    Shape(
        "compiled_headers_from_an_image",
        """FROM scratch AS headers
COPY c.h /include/
FROM busybox:1.37 AS build
COPY --from=headers /include /usr/include
RUN cat /usr/include/c.h > /prog
FROM scratch
COPY --from=build /prog /
COPY --from=busybox:1.37 /bin/sh /sh
""",
        {"c.h": "//\n"},
        ("build /prog -> /prog",),
    ),
]
