"""Targets, and stages that nothing needs."""

from .shape import Shape

STAGES = """FROM busybox:1.37 AS base
RUN echo base > /base
FROM base AS test
RUN echo test > /test
FROM base AS debug
RUN echo debug > /debug
ENV DEBUG=1
FROM busybox:1.37 AS production
COPY --from=base /base /app
CMD ["cat", "/app"]
"""

SHAPES = [
    Shape("targets_the_last_stage", STAGES, {}, ("base /base -> /app",)),
    Shape("targets_a_stage_in_the_middle", STAGES, {}, (), target="debug"),
    Shape("targets_by_name_in_capitals", STAGES, {}, ("base /base -> /app",), target="PRODUCTION"),
    Shape(
        "targets_a_stage_that_nothing_needs",
        """FROM busybox:1.37 AS needed
RUN echo n > /n
FROM busybox:1.37 AS lint
RUN echo lint
FROM scratch AS export
COPY --from=needed /n /n
FROM scratch
COPY --from=export /n /m
""",
        {},
        ("export /n -> /m",),
    ),
    Shape(
        "targets_capitals_in_stage_names",
        """FROM busybox:1.37 AS Builder
RUN echo b > /b
FROM builder AS Tester
RUN echo t > /t
FROM scratch
COPY --from=builder /b /
COPY --from=TESTER /t /
""",
        {},
        ("Builder /b -> /b", "Tester /t -> /t"),
    ),
    Shape(
        "targets_a_stage_called_like_a_number",
        """FROM busybox:1.37 AS stage-1
RUN echo one > /one
FROM busybox:1.37
RUN echo unnamed > /unnamed
FROM scratch
COPY --from=stage-1 /one /
COPY --from=1 /unnamed /
""",
        {},
        ("stage-1 /one -> /one", "stage-1-unnamed /unnamed -> /unnamed"),
    ),
    Shape(
        "targets_a_stage_called_like_its_base",
        """FROM busybox:1.37 AS busybox
RUN echo named > /named
FROM busybox AS second
RUN echo second > /second
FROM scratch
COPY --from=busybox /named /
COPY --from=second /second /
""",
        {},
        ("busybox /named -> /named", "second /second -> /second"),
    ),
]
