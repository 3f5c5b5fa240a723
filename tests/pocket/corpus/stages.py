"""Several stages: names, targets, copies between them, and triggers."""

from __future__ import annotations

from corpus.case import Case

BASE = "FROM busybox:1.37\n"
SOURCE = "FROM busybox:1.37 AS source\n"
MADE = SOURCE + "RUN mkdir -p /m/sub && echo a > /m/a && echo b > /m/sub/b && ln -s a /m/l && ln -s /m /link\n"
OWNED = MADE + "RUN chown -R 5:6 /m && chmod 2750 /m/sub && chmod 4711 /m/a\n"

CASES = [
    Case("scratch_only", "FROM scratch\n", expect_error=True),
    Case("scratch_with_config_only", 'FROM scratch\nCMD ["/x"]\n'),
    Case("scratch_env_and_label", "FROM scratch\nENV A=1\nLABEL b=2\n"),
    Case("scratch_workdir", "FROM scratch\nWORKDIR /made\n"),
    Case("from_alone", BASE),
    Case("from_alone_named", SOURCE),
    Case("two_stages", MADE + "FROM scratch\nCOPY --from=source /m /dst\n"),
    Case("copy_from_index", MADE + "FROM scratch\nCOPY --from=0 /m/a /dst/\n"),
    Case("copy_from_image", "FROM scratch\nCOPY --from=busybox:1.37 /etc/passwd /p\n"),
    Case("copy_from_upper_case_name", MADE.replace("source", "SouRce") + "FROM scratch\nCOPY --from=sOURCE /m/a /a\n"),
    Case("copy_from_link_to_dir", MADE + "FROM scratch\nCOPY --from=source /link /dst\n"),
    Case("copy_from_below_link_to_dir", MADE + "FROM scratch\nCOPY --from=source /link/sub /dst\n"),
    Case("copy_from_link_to_file", MADE + "FROM scratch\nCOPY --from=source /m/l /dst\n"),
    Case("copy_from_relative_to_root", MADE + "WORKDIR /m\nFROM scratch\nCOPY --from=source m/sub /dst/\n"),
    Case("copy_from_keeps_owners", OWNED + "FROM scratch\nCOPY --from=source /m /dst\n"),
    Case("copy_from_with_chown", OWNED + "FROM scratch\nCOPY --from=source --chown=7:8 /m /dst\n"),
    Case("copy_from_glob", MADE + "FROM scratch\nCOPY --from=source /m/* /dst/\n"),
    Case("copy_from_several", MADE + "FROM scratch\nCOPY --from=source /m/a /m/sub/b /dst/\n"),
    Case(
        "copy_from_hard_links",
        SOURCE + "RUN mkdir /h && echo x > /h/a && ln /h/a /h/b\nFROM scratch\nCOPY --from=source /h /h\n",
    ),
    Case("copy_from_deleted", MADE + "RUN rm -r /m/sub\nFROM scratch\nCOPY --from=source /m /dst\n"),
    Case("copy_from_missing", MADE + "FROM scratch\nCOPY --from=source /nowhere /dst\n", expect_error=True),
    Case(
        "copy_from_unknown_stage",
        MADE + "FROM scratch\nCOPY --from=no-such-stage:none /m /dst\n",
        expect_error=True,
        differs=("error", "said"),
        reason_for_difference="asks a registry, whose absence is worded by the network",
    ),
    Case("copy_from_later_index", MADE + "FROM scratch\nCOPY --from=1 /m /dst\n", expect_error=True),
    Case(
        "copy_from_ignores_dockerignore", MADE + "FROM scratch\nCOPY --from=source /m /dst\n", {".dockerignore": "*\n"}
    ),
    Case("from_previous_stage", MADE + "ENV A=1\nWORKDIR /m\nFROM source\nRUN rm a && echo $A > new\n"),
    Case("from_previous_stage_twice", MADE + "FROM source AS one\nRUN rm /m/a\nFROM source\nCOPY --from=one /m /n\n"),
    Case("from_upper_case_name", MADE + "FROM SOURCE\nENV A=1\n"),
    Case("stage_named_as_an_image", "FROM scratch AS busybox\nLABEL a=b\n" + BASE + "ENV A=1\n"),
    Case(
        "same_name_twice",
        "FROM busybox:1.37 AS x\nRUN echo 1 > /n\n"
        "FROM busybox:1.37 AS x\nRUN echo 2 > /n\nFROM scratch\nCOPY --from=x /n /n\n",
        expect_error=True,
    ),
    Case("unused_stage_is_built", BASE + "RUN echo unused\n" + BASE + "ENV A=1\n"),
    Case("unused_stage_fails", BASE + "RUN false\n" + BASE + "ENV A=1\n", expect_error=True),
    Case("target_first", MADE + "FROM scratch AS last\nCOPY --from=source /m /dst\n", target="source"),
    Case(
        "target_stops_there", BASE + "ENV A=1\nFROM busybox:1.37 AS mid\nENV B=2\nFROM mid\nRUN false\n", target="mid"
    ),
    Case("target_in_other_case", MADE + "FROM scratch\nRUN false\n", target="SOURCE"),
    Case("target_by_number", BASE + "ENV A=1\n" + BASE + "RUN false\n", target="0", expect_error=True),
    Case("target_unknown", BASE + "ENV A=1\n", target="nowhere", expect_error=True),
    Case("stage_name_bad", "FROM busybox:1.37 AS 1x\n", expect_error=True),
    Case("stage_name_missing", "FROM busybox:1.37 AS\n", expect_error=True),
    Case(
        "onbuild_in_a_second_stage",
        SOURCE + "ONBUILD RUN echo late > /late\nONBUILD COPY a /src/\nRUN echo soon > /soon\nFROM source\nENV A=1\n",
        {"a": "a\n"},
    ),
    Case("onbuild_is_not_inherited_twice", SOURCE + "ONBUILD ENV A=1\nFROM source AS second\nFROM second\nENV B=2\n"),
    Case("onbuild_bad_trigger", SOURCE + "ONBUILD NONSENSE x\nFROM source\n", expect_error=True),
    Case("entrypoint_resets_previous_stages_cmd", SOURCE + 'CMD ["a"]\nFROM source\nENTRYPOINT ["b"]\n'),
    Case("platform_flag", "FROM --platform=linux/amd64 busybox:1.37\nENV A=1\n"),
]
