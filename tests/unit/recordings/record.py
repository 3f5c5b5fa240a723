"""Record what an engine's builders say, for tests that need no engine: `python tests/unit/recordings/record.py`.

Needs Docker Engine with both builders. Writes <builder>-<case>.json beside this file: the engine and its version, the
Dockerfile, and every message of the stream as `workshop.build` got it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "notebooks"))

import workshop  # noqa: E402
from workshop.builders.buildkit_trace import BuildkitTrace  # noqa: E402
from workshop.builders.classic_log import ClassicLog  # noqa: E402
from workshop.engine.connect import describe  # noqa: E402

LOGS = {"classic": ClassicLog, "buildkit": BuildkitTrace}

# The second build of it is recorded, after an edit of the file that line 3 copies.
EDITED = """FROM busybox:1.37 AS maker
RUN echo cached
COPY material.txt .
RUN cat material.txt > /product && echo last words
FROM busybox:1.37 AS unused
RUN echo nobody needs this
FROM busybox:1.37
COPY --from=maker /product /product
CMD ["cat", "/product"]
"""

# Three equal lines, of which the third fails.
FAILING = """FROM busybox:1.37
RUN echo again >> /count; cat /count; test $(wc -l < /count) -lt 3
RUN echo again >> /count; cat /count; test $(wc -l < /count) -lt 3
RUN echo again >> /count; cat /count; test $(wc -l < /count) -lt 3
CMD ["true"]
"""


def record(client, builder: str, app: Path, dockerfile: str) -> list[dict]:
    """The messages of one build: on BuildKit, of the target's, not of those that keep the other stages."""
    log_class, heard = LOGS[builder], []
    feed = log_class.feed

    def listening(log, message):
        heard.append((log, message))
        return feed(log, message)

    log_class.feed = listening
    try:
        workshop.build(client, app, dockerfile, builder=builder)
    except workshop.WorkshopError as error:
        print(error)
    finally:
        log_class.feed = feed
    return [message for log, message in heard if log is heard[0][0]]


def main() -> None:
    client = workshop.connect()
    engine = describe(client)
    with tempfile.TemporaryDirectory() as folder:
        for builder in LOGS:
            app = Path(folder, f"recording-{uuid.uuid4().hex[:8]}")
            app.mkdir()
            (app / "material.txt").write_text(f"{app.name}\n")
            edited = EDITED.replace("echo cached", f"echo cached {app.name}")
            workshop.build(client, app, edited, builder=builder)
            (app / "material.txt").write_text(f"{app.name} again\n")
            failing = FAILING.replace("again", app.name)
            for case, dockerfile in {"edited": edited, "failing": failing}.items():
                recording = {
                    "recorded from": f"{engine['engine']} {engine['version']}, {engine['store']} image store",
                    "dockerfile": dockerfile,
                    "messages": record(client, builder, app, dockerfile),
                }
                (HERE / f"{builder}-{case}.json").write_text(json.dumps(recording, indent=1) + "\n")
            workshop.tidy(client, app=app.name)


if __name__ == "__main__":
    main()
