"""COPY and ADD as steps: which sources, which destination, and the comment that stands for them in history and cache."""

from __future__ import annotations

import email.utils
import hashlib
import posixpath
import time
from urllib.parse import urlsplit

import requests
from e2b_dockerfile_utils import ShellLex, chomp_heredoc_content

from ..errors import BadRequest, NotFound
from . import copy_files, stage_users
from .build_context import FileSource
from .dockerfile import Step, find_stage
from .options_and_state import StageState
from .upper_dir import UpperDir
from .variable_expansion import expand

MOST_DOWNLOAD = 1 << 30  # bytes


class CopyStep:
    """A COPY or ADD with its sources found. Raises BadRequest where one is missing."""

    def __init__(self, build, step: Step, state: StageState):
        self._step, self._state = step, state
        variables = state.variables()
        *names, dest = [expand(word, variables, step.escape) for word in step.args]
        texts = {doc.name: doc for doc in step.heredocs}
        names = [name for name in names if name.removeprefix("<<").lstrip("-").strip("'\"") not in texts]
        self.dest = _destination(dest, state.config.get("WorkingDir") or "/")
        flags = {name: expand(value, variables, step.escape) for name, value in step.flags.items()}
        self._owner = stage_users.owner(flags["chown"], build.reader(state)) if flags.get("chown") else None
        self._mode = _mode(flags["chmod"]) if flags.get("chmod") else None
        remote = [name for name in names if step.name == "ADD" and name.startswith(("http://", "https://"))]
        local = [name for name in names if name not in remote]
        source = self._source(build, flags.get("from", ""))
        self._from = bool(flags.get("from"))
        self.items = [_download(url, self.dest, build) for url in remote]
        try:
            if local:
                self.items += copy_files.find_items(source, local, step.name, from_stage="from" in flags)
        except FileNotFoundError as error:
            where = "stat" if self._from else "file not found in build context or excluded by .dockerignore: stat"
            raise BadRequest(f"{step.name} failed: {where} {error}: file does not exist") from None
        if texts:
            self.items += _heredoc_items(texts.values(), variables, step.escape)
        if step.name == "ADD" and "from" not in flags:
            self.items = [copy_files.with_archive_opened(item, build.folder) for item in self.items]
        chown = f"--chown={flags['chown']}" if flags.get("chown") else ""
        chmod = f"--chmod={flags['chmod']} " if flags.get("chmod") else ""
        self.comment = f"{step.name} {chown}{chmod}{_history_digest(self.items)} in {dest} "

    def _source(self, build, name: str) -> FileSource:
        if not name:
            if build.context is None:
                raise BadRequest(f"{self._step.name} failed: no build context was sent")
            return build.context
        if name.isdecimal() and int(name) == len(build.finished_stages):
            raise BadRequest(f"invalid from flag value {name}: refers to current build stage")
        number = find_stage(build.finished_stages, name)
        if number is not None:
            return build.layers.view(build.finished_stages[number].diff_ids)
        try:
            image = build.image(name)
        except NotFound as error:
            raise BadRequest(f"invalid from flag value {name}: {error.message}") from None
        return build.layers.view(image.diff_ids)

    def apply(self, upper: UpperDir) -> None:
        """Put the files where they belong."""
        copy_files.copy(upper, self.items, self.dest, self._step.name, self._owner, self._mode, self._from)


def _destination(dest: str, workdir: str) -> str:
    """Absolute, with its slash at the end if it had one (moby, builder/dockerfile/internals_linux.go)."""
    slash = dest.endswith("/")
    path = posixpath.normpath(posixpath.join("/", workdir, dest))
    path = "/" + path.lstrip("/")
    return path + "/" if slash and path != "/" else path


def _history_digest(items: list[copy_files.CopyItem]) -> str:
    """One digest for the history: file:…, dir:…, or multi:… over several (moby, builder/dockerfile/copy.go)."""
    if len(items) == 1:
        return items[0].digest
    return "multi:" + hashlib.sha256(",".join(item.digest for item in items).encode()).hexdigest()


def _mode(text: str) -> int:
    if not text or any(char not in "01234567" for char in text) or int(text, 8) > 0o7777:
        raise BadRequest(f"Error parsing chmod {text}: invalid chmod parameter: '{text}'. it should be octal string")
    return int(text, 8)


def _heredoc_items(docs, variables: dict[str, str], escape: str) -> list[copy_files.CopyItem]:
    files = {}
    for doc in docs:
        content = chomp_heredoc_content(doc.content) if doc.chomp else doc.content
        files[doc.name] = (_expand_heredoc(content, variables, escape) if doc.expand else content).encode()
    source = copy_files.InMemorySource(files)
    return [
        copy_files.CopyItem(source, name, name, f"file:{hashlib.sha256(data).hexdigest()}")
        for name, data in files.items()
    ]


def _expand_heredoc(text: str, variables: dict[str, str], escape: str) -> str:
    """A heredoc's variables; its quotes are its own."""
    lex = ShellLex(escape, env=variables, skip_unset_env=False, skip_process_quotes=True, raw_quotes=True)
    return lex.process_word(text)


def _download(url: str, dest: str, build) -> copy_files.CopyItem:
    """ADD's download: mode 600, named after the URL's last part, the server's time (Dockerfile reference, ADD)."""
    name = posixpath.basename(urlsplit(url).path)
    if not name and dest.endswith("/"):
        raise BadRequest(f"cannot determine filename for source {url}")
    try:
        with requests.get(url, stream=True, timeout=60) as answer:
            answer.raise_for_status()
            parts, size = [], 0
            for part in answer.iter_content(1 << 20):
                size += len(part)
                if size > MOST_DOWNLOAD or build.stop.is_set():
                    raise BadRequest(
                        f"ADD failed: {url} is larger than {MOST_DOWNLOAD >> 20} MiB, or the build was stopped"
                    )
                parts.append(part)
            modified = (
                email.utils.parsedate_to_datetime(answer.headers["Last-Modified"])
                if "Last-Modified" in answer.headers
                else None
            )
    except requests.RequestException as error:
        raise BadRequest(f"ADD failed: failed to GET {url}: {error}") from None
    data = b"".join(parts)
    source = copy_files.InMemorySource({name or "file": data}, 0o600, modified.timestamp() if modified else time.time())
    return copy_files.CopyItem(source, name or "file", name, f"file:{hashlib.sha256(data).hexdigest()}", fetched=True)
