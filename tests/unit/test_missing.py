"""Reading no more of an export than what is still missing: what is passed over, when it is left, and what ends too early."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import pytest
import workshop
from hand import archive_of
from workshop.archives import tar_of
from workshop.dockerfiles.history import layers_told
from workshop.layer.archive import Missing, read_archive

LAYERS = [tar_of({f"f{number}": bytes([number]) * 5000}) for number in range(6)]
HISTORY = [{"created_by": f"RUN {number}"} for number in range(6)]


def compress(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


DIFF_IDS = list(map(digest, LAYERS))


def members(packed: bytes) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archived:
        return [(one.name, archived.extractfile(one).read()) for one in archived]


def exported(pack=bytes) -> tuple[dict[str, bytes], str]:
    """(the members of an export by name in the order of a containerd store: blobs by digest; the image's id there)."""
    found = dict(sorted(members(archive_of(LAYERS, HISTORY, "docker", pack, "app:1"))))
    return found, json.loads(found["index.json"])["manifests"][0]["digest"]


class Stream:
    """A stream in pieces, which knows how much of it was asked for."""

    def __init__(self, content: bytes):
        self.content, self.given = content, 0

    def __iter__(self):
        while self.given < len(self.content):
            self.given += 512
            yield self.content[self.given - 512 : self.given]


def only(diff_id: str, images=None) -> Missing:
    return Missing({diff_id}, images or {}, lambda blob: blob if blob in DIFF_IDS and blob != diff_id else None)


@pytest.mark.parametrize("number", range(6))
def test_the_export_is_left_right_behind_the_layer_that_is_missing(number):
    found, _ = exported()
    stream = Stream(tar_of(found))
    read = read_archive(stream, "test", missing=only(DIFF_IDS[number]))
    assert list(read.layers) == [DIFF_IDS[number]]
    end = stream.content.index(LAYERS[number]) + len(LAYERS[number])
    assert 0 <= stream.given - end < 1024 and end < len(stream.content)


def test_what_is_known_by_its_blob_is_not_even_unpacked():
    found, image_id = exported(compress)
    known = {digest(compress(layer)): one for layer, one in zip(LAYERS, DIFF_IDS)}
    spoiled = {
        name: b"\x1f\x8b rubbish" if f"sha256:{name[13:]}" in known and name[13:] != digest_of(5) else content
        for name, content in found.items()
    }
    missing = Missing({DIFF_IDS[5]}, {image_id: DIFF_IDS}, lambda blob: _but(known.get(blob), DIFF_IDS[5]))
    read = read_archive([tar_of(spoiled)], "test", missing=missing)
    assert list(read.layers) == [DIFF_IDS[5]] and read.blobs == {f"sha256:{digest_of(5)}": DIFF_IDS[5]}
    assert read.images[0].id == image_id and read.images[0].instructions == [one["created_by"] for one in HISTORY]


def digest_of(number: int) -> str:
    return digest(compress(LAYERS[number]))[7:]


def _but(one, other):
    return None if one == other else one


def test_a_layer_that_never_comes_is_an_error_and_no_smaller_image():
    found, _ = exported()
    del found[f"blobs/sha256/{DIFF_IDS[2][7:]}"]
    with pytest.raises(workshop.WorkshopError, match=r"test cannot be read: .* is missing"):
        read_archive([tar_of(found)], "test", missing=only(DIFF_IDS[2]))


def test_an_export_that_breaks_off_anywhere_before_the_layer_is_whole_is_an_error():
    found, _ = exported()
    whole = tar_of(found)
    needed = Stream(whole)
    read_archive(needed, "test", missing=only(DIFF_IDS[3]))
    start = whole.index(LAYERS[3])
    for end in [0, 100, 512, 513, start, start + 600, start + len(LAYERS[3]) - 1025, start + len(LAYERS[3]) - 1]:
        with pytest.raises(workshop.WorkshopError, match="test cannot be read"):
            read_archive([whole[:end]], "test", missing=only(DIFF_IDS[3]))


def test_another_content_under_the_blobs_name_is_not_taken_for_the_layer():
    found, _ = exported()
    found[f"blobs/sha256/{DIFF_IDS[3][7:]}"] = tar_of({"another": b"one"})
    with pytest.raises(workshop.WorkshopError, match="test cannot be read"):
        read_archive([tar_of(found)], "test", missing=only(DIFF_IDS[3]))


@pytest.mark.parametrize("kind", ["legacy", "docker", "oci"])
def test_instructions_that_are_missing_are_read_to_wherever_they_stand(kind):
    packed = archive_of(LAYERS, HISTORY, kind, tag="app:1")
    config = next(content for _, content in members(packed) if b"rootfs" in content)
    image_id = digest(config)
    known = lambda blob: blob if blob in DIFF_IDS else None  # noqa: E731
    read = read_archive([packed], "test", missing=Missing(set(), {image_id: DIFF_IDS}, known))
    assert read.images[0].id == image_id and read.images[0].instructions == [one["created_by"] for one in HISTORY]


@pytest.mark.parametrize(
    "history, count, told",
    [
        ([("ADD rootfs.tar /", 5), ('CMD ["sh"]', 0)], 1, ["ADD rootfs.tar /"]),
        (
            [("ADD rootfs.tar /", 5), ("RUN rm /x # buildkit", 0), ("ENV A=1", 0)],
            2,
            ["ADD rootfs.tar /", "RUN rm /x # buildkit"],
        ),
        ([("ADD rootfs.tar /", 5), ("/bin/sh -c #(nop) WORKDIR /there/already", 0)], 1, ["ADD rootfs.tar /"]),
        ([("a", 5), ("RUN rm /x", 0), ("WORKDIR /x", 0)], 2, None),  # which of the two made the layer, nobody says
        ([("a", 5)], 2, None),
        ([("a", 5), ("b", 6)], 1, None),
        ([("", 0), ("", 0)], 2, ["", ""]),
        ([], 0, []),
    ],
)
def test_an_engines_history_tells_which_lines_made_layers_or_that_it_does_not(history, count, told):
    assert layers_told(history, count) == told
