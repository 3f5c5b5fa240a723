"""Who owns what: --chown, --chmod, USER, and files that programs hand over."""

from __future__ import annotations

from corpus.case import Case, Dir, File

BASE = "FROM busybox:1.37\n"
SCRATCH = "FROM scratch\n"
TREE = {"src": Dir(0o750, 1, 2), "src/a": File(b"a\n", 0o604, 3, 4), "src/sub": Dir(0o711), "src/sub/c": "c\n"}
PASSWD = "RUN echo ada:x:61:62::/:/bin/sh >> /etc/passwd && echo crew:x:63: >> /etc/group\n"

CASES = [
    Case("chown_numbers", SCRATCH + "COPY --chown=7:8 src /new/dst\n", TREE),
    Case("chown_user_number_only", SCRATCH + "COPY --chown=7 src/a /a\n", TREE),
    Case("chown_name", BASE + PASSWD + "RUN echo ada:x:64: >> /etc/group\nCOPY --chown=ada src /dst\n", TREE),
    Case(
        "chown_name_without_a_group_of_that_name",
        BASE + PASSWD + "COPY --chown=ada src /dst\n",
        TREE,
        expect_error=True,
    ),
    Case("chown_new_parents_of_a_dir", BASE + "COPY --chown=7:8 src /p/q/dst/\n", TREE),
    Case("chown_new_parents_of_a_file", BASE + "COPY --chown=7:8 src/a /p/q/a\n", TREE),
    Case("chown_new_parents_several", BASE + "COPY --chown=7:8 src/a src/sub /p/q/\n", TREE),
    Case("chown_name_and_group", BASE + PASSWD + "COPY --chown=ada:crew src/a /deep/er/a\n", TREE),
    Case("chown_number_and_group_name", BASE + PASSWD + "COPY --chown=5:crew src/a /a\n", TREE),
    Case("chown_number_of_a_known_user", BASE + PASSWD + "COPY --chown=61 src/a /a\n", TREE),
    Case("chown_unknown_user", BASE + "COPY --chown=nobody-such src/a /a\n", TREE, expect_error=True),
    Case("chown_unknown_group", BASE + "COPY --chown=0:nobody-such src/a /a\n", TREE, expect_error=True),
    Case("chown_name_in_scratch", SCRATCH + "COPY --chown=root src/a /a\n", TREE, expect_error=True),
    Case("chown_existing_dir", BASE + "RUN mkdir -m 700 /dst\nCOPY --chown=7:8 src /dst\n", TREE),
    Case("chown_variable", SCRATCH + "ARG U=9\nCOPY --chown=$U:$U src/a /a\n", TREE),
    Case("chown_workdir_dot", BASE + "WORKDIR /app\nCOPY --chown=7:8 src .\n", TREE),
    Case(
        "chmod_is_buildkits",
        SCRATCH + "COPY --chmod=600 src/a /a\n",
        TREE,
        differs=("everything",),
        reason_for_difference="ours knows --chmod, which Docker leaves to BuildKit",
    ),
    Case("add_chown", SCRATCH + "ADD --chown=7:8 src /dst\n", TREE),
    Case("user_number_runs", BASE + "RUN mkdir -m 777 /d\nUSER 12\nRUN id > /d/id && touch /d/x && mkdir /d/y\n"),
    Case("user_and_group_number_runs", BASE + "RUN mkdir -m 777 /d\nUSER 12:34\nRUN id > /d/id && echo $HOME > /d/h\n"),
    Case("user_name_runs", BASE + PASSWD + "RUN mkdir -m 777 /d\nUSER ada\nRUN id > /d/id && echo $HOME > /d/h\n"),
    Case("user_name_and_group_runs", BASE + PASSWD + "RUN mkdir -m 777 /d\nUSER ada:crew\nRUN id > /d/id\n"),
    Case("user_unknown_runs", BASE + "USER nobody-such\nRUN true\n", expect_error=True),
    Case("user_without_permission", BASE + "USER 12\nRUN touch /etc/x\n", expect_error=True),
    Case("user_cannot_read_others", BASE + "RUN echo s > /s && chmod 600 /s\nUSER 12\nRUN cat /s\n", expect_error=True),
    Case("run_chown", BASE + "COPY src /dst\nRUN chown -R 61:62 /dst/sub && chown 9 /dst/a\n", TREE),
    Case("run_chown_then_mode", BASE + "COPY src/a /a\nRUN chmod 6755 /a && chown 9:9 /a\n", TREE),
    Case(
        "run_makes_for_another",
        BASE + "RUN mkdir -p /h/x && touch /h/x/f && chown -h 5:6 /h /h/x/f && ln -s f /h/x/l && chown -h 7:7 /h/x/l\n",
    ),
    Case("owner_kept_by_later_change", BASE + "RUN touch /f && chown 5:6 /f\nRUN echo more >> /f\nRUN chmod 640 /f\n"),
    Case("user_owns_then_deletes", BASE + "RUN mkdir /d && touch /d/a /d/b && chown -R 12 /d\nUSER 12\nRUN rm /d/a\n"),
]
