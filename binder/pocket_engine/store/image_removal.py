"""Which images and names go when one is removed: the rules of moby, daemon/images/image_delete.go and image_prune.go."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence

from ..errors import Conflict
from .image_names import Reference


class Removal:
    """Changes `images` {id: {parent, digests}} and `names` {name:tag: id} in place; `records` says what was done.

    used_by: the containers of an image, as {id: whether it runs}.
    """

    def __init__(self, images: dict[str, dict], names: dict[str, str], used_by: Callable[[str], Mapping[str, bool]]):
        self.images, self.names, self.used_by = images, names, used_by
        self.records: list[dict] = []

    def remove(self, image_id: str, reference: Reference | None, force: bool, prune: bool) -> None:
        """reference: the name that was asked for; None if it was the id. Raises Conflict."""
        quiet = False
        if reference is not None:
            users = self.used_by(image_id)
            if users and not force and self._is_single(image_id):
                raise Conflict(
                    f'conflict: unable to remove repository reference "{reference}" (must force) - container '
                    f"{next(iter(users))[:12]} is using its referenced image {_short(image_id)}"
                )
            self._untag(image_id, str(reference))
            if not any(name.rpartition(":")[0] == reference.name for name in self._tags(image_id)):
                for digest_name in list(self.images[image_id]["digests"]):
                    if digest_name.partition("@")[0] == reference.name:
                        self._untag(image_id, digest_name)
            if self._all_names(image_id):
                return
            quiet = True
        elif self._is_single(image_id):
            self._check(image_id, force, names=False)
            self._untag_all(image_id)
        self._delete(image_id, force, prune, quiet)

    def prune(self, image_ids: Sequence[str], dangling: bool) -> None:
        """Remove those of the images that have no tag, or all; what is used, or has children, stays."""
        for image_id in image_ids:
            if image_id not in self.images or self.used_by(image_id):
                continue
            if (dangling and self._tags(image_id)) or (self._children(image_id) and not self._all_names(image_id)):
                continue
            self._untag_all(image_id)
            self._delete(image_id, force=False, prune=True, quiet=True)

    def _delete(self, image_id: str, force: bool, prune: bool, quiet: bool) -> None:
        """The image, and then the images it was made from as long as nothing else needs them.

        quiet: its last name is gone already; where a conflict keeps it, it stays without one, which is no error.
        """
        try:
            self._check(image_id, force, names=True)
        except Conflict:
            if quiet:
                return
            raise
        parent = self.images[image_id]["parent"]
        self._untag_all(image_id)
        del self.images[image_id]
        self.records.append({"Deleted": image_id})
        while prune and parent in self.images:
            if self._all_names(parent) or self._children(parent) or self.used_by(parent):
                return
            self.records.append({"Deleted": parent})
            parent = self.images.pop(parent)["parent"]

    def _check(self, image_id: str, force: bool, names: bool) -> None:
        """Raises Conflict, worded as Docker does."""
        what = f"conflict: unable to delete {_short(image_id)}"
        if self._children(image_id):
            raise Conflict(f"{what} (cannot be forced) - image has dependent child images")
        users = self.used_by(image_id)
        if running := [container_id for container_id, runs in users.items() if runs]:
            raise Conflict(f"{what} (cannot be forced) - image is being used by running container {running[0][:12]}")
        if force:
            return
        if names and self._all_names(image_id):
            raise Conflict(f"{what} (must be forced) - image is referenced in multiple repositories")
        if users:
            first = next(iter(users))
            raise Conflict(f"{what} (must be forced) - image is being used by stopped container {first[:12]}")

    def _untag(self, image_id: str, name: str) -> None:
        if "@" in name:
            self.images[image_id]["digests"].remove(name)
        else:
            del self.names[name]
        self.records.append({"Untagged": name})

    def _untag_all(self, image_id: str) -> None:
        for name in self._all_names(image_id):
            self._untag(image_id, name)

    def _tags(self, image_id: str) -> list[str]:
        return sorted(name for name, target in self.names.items() if target == image_id)

    def _all_names(self, image_id: str) -> list[str]:
        return self._tags(image_id) + self.images[image_id]["digests"]

    def _is_single(self, image_id: str) -> bool:
        """At most one tag, and all names in one repository."""
        tags, digests = self._tags(image_id), self.images[image_id]["digests"]
        repositories = {name.rpartition(":")[0] for name in tags} | {name.partition("@")[0] for name in digests}
        return len(tags) <= 1 and len(digests) <= 1 and len(repositories) <= 1

    def _children(self, image_id: str) -> bool:
        return any(record["parent"] == image_id for record in self.images.values())


def selected(config: dict, labels: Sequence[str], until: float | None) -> bool:
    """True if an image's labels are as asked for, and it was created before `until` (seconds since 1970)."""
    if until is not None and created(config) > until:
        return False
    has = (config.get("config") or {}).get("Labels") or {}
    for wanted in labels:
        key, equals, value = wanted.removeprefix("!").partition("=")
        matches = key in has and (not equals or has[key] == value)
        if matches == wanted.startswith("!"):
            return False
    return True


def created(config: dict) -> float:
    """When an image was created, in seconds since 1970; 0 if it does not say."""
    text = str(config.get("created") or "")
    try:
        whole = datetime.datetime.fromisoformat(text)
        return (whole if whole.tzinfo else whole.replace(tzinfo=datetime.UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]
