"""Archives that mean harm, or that were damaged: `workshop.files()` refuses them with a sentence that names the file, in
bounded time and memory, and writes nothing outside its cache folder.

The limits are the reader's own: MOST_ENTRIES, LARGEST_HEADER and LARGEST_LAYER in workshop/layer/layer.py.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

import pytest
import workshop
import zstandard
from at_hand import NOTEBOOKS
from hand import archive_of, link
from workshop import WorkshopError
from workshop.archives import tar_of
from workshop.layer import layer as layer_tar

LAYOUTS = ["docker", "legacy", "oci"]
PACKS = {
    "plain": bytes,
    "gzip": lambda tar: gzip.compress(tar, 6, mtime=0),
    "zstd": zstandard.ZstdCompressor().compress,
}
SMALL = [{"etc/": None, "etc/a": b"one" * 300, "b": link(tarfile.SYMTYPE, "/etc/a")}, {"etc/.wh.a": b"", "c": b"two"}]


def listing(folder: Path) -> dict:
    """Everything below folder but the cache: {path: (size, time of last change)}."""
    found = {path: path.lstat() for path in folder.rglob("*") if "cache" not in path.relative_to(folder).parts}
    return {str(path): (stat.st_size, stat.st_mtime_ns) for path, stat in found.items() if not path.is_dir()} | {
        str(path): None for path in found if path.is_dir()
    }


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Cache, current, home and temporary folder, all in one tree; what is in it afterwards was there before, or was put
    there by the test itself, which calls `settled()` of this fixture's value when it has written its input."""
    for name in ("work", "home", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("FACTORY_FLOOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path


class TooLong(BaseException):
    """Not an Exception, so that nobody takes it for a broken archive."""


@contextlib.contextmanager
def bounded(seconds: int = 20):
    """Ends what takes longer. Every archive read in this process is tiny."""

    def stop(*_):
        raise TooLong(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refused(path: Path) -> str:
    """Asserts that the archive is refused by name and that nothing was written; returns what was said."""
    before = listing(path.parent)
    with pytest.raises(WorkshopError) as raised, bounded():
        workshop.files(None, path)
    assert path.name in str(raised.value)
    assert "Traceback" not in str(raised.value) and len(str(raised.value)) < 1000
    assert listing(path.parent) == before
    return str(raised.value)


def accepted(path: Path):
    """The frame of an archive that is odd, yet fine; nothing was written."""
    before = listing(path.parent)
    with bounded():
        frame = workshop.files(None, path)
    assert listing(path.parent) == before
    return frame


def harmless(path: Path):
    """The frame, or None if the archive was refused by name: where either is a good answer."""
    try:
        return accepted(path)
    except WorkshopError as error:
        assert path.name in str(error)
        return None


def written(place: Path, content: bytes, name: str = "hostile.tar") -> Path:
    (place / name).write_bytes(content)
    return place / name


def with_layers(place: Path, *layers, **options) -> Path:
    return written(place, archive_of(list(layers), **options))


# Tar entries that tarfile would not write


def block(content: bytes) -> bytes:
    """Filled up to whole blocks of 512 bytes."""
    return content + bytes(-len(content) % 512)


def header(name: str = "x", kind: bytes = b"0", size: int = 0, **fields: bytes) -> bytes:
    """One tar header. fields: what to write at which offset, e.g. at_386=b"…"; the checksum is made right."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    raw = bytearray(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")[-512:])
    for field, content in fields.items():
        at = int(field.removeprefix("at_"))
        raw[at : at + len(content)] = content
    return with_checksum(raw)


def with_checksum(raw: bytes) -> bytes:
    """The 512 bytes of a tar header with the checksum that they need."""
    raw = bytearray(raw)
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def pax(*records: tuple[str, bytes], raw: bytes | None = None) -> bytes:
    """A PAX header for the next entry; raw: its content if the records shall not be well formed."""
    content = b""
    for key, value in records:
        body = b" " + key.encode() + b"=" + value + b"\n"
        length = len(body) + len(str(len(body)))
        length += len(str(length)) - len(str(len(body)))
        content += str(length).encode() + body
    content = content if raw is None else raw
    return header("pax", b"x", len(content)) + block(content)


END = bytes(1024)
SPARSE_MAP = b"%011o\0%011o\0" % (0, 512)  # one piece of 512 bytes at the start
BIG = lambda number: b"\x80" + number.to_bytes(11, "big")  # noqa: E731  (GNU's base-256 for what octal cannot hold)
FILE = header("f", size=3) + block(b"abc")

HOSTILE_TARS = {
    "a name that leads out": header("../../etc/passwd", size=3) + block(b"abc"),
    "a name that leads out further down": header("a/../../b", size=3) + block(b"abc"),
    "a folder that leads out": header("../", b"5"),
    "a whiteout that leads out": header("../.wh.a"),
    "a name that leads out in a PAX header": pax(("path", b"../../a")) + FILE,
    "a name that leads out in a GNU header": header("././@LongLink", b"L", 8) + block(b"../../a\0") + FILE,
    "a file of 2^60 bytes": header(size=2**60),
    "a file of 2^60 bytes, PAX": pax(("size", b"%d" % 2**60)) + FILE,
    "a file of 2^90 bytes": header(at_124=BIG(2**87)),
    "a negative size": header(size=-512),
    "a negative size, octal": header(at_124=b"-0000000777\0"),
    "a negative size, PAX": pax(("size", b"-512")) + FILE,
    "a size that is no number": header(at_124=b"a few bytes "),
    "a size that is no number, PAX": pax(("size", b"many")) + FILE,
    "a directory of 2^40 bytes": header("d/", b"5", 2**40),
    "a PAX header of 1 GB": header("pax", b"x", 10**9) + FILE,
    "a global PAX header of 1 GB": header("pax", b"g", 10**9) + FILE,
    "a long name of 1 GB": header("././@LongLink", b"L", 10**9) + FILE,
    "a long link of 1 GB": header("././@LongLink", b"K", 10**9) + FILE,
    "a PAX header of negative size": header("pax", b"x", -1024) + FILE,
    "a PAX record that is longer than its header": pax(raw=b"99999999999 path=a\n") + FILE,
    "a sparse file of 2^50 bytes": header("s", b"S", 512, at_386=SPARSE_MAP, at_483=BIG(2**50)) + bytes(512),
    "a sparse file of 2^50 bytes, PAX": pax(
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"s"),
        ("GNU.sparse.realsize", b"%d" % 2**50),
    )
    + header("s", b"0", 1024)
    + block(b"1\n0\n512\n")
    + bytes(512),
    "a sparse file with a map of 10^12 pieces": pax(
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.realsize", b"1024"),
    )
    + header("s", b"0", 1024)
    + block(b"1000000000000\n0\n512\n")
    + bytes(512),
    "a sparse file whose pieces lie before its start": pax(
        ("GNU.sparse.map", b"-512,512"),
        ("GNU.sparse.size", b"512"),
        ("GNU.sparse.numblocks", b"1"),
    )
    + header("s", b"0", 512)
    + bytes(512),
    "a sparse file whose map never ends": header(
        "s", b"S", 512, at_386=SPARSE_MAP, at_482=b"\1", at_483=b"%011o\0" % 512
    )
    + (bytes(504) + b"\1" + bytes(7)) * 4,
    "a header that is noise": bytes(range(256)) * 2,
    "noise behind an entry": FILE + bytes(range(256)) * 2,
    "half a header": FILE + header()[:200],
    "a file that ends early": header("f", size=2000) + block(b"abc"),
}


@pytest.mark.parametrize("case", HOSTILE_TARS)
def test_a_layer_with_such_an_entry_is_refused(place, case):
    layer = HOSTILE_TARS[case]
    refused(with_layers(place, {"ok": b"1"}, layer if "early" in case or "half" in case else layer + END))


OUTER = {name: entry for name, entry in HOSTILE_TARS.items() if "2^" in name or "negative" in name or "GB" in name}


@pytest.mark.parametrize("case", OUTER)
def test_an_archive_with_such_an_entry_before_its_own_is_refused(place, case):
    refused(written(place, OUTER[case] + archive_of(SMALL)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_in_the_archive_itself_that_lead_out_write_nothing(place, layout):
    inner = entries_of(archive_of(SMALL, kind=layout))
    extra = {"../out": b"1", "/tmp/out": b"1", "x": link(tarfile.SYMTYPE, "/etc/passwd"), "../../y/": None}
    frame = harmless(written(place, tar_of({**extra, **inner})))
    assert frame is None or len(frame) == 5
    assert not (place.parent / "out").exists() and not Path("/tmp/out").exists()


def test_absolute_names_and_links_that_point_out_are_only_text(place):
    frame = accepted(
        with_layers(
            place,
            {
                "/etc/passwd": b"mine",
                "//two": b"2",
                "./a/./b": b"3",
                "up": link(tarfile.SYMTYPE, "../../../../etc/shadow"),
                "abs": link(tarfile.SYMTYPE, "/etc/shadow"),
                "hard": link(tarfile.LNKTYPE, "/etc/passwd"),
            },
        )
    )
    found = frame.set_index("path")
    assert list(found.index) == ["/etc/passwd", "/two", "/a/b", "/up", "/abs", "/hard"]
    assert found.loc["/up", "linkname"] == "../../../../etc/shadow" and found.loc["/abs", "linkname"] == "/etc/shadow"
    assert found.loc["/hard", "digest"] == found.loc["/etc/passwd", "digest"] == digest(b"mine")


@pytest.mark.parametrize("target", ["../../etc/passwd", "nowhere", "/etc/hostname", "x"])
def test_a_hard_link_to_what_the_layer_does_not_have_reads_nothing(place, target):
    """Also one to itself. The specification: "extracting … may fail"; what the machine has there is never looked at."""
    frame = harmless(with_layers(place, {"x": link(tarfile.LNKTYPE, target)}))
    assert frame is None or list(frame["digest"]) == [""]


def test_hard_links_in_a_circle_end(place):
    ring = {f"r{n}": link(tarfile.LNKTYPE, f"r{(n + 1) % 500}") for n in range(500)}
    frame = harmless(with_layers(place, ring))
    assert frame is None or set(frame["digest"]) == {""}


@pytest.mark.parametrize("name", [".wh..", ".wh...", "a/.wh..", "a/.wh..."])
def test_a_whiteout_of_a_dot_or_of_two_hides_nothing_above(place, name):
    """ ".wh..." would be the whiteout of ".."."""
    frame = harmless(with_layers(place, {"a/": None, "a/b": b"1", "c": b"2"}, {name: b""}))
    assert frame is None or frame[frame["layer"] == 0]["visible"].all()


def test_of_a_name_given_twice_the_last_one_counts(place):
    layer = header("f", size=1) + block(b"1") + header("./f", size=2) + block(b"22") + END
    frame = accepted(with_layers(place, layer))
    assert frame["visible"].tolist() == [False, True] and frame["bytes"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "records",
    [
        [("uid", b"%d" % 2**70)],
        [("gid", b"-%d" % 2**70)],
        [("uid", b"x")],
        [("mtime", b"nan")],
        [("mtime", b"1e999")],
        [("hdrcharset", b"BINARY"), ("path", b"\xff\xfe")],
        [("hdrcharset", b"EBCDIC")],
        [("path", b"a\0b")],
        [("path", b"")],
        [("linkpath", b"\0")],
        [("SCHILY.xattr.a b=c", b"\xff\n=")],
        [("path", b"\xff")],
        [("path", b"a\nb\x1b[31m")],
        [("path", b"/")],
        [("path", b"a/" * 60_000)],
        [("uname", b"\xff")],
        [("GNU.sparse.size", b"9")],
        [("SCHILY.devmajor", b"%d" % 2**70)],
    ],
)
def test_an_odd_pax_record_is_read_or_refused(place, records):
    harmless(with_layers(place, pax(*records) + FILE + END))


@pytest.mark.parametrize(
    "raw",
    [
        b"0 a=b\n",
        b"-5 a=b\n",
        b"6 a=b",
        b"a=b\n",
        b"",
        b"\0" * 600,
        b"5 =\n\n",
        b"3 \n",
        b"9" * 6000 + b" a=b\n",
    ],
)
def test_pax_records_that_are_not_well_formed_end(place, raw):
    harmless(with_layers(place, pax(raw=raw) + FILE + END))


def test_a_device_number_or_an_owner_beyond_64_bits_is_read_or_refused(place):
    wide = b"\x80" + b"\xff" * 7
    for at in (100, 108, 116, 329, 337):  # mode, uid, gid, major, minor
        for kind in (b"0", b"3"):
            harmless(with_layers(place, header("d", kind, **{f"at_{at}": wide}) + END))


# Limits, made small


def test_more_entries_than_the_limit_are_refused(place, monkeypatch):
    monkeypatch.setattr(layer_tar, "MOST_ENTRIES", 100)
    assert len(accepted(with_layers(place, {f"f{n}": b"" for n in range(100)}))) == 100
    refused(with_layers(place, {f"f{n}": b"" for n in range(101)}))
    refused(with_layers(place, {f".wh..wh.{n}": b"" for n in range(101)}))


def test_a_longer_header_than_the_limit_is_refused(place, monkeypatch):
    monkeypatch.setattr(layer_tar, "LARGEST_HEADER", 2000)
    accepted(with_layers(place, pax(("comment", b"x" * 1900)) + FILE + END))
    refused(with_layers(place, pax(("comment", b"x" * 2100)) + FILE + END))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pack", PACKS)
def test_a_layer_that_unpacks_to_more_than_the_limit_is_refused(place, monkeypatch, pack, layout):
    monkeypatch.setattr(layer_tar, "LARGEST_LAYER", 100_000)
    refused(with_layers(place, {"f": bytes(200_000)}, kind=layout, pack=PACKS[pack]))
    accepted(with_layers(place, {"f": bytes(50_000)}, kind=layout, pack=PACKS[pack]))


def test_a_bomb_behind_the_end_of_the_layers_tar_counts_too(place, monkeypatch):
    monkeypatch.setattr(layer_tar, "LARGEST_LAYER", 100_000)
    refused(with_layers(place, tar_of({"f": b"1"}) + bytes(200_000), pack=PACKS["gzip"]))


# Limits as they are, in a process that may have 1.5 GB and two minutes

ALONE = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000,) * 2)
from pathlib import Path
import workshop
from workshop.layer import layer as layer_tar
path = Path(sys.argv[1])
layer_tar.LARGEST_LAYER = min(int(sys.argv[2]), layer_tar.LARGEST_LAYER)
try:
    print("rows", len(workshop.files(None, path)))
except workshop.WorkshopError as error:
    print("refused", str(error).replace(chr(10), " "))
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MiB", file=sys.stderr)
"""


def alone(path: Path, seconds: int = 120, largest: int = 2**30) -> str:
    """The last line of a process of its own that reads the archive: "rows N" or "refused …"."""
    before = listing(path.parent)
    environment = os.environ | {
        "PYTHONPATH": str(NOTEBOOKS),
        "OPENBLAS_NUM_THREADS": "1",
        "MPLCONFIGDIR": os.devnull,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(path), str(largest)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert listing(path.parent) == before
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def refused_alone(path: Path, **options) -> str:
    said = alone(path, **options)
    assert said.startswith("refused") and path.name in said
    return said


def packed_zeros(pack: str, size: int, head: bytes = b"") -> bytes:
    """`head` and then about `size` zero bytes, compressed: one mebibyte of zeros packed once and repeated."""
    times = size // 2**20
    if pack == "zstd":
        packer = zstandard.ZstdCompressor()
        return packer.compress(head) + packer.compress(bytes(2**20)) * times
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + start + piece * times + b"\x03\0" + struct.pack("<II", 0, size % 2**32)


def with_packed(place: Path, packed: bytes, diff_id: str = "sha256:" + "0" * 64, times: int = 1) -> Path:
    """An archive whose layer is the given bytes, `times` over."""
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [diff_id] * times}}).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": None, "Layers": ["0/layer.tar"] * times}]).encode()
    return written(place, tar_of({"0/layer.tar": packed, name: config, "manifest.json": manifest}))


@pytest.mark.slow
@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_a_layer_of_64_gib_in_a_few_megabytes_stays_within_bounds(place, pack):
    bomb = packed_zeros(pack, 2**36, head=header("f", size=2**36))
    refused_alone(with_packed(place, bomb))


@pytest.mark.slow
@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_a_pax_header_that_unpacks_to_gigabytes_stays_within_bounds(place, pack):
    refused_alone(with_packed(place, packed_zeros(pack, 2**32, head=header("p", b"x", 2**32))))


@pytest.mark.slow
def test_a_zstd_frame_that_asks_for_gigabytes_of_memory_is_refused(place):
    frame = b"\x28\xb5\x2f\xfd" + b"\0" + bytes([31 - 10 << 3]) + (600 << 3 | 1).to_bytes(3, "little") + bytes(600)
    refused_alone(with_packed(place, frame))


@pytest.mark.slow
def test_more_than_a_million_entries_are_refused_within_bounds(place):
    template, names = header("0000000"), (b"%07d" % number for number in range(1_000_001))
    total = sum(template[:148]) + sum(template[156:]) + 8 * 32 - 7 * 48
    packer, whole = zlib.compressobj(1, zlib.DEFLATED, 31), hashlib.sha256()
    packed, part = [], bytearray()
    for name in names:
        part += name + template[7:148] + b"%06o\0 " % (total + sum(name)) + template[156:]
        if len(part) > 2**22:
            packed.append(packer.compress(part))
            whole.update(part)
            part = bytearray()
    part += END
    whole.update(part)
    packed += [packer.compress(part), packer.flush()]
    said = refused_alone(with_packed(place, b"".join(packed), f"sha256:{whole.hexdigest()}"))
    assert "1,000,000" in said


@pytest.mark.slow
def test_one_layer_named_a_thousand_times_stays_within_bounds(place):
    layer = tar_of({f"f{n}": b"" for n in range(50_000)})
    packed = gzip.compress(layer, 1)
    refused_alone(with_packed(place, packed, digest(layer), times=1000))


@pytest.mark.slow
def test_a_name_of_half_a_million_folders_stays_within_bounds(place):
    layer = pax(("path", b"a/" * 500_000 + b"b")) + FILE + END
    alone(with_layers(place, layer, kind="docker"))


@pytest.mark.slow
@pytest.mark.parametrize("member", ["manifest.json", "config"])
def test_a_huge_json_stays_within_bounds(place, member):
    entries = entries_of(archive_of(SMALL, kind="legacy"))
    config = next(name for name in entries if name.endswith(".json") and name != "manifest.json")
    entries[member if member != "config" else config] = b"[" + b"[]," * 100_000_000 + b"[]]"
    refused_alone(written(place, tar_of(entries)))


@pytest.mark.slow
@pytest.mark.parametrize("what", ["blob", "index.json", "path"])
def test_a_pipe_in_the_place_of_a_file_does_not_hang(place, what):
    folder = layout_folder(place, archive_of(SMALL, kind="oci"))
    file = max((folder / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    file = {"blob": file, "index.json": folder / "index.json", "path": place / "pipe.tar"}[what]
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    refused_alone(file if what == "path" else folder, seconds=60)


@pytest.mark.slow
def test_a_device_that_never_ends_is_no_archive(place):
    (place / "zero.tar").symlink_to("/dev/zero")
    refused_alone(place / "zero.tar", seconds=60)


# Damage


def same(frame, untouched) -> bool:
    return frame.equals(untouched)


def damaged(place, monkeypatch, content: bytes, number: int):
    """The frame, or None if refused; with an empty cache."""
    monkeypatch.setenv("FACTORY_FLOOR_CACHE", str(place / "cache" / str(number)))
    path = written(place, content)
    try:
        with bounded():
            return workshop.files(None, path)
    except WorkshopError as error:
        assert path.name in str(error)
        return None


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pack", PACKS)
def test_an_archive_that_ends_early_is_refused(place, monkeypatch, layout, pack):
    whole = archive_of(SMALL, kind=layout, pack=PACKS[pack])
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        last = archive.getmembers()[-1]
    needed = last.offset_data + last.size
    cuts = sorted({*range(0, needed, max(1, needed // 40)), 1, 511, 512, 513, needed - 1})
    for number, cut in enumerate(cuts):
        assert damaged(place, monkeypatch, whole[:cut], number) is None, cut


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pack", PACKS)
def test_a_flipped_bit_is_noticed_or_makes_no_difference(place, monkeypatch, layout, pack):
    """ "No difference": bits that mean nothing to the reader, e.g. times and owners in the archive's own headers."""
    whole = archive_of(
        SMALL, history=[{"created_by": "RUN one"}, {"created_by": "RUN two"}], kind=layout, pack=PACKS[pack]
    )
    untouched = damaged(place, monkeypatch, whole, -1)
    assert len(untouched) == 5
    step = len(whole.rstrip(b"\0")) // 150
    for number, at in enumerate(range(0, len(whole.rstrip(b"\0")), step)):
        changed = bytearray(whole)
        changed[at] ^= 1 << number % 8
        frame = damaged(place, monkeypatch, bytes(changed), number)
        assert frame is None or same(frame, untouched), (at, number % 8)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_is_never_taken_from_or_put_into_the_cache(place, layout):
    """The archive whole, then damaged, then whole again, over one cache."""
    whole = archive_of(SMALL, kind=layout)
    untouched = accepted(written(place, whole))
    at = whole.index(b"one" * 300) + 100
    changed = whole[:at] + b"X" + whole[at + 1 :]
    frame = harmless(written(place, changed))
    assert frame is None or same(frame, untouched)
    (place / "cache").rename(place / "cache of before")
    refused(written(place, changed))
    assert same(accepted(written(place, whole)), untouched)


def test_another_archive_of_the_same_name_size_and_time_is_read_anew(place):
    first, second = (archive_of([{"f": content}], kind="legacy") for content in (b"1", b"2"))
    assert len(first) == len(second)
    one = accepted(written(place, first))
    stat = (place / "hostile.tar").stat()
    two = accepted_after_utime(place, second, stat)
    assert list(one["digest"]) == [digest(b"1")] and list(two["digest"]) == [digest(b"2")]


def accepted_after_utime(place, content, stat):
    path = written(place, content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return accepted(path)


# Names and digests that do not fit


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def entries_of(archive: bytes) -> dict:
    """{name: bytes} of an archive's files."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {member.name: opened.extractfile(member).read() for member in opened if member.isfile()}


def layout_folder(place: Path, archive: bytes, name: str = "layout") -> Path:
    """The archive's files in a folder."""
    for entry, content in entries_of(archive).items():
        (place / name / entry).parent.mkdir(parents=True, exist_ok=True)
        (place / name / entry).write_bytes(content)
    return place / name


def oci(place: Path, *manifests, blobs=(), index: dict | None = None) -> Path:
    """An OCI layout with the given descriptors in its index."""
    index = {"schemaVersion": 2, "manifests": list(manifests)} if index is None else index
    named = {f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}": blob for blob in blobs}
    entries = named | {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode()}
    return written(place, tar_of(entries))


MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def described(content: bytes, media: str = MANIFEST, **more) -> dict:
    return {"mediaType": media, "digest": digest(content), "size": len(content)} | more


def image_blobs(layer: bytes | None = None) -> list[bytes]:
    """Layer, config, manifest."""
    layer = tar_of({"f": b"abc"}) if layer is None else layer
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [described(layer, "application/vnd.oci.image.layer.v1.tar")],
    }
    return [layer, config, json.dumps(manifest).encode()]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layer_that_is_not_the_one_its_diff_id_says_is_refused(place, layout):
    entries = entries_of(archive_of(SMALL, kind=layout))
    name = max(entries, key=lambda name: len(entries[name]))
    refused(written(place, tar_of(entries | {name: tar_of({"other": b"1"})})))


def test_a_diff_id_that_contradicts_a_true_blob_digest_is_refused(place):
    layer, config, _ = image_blobs()
    config = config.replace(digest(layer).encode(), b"sha256:" + b"1" * 64)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": described(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [described(layer, "application/vnd.oci.image.layer.v1.tar")],
        }
    ).encode()
    refused(oci(place, described(manifest), blobs=[layer, config, manifest]))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_file_of_an_archive_is_missed(place, layout):
    """Without its layers or its config an archive is refused; without a second description of the same image it may do."""
    entries = entries_of(archive_of(SMALL, kind=layout))
    untouched = accepted(written(place, tar_of(entries), "whole.tar"))
    (place / "cache").rename(place / "cache of before")
    layers = [name for name in entries if len(entries[name]) > 5000]
    assert len(layers) == 2
    for name in entries:
        path = written(place, tar_of({other: content for other, content in entries.items() if other != name}))
        frame = refused(path) and None if name in layers else harmless(path)
        assert frame is None or same(frame.drop(columns="image"), untouched.drop(columns="image"))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_more_or_fewer_diff_ids_than_layers_are_refused(place, count):
    layer, config, _ = image_blobs()
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [digest(layer)] * count}}).encode()
    entries = {"0/layer.tar": layer, f"{digest(config)[7:]}.json": config}
    entries["manifest.json"] = json.dumps(
        [{"Config": f"{digest(config)[7:]}.json", "Layers": ["0/layer.tar"] * 2}]
    ).encode()
    refused(written(place, tar_of(entries)))


RUBBISH = {
    "nothing": b"",
    "no JSON": b"hello",
    "no text": b"\xff\xfe\x00",
    "null": b"null",
    "number": b"7",
    "text": b'"x"',
    "object": b"{}",
    "empty list": b"[]",
    "list of null": b"[null]",
    "list of numbers": b"[1, 2]",
    "list of lists": b"[[[]]]",
    "empty object": b"[{}]",
    "Config is a number": b'[{"Config": 5, "Layers": []}]',
    "Layers is a text": b'[{"Config": "c", "Layers": "abc"}]',
    "Layers are numbers": b'[{"Config": "c", "Layers": [1, 2]}]',
    "Layers is null": b'[{"Config": "c", "Layers": null}]',
    "manifests is a number": b'{"manifests": 7}',
    "manifests of null": b'{"manifests": [null]}',
    "a descriptor of nothing": b'{"manifests": [{}]}',
    "a digest that is a number": b'{"manifests": [{"digest": 7}]}',
    "a digest that is no digest": b'{"manifests": [{"digest": "x"}]}',
    "a digest of nothing": b'{"manifests": [{"digest": "sha256:"}]}',
    "a digest in a list": b'{"manifests": [{"digest": ["sha256:1"]}]}',
    "deeply nested": b"[" * 200_000 + b"]" * 200_000,
    "deeply nested objects": b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    "a number of 10,000 digits": b"[" + b"1" * 10_000 + b"]",
    "cut off": b'[{"Config": "a',
    "a name of half a character": b'[{"Config": "\\ud800", "Layers": ["\\udfff"], "RepoTags": ["\\ud800:1"]}]',
}


@pytest.mark.parametrize("case", RUBBISH)
def test_rubbish_in_the_place_of_the_manifest_is_refused(place, case):
    entries = entries_of(archive_of(SMALL, kind="legacy"))
    refused(written(place, tar_of(entries | {"manifest.json": RUBBISH[case]})))


@pytest.mark.parametrize("case", RUBBISH)
def test_rubbish_in_the_place_of_the_index_is_refused(place, case):
    entries = entries_of(archive_of(SMALL, kind="oci"))
    refused(written(place, tar_of(entries | {"index.json": RUBBISH[case]})))
    refused(layout_folder(place, tar_of(entries | {"index.json": RUBBISH[case]})))


@pytest.mark.parametrize("case", RUBBISH)
def test_rubbish_in_the_place_of_manifest_or_config_is_refused_with_the_right_digest_too(place, case):
    rubbish = RUBBISH[case]
    layer, config, manifest = image_blobs()
    refused(oci(place, described(rubbish), blobs=[layer, config, rubbish]))
    refused(oci(place, described(rubbish, INDEX), blobs=[layer, config, rubbish]))
    manifest = json.loads(manifest) | {"config": described(rubbish, "application/vnd.oci.image.config.v1+json")}
    manifest = json.dumps(manifest).encode()
    refused(oci(place, described(manifest), blobs=[layer, rubbish, manifest]))


@pytest.mark.parametrize(
    "change",
    [
        {"rootfs": None},
        {"rootfs": []},
        {"rootfs": {"diff_ids": None}},
        {"rootfs": {"diff_ids": "sha256:"}},
        {"rootfs": {"diff_ids": [7]}},
        {"rootfs": {"diff_ids": [None]}},
        {"rootfs": {"diff_ids": [["x"]]}},
        {"rootfs": {"diff_ids": [{}]}},
    ],
)
def test_a_config_without_proper_diff_ids_is_refused(place, change):
    refused(config_changed(place, change))


@pytest.mark.parametrize(
    "history",
    [
        None,
        7,
        "RUN x",
        {},
        [None],
        [7],
        ["x"],
        [[]],
        [{"created_by": None}],
        [{"created_by": 7}],
        [{"created_by": ["x"]}],
        [{"created_by": {}}],
        [{"created_by": "\ud800"}],
        [{"created_by": "\0\x1b[31m\n"}],
        [{"created_by": "x" * 2_000_000}],
        [{"empty_layer": "no"}],
        [{"comment": 7}],
        [{"created_by": "x"}] * 1000,
        [{"empty_layer": True}] * 1000,
        [{"created_by": 1e308}],
    ],
)
def test_a_strange_history_is_read_or_refused(place, history):
    frame = harmless(config_changed(place, {"history": history}))
    assert frame is None or list(frame["path"]) == ["/f"]


def config_changed(place, change: dict) -> Path:
    layer, config, _ = image_blobs()
    config = json.dumps(json.loads(config) | change).encode()
    name = f"{digest(config)[7:]}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": None, "Layers": ["0/layer.tar"]}]).encode()
    return written(place, tar_of({"0/layer.tar": layer, name: config, "manifest.json": manifest}))


@pytest.mark.parametrize("tags", [7, "x", [7], [None], [[]], {}, ["\ud800:1"], [""], ["../../x"], ["a" * 100_000]])
def test_strange_tags_are_read_or_refused(place, tags):
    entries = entries_of(archive_of(SMALL, kind="legacy"))
    manifest = json.loads(entries["manifest.json"])
    manifest[0]["RepoTags"] = tags
    frame = harmless(written(place, tar_of(entries | {"manifest.json": json.dumps(manifest).encode()})))
    assert frame is None or len(frame) == 5


@pytest.mark.parametrize("targets", [("1/layer.tar", "0/layer.tar"), ("layer.tar", "layer.tar")])
def test_links_in_the_archive_that_point_at_each_other_are_refused(place, targets):
    entries = entries_of(archive_of(SMALL, kind="legacy"))
    for number, target in enumerate(targets):
        entries[f"{number}/layer.tar"] = link(
            tarfile.SYMTYPE, f"../{target}" if "/" in target else target, f"{number}/layer.tar"
        )
    refused(written(place, tar_of(entries)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_in_the_archive_to_the_machines_own_files_is_not_followed(place, kind):
    layer = tar_of({"secret": b"1"})
    (place / "secret.tar").write_bytes(layer)
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}).encode()
    for target in (
        str(place / "secret.tar"),
        "../secret.tar",
        "../../../../../../../../.." + str(place / "secret.tar"),
    ):
        manifest = json.dumps([{"Config": f"{digest(config)[7:]}.json", "Layers": ["0/layer.tar"]}]).encode()
        refused(
            written(
                place,
                tar_of(
                    {
                        "0/layer.tar": link(kind, target, "0/layer.tar"),
                        f"{digest(config)[7:]}.json": config,
                        "manifest.json": manifest,
                    }
                ),
            )
        )


def test_a_digest_that_is_a_way_out_of_the_folder_is_not_followed(place):
    """The secret's bytes are not in the layout, so nothing may be read from them."""
    layer, config, manifest = image_blobs()
    folder = layout_folder(place, tar_of({"index.json": b"", "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}))
    (folder / "blobs" / "sha256").mkdir(parents=True)
    for blob in (layer, config, manifest):
        (folder / "blobs" / "sha256" / digest(blob)[7:]).write_bytes(blob)
    (place / "secret").write_bytes(manifest)
    for way in (
        "sha256:../../../secret",
        f"sha256:{place / 'secret'}",
        "../..:secret",
        "sha256/../../..:secret",
        "..:..:secret",
    ):
        index = {"schemaVersion": 2, "manifests": [described(manifest) | {"digest": way}]}
        (folder / "index.json").write_text(json.dumps(index))
        refused(folder)


# Indexes


def test_an_index_that_refers_to_itself_is_refused(place):
    name = "a" * 64
    inner = json.dumps(
        {"schemaVersion": 2, "manifests": [{"mediaType": INDEX, "digest": f"sha256:{name}", "size": 0}]}
    ).encode()
    path = written(
        place,
        tar_of(
            {
                "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
                "index.json": inner,
                f"blobs/sha256/{name}": inner,
            }
        ),
    )
    refused(path)


def test_an_index_in_an_index_is_read(place):
    layer, config, manifest = image_blobs()
    inner = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [described(manifest)]}).encode()
    frame = accepted(oci(place, described(inner, INDEX), blobs=[layer, config, manifest, inner]))
    assert list(frame["path"]) == ["/f"]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_attestations_beside_the_image_are_ignored(place, first, nested):
    """As BuildKit writes them: platform unknown/unknown, "vnd.docker.reference.type": "attestation-manifest"."""
    layer, config, manifest = image_blobs()
    statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1"}).encode()
    rootfs = {"type": "layers", "diff_ids": [digest(statement)]}
    other_config = json.dumps({"architecture": "unknown", "os": "unknown", "rootfs": rootfs}).encode()
    attestation = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(other_config, "application/vnd.oci.image.config.v1+json"),
            "layers": [described(statement, "application/vnd.in-toto+json")],
        }
    ).encode()
    beside = described(
        attestation,
        platform={"architecture": "unknown", "os": "unknown"},
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": digest(manifest),
        },
    )
    image = described(manifest, platform={"architecture": "amd64", "os": "linux"})
    manifests = [beside, image] if first else [image, beside]
    blobs = [layer, config, manifest, statement, other_config, attestation]
    if nested:
        blobs.append(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode())
        manifests = [described(blobs[-1], INDEX)]
    assert list(accepted(oci(place, *manifests, blobs=blobs))["path"]) == ["/f"]


@pytest.mark.parametrize("index", [{"schemaVersion": 2, "manifests": []}, {"schemaVersion": 2}, {"manifests": None}])
def test_an_index_without_manifests_is_refused(place, index):
    refused(oci(place, index=index))


def test_thousands_of_indexes_in_each_other_end(place):
    layer, config, manifest = image_blobs()
    blobs, top = [layer, config, manifest], described(manifest)
    for _ in range(3000):
        blobs.append(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [top]}).encode())
        top = described(blobs[-1], INDEX)
    harmless(oci(place, top, blobs=blobs))


@pytest.mark.slow
@pytest.mark.parametrize("leaf", ["image", "nothing"])
def test_indexes_that_name_the_same_index_ten_times_over_end(place, leaf):
    """Ten to the power of twelve ways lead to one manifest, or to none."""
    blobs = image_blobs() if leaf == "image" else []
    names = [described(blobs[-1])] * 10 if blobs else []
    for _ in range(12):
        blobs.append(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": names}).encode())
        names = [described(blobs[-1], INDEX)] * 10
    alone(oci(place, *names, blobs=blobs), seconds=60)


# No archive at all


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\0" * 10240,
        b"\x1f\x8b" + b"x" * 100,
        b"PK\3\4" + b"\0" * 600,
        tar_of({"readme": b"1"}),
    ],
)
def test_what_is_no_image_is_refused(place, content):
    refused(written(place, content))


def test_a_folder_that_is_no_layout_is_refused(place):
    (place / "photos").mkdir()
    refused(place / "photos")
    (place / "photos" / "oci-layout").write_bytes(b"{}")
    refused(place / "photos")
    (place / "photos" / "index.json").mkdir()
    refused(place / "photos")


def test_a_path_where_nothing_is_is_refused(place):
    refused(place / "nowhere.tar")
    refused(place / "nowhere" / "at-all.tar")


def test_a_file_that_may_not_be_read_is_refused(place):
    path = written(place, archive_of(SMALL))
    path.chmod(0)
    harmless(path)  # root may read it all the same


def test_the_limits_are_what_a_laptop_can_take():
    assert (
        layer_tar.MOST_ENTRIES == 1_000_000 and layer_tar.LARGEST_HEADER <= 2**24 and layer_tar.LARGEST_LAYER <= 2**37
    )
    assert resource.RLIMIT_AS  # these tests are for systems that have it
