"""Files and scripts that stand in the Dockerfile itself."""

from .shape import BUILDKIT_ONLY, Shape

SHAPES = [
    Shape(
        "heredocs_script_and_configuration",
        """# syntax is what the engine has
FROM busybox:1.37 AS build
RUN <<EOF
set -e
mkdir -p /out
echo one > /out/one
echo two > /out/two
EOF
FROM busybox:1.37
COPY --from=build /out /srv
COPY <<-EOF /etc/app.conf
	listen 80
	root /srv
EOF
COPY <<"EOF" /etc/literal.conf
$HOME is kept
EOF
""",
        {},
        ("build /out/one -> /srv/one", "build /out/two -> /srv/two"),
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "heredocs_with_variables_and_another_shell",
        """FROM python:3.11-alpine AS gen
ARG NAME=world
RUN <<EOF python
from pathlib import Path
Path("/greeting").write_text("hello $NAME")
EOF
COPY <<one <<two /both/
first $NAME
one
second
two
FROM scratch
COPY --from=gen /greeting /both/ /x/
""",
        {},
        ("gen /greeting -> /x/greeting", "gen /both/one -> /x/one", "gen /both/two -> /x/two"),
        buildargs={"NAME": "there"},
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "heredocs_added_with_a_mode",
        """FROM busybox:1.37 AS tools
ADD --chmod=755 <<EOF /usr/local/bin/entry
#!/bin/sh
exec "\\$@"
EOF
FROM busybox:1.37
COPY --from=tools --chown=12:34 /usr/local/bin/entry /
ENTRYPOINT ["/entry"]
CMD ["sh"]
""",
        {},
        ("tools /usr/local/bin/entry -> /entry",),
        no_classic=BUILDKIT_ONLY,
    ),
]
