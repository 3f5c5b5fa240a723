"""Python: installed beside, into a virtual environment, as wheels; with a test stage, with a user of its own."""

from .shape import BUILDKIT_ONLY, File, Shape

APP = {"requirements.txt": "flask\n", "app/__init__.py": "", "app/main.py": "print('main')\n"}
# Stands for `pip install --prefix=…`: what it is asked for becomes a module.
PIP = File(
    """#!/bin/sh
prefix=$1; shift
mkdir -p "$prefix/lib/python3.11/site-packages" "$prefix/bin"
for name in $(cat "$@"); do
  mkdir -p "$prefix/lib/python3.11/site-packages/$name"
  echo "name = '$name'" > "$prefix/lib/python3.11/site-packages/$name/__init__.py"
done
echo '#!/bin/sh' > "$prefix/bin/serve"; chmod 755 "$prefix/bin/serve"
""",
    0o755,
)

SHAPES = [
    Shape(
        "python_prefix_into_usr_local",
        """FROM python:3.11-alpine AS builder
WORKDIR /src
COPY tools/fake-pip /usr/local/bin/
COPY requirements.txt .
RUN fake-pip /install requirements.txt
FROM python:3.11-alpine
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=builder /install /usr/local
COPY app ./app
EXPOSE 8000
CMD ["python", "-m", "app.main"]
""",
        {**APP, "tools/fake-pip": PIP},
        (
            "builder /install/lib/python3.11/site-packages/flask/__init__.py -> "
            "/usr/local/lib/python3.11/site-packages/flask/__init__.py",
            "builder /install/bin/serve -> /usr/local/bin/serve",
        ),
    ),
    Shape(
        "python_virtual_environment",
        """FROM python:3.11-slim AS build
ENV VIRTUAL_ENV=/opt/venv
ENV PATH="$VIRTUAL_ENV/bin:$PATH"
RUN mkdir -p /opt/venv/bin && printf 'home = /usr/local/bin\\n' > /opt/venv/pyvenv.cfg \\
 && ln -s /usr/local/bin/python /opt/venv/bin/python
COPY requirements.txt /
RUN echo installed > $VIRTUAL_ENV/installed
FROM busybox:1.37
COPY --from=build /opt/venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"
CMD ["python"]
""",
        APP,
        (
            "build /opt/venv/pyvenv.cfg -> /opt/venv/pyvenv.cfg",
            "build /opt/venv/installed -> /opt/venv/installed",
        ),
    ),
    Shape(
        "python_wheels_then_install",
        """FROM python:3.11-alpine AS wheels
COPY requirements.txt .
RUN mkdir /wheels && for name in $(cat requirements.txt) werkzeug; do echo $name > /wheels/$name-1-py3-none-any.whl; done
FROM busybox:1.37 AS runtime
COPY --from=wheels /wheels /wheels
COPY --from=wheels /requirements.txt .
RUN mkdir /site && cat /wheels/*.whl > /site/all && rm -rf /wheels
""",
        APP,
        ("wheels /requirements.txt -> /requirements.txt",),
    ),
    Shape(
        "python_user_install",
        """FROM python:3.11-alpine AS builder
RUN mkdir -p /root/.local/bin /root/.local/lib && echo tool > /root/.local/bin/tool && chmod 750 /root/.local/bin/tool
FROM busybox:1.37
RUN echo 'app:x:1000:1000::/home/app:/bin/sh' >> /etc/passwd && echo 'app:x:1000:' >> /etc/group && mkdir -p /home/app
COPY --from=builder --chown=app:app /root/.local /home/app/.local
USER app
WORKDIR /home/app
ENV PATH=/home/app/.local/bin:$PATH
ENTRYPOINT ["tool"]
""",
        {},
        ("builder /root/.local/bin/tool -> /home/app/.local/bin/tool",),
    ),
    Shape(
        "python_test_stage_before_the_image",
        """FROM python:3.11-alpine AS base
WORKDIR /app
COPY app app
FROM base AS test
RUN python -c "print('tests pass')" > /report.txt
FROM base AS production
COPY --from=test /report.txt /app/report.txt
CMD ["python", "-m", "app.main"]
""",
        APP,
        ("test /report.txt -> /app/report.txt",),
    ),
    Shape(
        "python_lock_file_exported_by_a_stage",
        """FROM busybox:1.37 AS poetry
WORKDIR /tmp
COPY ./pyproject.toml ./poetry.lock* /tmp/
RUN sed 's/name = //' poetry.lock > requirements.txt
FROM busybox:1.37
WORKDIR /code
COPY --from=poetry /tmp/requirements.txt /code/requirements.txt
COPY ./app /code/app
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0"]
""",
        {**APP, "pyproject.toml": "[project]\n", "poetry.lock": "name = flask\n"},
        ("poetry /tmp/requirements.txt -> /code/requirements.txt",),
    ),
    Shape(
        "python_cache_mount",
        """FROM busybox:1.37 AS builder
WORKDIR /app
RUN --mount=type=cache,target=/root/.cache/shapes,id=shapes-uv,sharing=locked \\
    --mount=type=bind,source=requirements.txt,target=requirements.txt \\
    touch /root/.cache/shapes/seen && mkdir -p .venv && cp requirements.txt .venv/installed
ADD app /app/app
FROM busybox:1.37
COPY --from=builder /app /app
WORKDIR /app
""",
        APP,
        (
            "builder /app/.venv/installed -> /app/.venv/installed",
            "builder /app/app/__init__.py -> /app/app/__init__.py",
            "builder /app/app/main.py -> /app/app/main.py",
        ),
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "python_static_files_from_a_second_builder",
        """FROM busybox:1.37 AS assets
WORKDIR /assets
COPY theme.css .
RUN mkdir -p static/css && tr -d ' ' < theme.css > static/css/theme.css
FROM python:3.11-alpine AS deps
RUN mkdir -p /deps && echo django > /deps/django.py
FROM busybox:1.37
COPY --from=deps /deps /usr/lib/python
COPY --from=assets /assets/static /app/static
COPY . /app
""",
        {**APP, "theme.css": "a { b : c }\n", ".dockerignore": "theme.css\n!theme.css\nDockerfile\n.dockerignore\n"},
        (
            "deps /deps/django.py -> /usr/lib/python/django.py",
            "assets /assets/static/css/theme.css -> /app/static/css/theme.css",
        ),
    ),
]
