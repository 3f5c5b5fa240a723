"""ADD: archives are unpacked, everything else is copied. (Addresses are not fetched: tests run without a network.)"""

from __future__ import annotations

import gzip

from corpus.case import Case, Dir, File, HardLink, Symlink, tar

SCRATCH = "FROM scratch\n"
BASE = "FROM busybox:1.37\n"
INSIDE = {
    "d": Dir(0o750, 5, 6),
    "d/a": File(b"a\n", 0o4640, 7, 8),
    "d/l": Symlink("a"),
    "d/h": HardLink("d/a"),
    "top": "t\n",
}
PLAIN = tar(INSIDE)

CASES = [
    Case("add_file", SCRATCH + "ADD a /d/\n", {"a": File(b"a\n", 0o600, 3, 4)}),
    Case("add_dir", SCRATCH + "ADD src /dst\n", {"src": Dir(0o700, 3, 4), "src/a": "a\n"}),
    Case("add_tar", SCRATCH + "ADD x.tar /dst\n", {"x.tar": PLAIN}),
    Case("add_tar_with_slash", SCRATCH + "ADD x.tar /dst/\n", {"x.tar": PLAIN}),
    Case("add_tar_into_root", SCRATCH + "ADD x.tar /\n", {"x.tar": PLAIN}),
    Case("add_tar_gz", SCRATCH + "ADD x.tar.gz /dst/\n", {"x.tar.gz": tar(INSIDE, "gz")}),
    Case("add_tar_bz2", SCRATCH + "ADD x.tar.bz2 /dst/\n", {"x.tar.bz2": tar(INSIDE, "bz2")}),
    Case("add_tar_xz", SCRATCH + "ADD x.tar.xz /dst/\n", {"x.tar.xz": tar(INSIDE, "xz")}),
    Case("add_tar_by_content_not_name", SCRATCH + "ADD notes.txt /dst/\n", {"notes.txt": PLAIN}),
    Case("add_text_named_tar", SCRATCH + "ADD x.tar /dst/\n", {"x.tar": "not a tar\n"}),
    Case("add_gzip_that_is_no_tar", SCRATCH + "ADD x.gz /dst/\n", {"x.gz": gzip.compress(b"just text\n", mtime=0)}),
    Case(
        "add_truncated_tar",
        SCRATCH + "ADD x.tar /dst/\n",
        {"x.tar": PLAIN[:1400]},
        differs=("everything",),
        reason_for_difference="Docker takes a cut archive for whole; to refuse it is better",
    ),
    Case("add_empty_file", SCRATCH + "ADD e /dst/\n", {"e": ""}),
    Case("add_tar_in_a_dir_is_copied", SCRATCH + "ADD d /dst\n", {"d": Dir(), "d/x.tar": PLAIN}),
    Case("add_tar_and_file", SCRATCH + "ADD x.tar a /dst/\n", {"x.tar": PLAIN, "a": "a\n"}),
    Case("add_glob_of_tars", SCRATCH + "ADD *.tar /dst/\n", {"x.tar": tar({"a": "a\n"}), "y.tar": tar({"b": "b\n"})}),
    Case("add_tar_with_chown", SCRATCH + "ADD --chown=1:2 x.tar /dst/\n", {"x.tar": PLAIN}),
    Case(
        "add_tar_over_existing",
        BASE + "RUN mkdir -m 700 /dst /dst/d && echo old > /dst/top\nADD x.tar /dst\n",
        {"x.tar": PLAIN},
    ),
    Case(
        "add_tar_onto_a_file",
        BASE + "RUN echo x > /dst\nADD x.tar /dst\n",
        {"x.tar": PLAIN},
        expect_error=True,
        differs=("error",),
        reason_for_difference="Docker tells of the folder that it pivots into",
    ),
    Case("add_tar_dir_over_file", BASE + "RUN mkdir /dst && echo x > /dst/d\nADD x.tar /dst\n", {"x.tar": PLAIN}),
    Case("add_tar_file_over_dir", BASE + "RUN mkdir -p /dst/top/x\nADD x.tar /dst\n", {"x.tar": PLAIN}),
    Case("add_tar_through_link", BASE + "RUN mkdir /real && ln -s /real /dst\nADD x.tar /dst\n", {"x.tar": PLAIN}),
    Case(
        "add_tar_climbs_out",
        SCRATCH + "ADD x.tar /dst/\n",
        {"x.tar": tar({"../out": "o\n"})},
        stricter="leads out of it",
        reason_for_difference="names that climb out are not tamed but refused",
    ),
    Case("add_tar_absolute_names", SCRATCH + "ADD x.tar /dst/\n", {"x.tar": tar({"/abs": "o\n"})}),
    Case(
        "add_tar_link_climbs_out",
        SCRATCH + "ADD x.tar /dst/\n",
        {"x.tar": tar({"l": Symlink("/etc"), "l/x": "o\n"})},
        expect_error=True,
        differs=("error",),
        reason_for_difference="Docker tells what the unpacking ran into",
    ),
    Case("add_tar_linked_file", SCRATCH + "ADD link /dst/\n", {"x.tar": PLAIN, "link": Symlink("x.tar")}),
    Case(
        "add_url_refused",
        SCRATCH + "ADD http://127.0.0.1:9/x /dst/\n",
        expect_error=True,
        differs=("error",),
        reason_for_difference="nothing listens there; each language words that in its own way",
    ),
]
