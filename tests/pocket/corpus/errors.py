"""Dockerfiles and contexts that cannot be built: the same words as Docker's."""

from __future__ import annotations

from corpus.case import Case, Dir, File, HardLink, Symlink

BASE = "FROM busybox:1.37\n"


def refused(name: str, dockerfile: str, context: dict | None = None, **more) -> Case:
    return Case(name, dockerfile, context or {}, expect_error=True, **more)


CASES = [
    refused("empty", ""),
    refused("only_comments", "# nothing\n"),
    refused("only_args", "ARG A=1\n", differs=("everything",), reason_for_difference="Docker 20.10 panics"),
    refused("no_from", "RUN true\n"),
    refused("no_from_after_arg", "ARG A=1\nRUN true\n"),
    refused("unknown_instruction", BASE + "FRON x\n"),
    refused("unknown_instruction_first", "HELLO\n"),
    refused("unknown_flag_copy", BASE + "COPY --frm=x a /a\n"),
    refused("unknown_flag_run", BASE + "RUN --fast true\n"),
    refused("flag_without_value", BASE + "COPY --from a /a\n"),
    refused("flag_twice", BASE + "COPY --from=a --from=b a /a\n"),
    refused("link_flag_is_buildkits", BASE + "COPY --link a /a\n", {"a": "a\n"}),
    refused("from_without_name", "FROM\n"),
    refused("from_too_many_words", "FROM a b c d\n"),
    refused(
        "from_bad_reference",
        "FROM Bad:Ref:erence\n",
        differs=("error",),
        reason_for_difference="ours names the reference that is wrong",
    ),
    refused("run_without_command", BASE + "RUN\n"),
    Case("cmd_without_command", BASE + "CMD\n"),
    refused("env_without_value", BASE + "ENV A\n"),
    refused("env_mixed_forms", BASE + "ENV A=1 B\n"),
    refused("env_empty_name", BASE + "ENV =x\n"),
    refused("env_bad_substitution", BASE + "ENV A=${B:x}\n"),
    refused(
        "env_open_brace",
        BASE + "ENV A=${B\n",
        differs=("error",),
        reason_for_difference="the lexer is that of a later BuildKit, and words it differently",
    ),
    refused("env_open_quote", BASE + 'ENV A="b\n'),
    refused("label_without_value", BASE + "LABEL a\n"),
    Case("label_empty_name", BASE + 'LABEL ""=x\n'),
    refused("expose_nothing", BASE + "EXPOSE\n"),
    refused("expose_word", BASE + "EXPOSE web\n"),
    refused("expose_too_high", BASE + "EXPOSE 70000\n"),
    refused("expose_bad_protocol", BASE + "EXPOSE 80/ip\n"),
    refused("user_nothing", BASE + "USER\n"),
    Case("user_two", BASE + "USER a b\n"),
    refused("workdir_nothing", BASE + "WORKDIR\n"),
    Case("workdir_two_words", BASE + "WORKDIR /a b\n"),
    refused("volume_empty", BASE + 'VOLUME [""]\n'),
    refused("onbuild_nothing", BASE + "ONBUILD\n"),
    refused("stopsignal_two", BASE + "STOPSIGNAL a b\n"),
    refused("maintainer_nothing", BASE + "MAINTAINER\n"),
    refused("healthcheck_nothing", BASE + "HEALTHCHECK\n"),
    refused("healthcheck_without_command", BASE + "HEALTHCHECK CMD\n"),
    refused("healthcheck_none_with_words", BASE + "HEALTHCHECK NONE x\n"),
    refused("healthcheck_short", BASE + "HEALTHCHECK --interval=1us CMD true\n"),
    refused("shell_empty", BASE + "SHELL []\n"),
    refused("arg_bad_name", BASE + "ARG =1\n"),
    refused("escape_directive_bad", "# escape=x\n" + BASE),
    Case("directive_after_comment", "# just a comment\n# escape=`\n" + BASE + "RUN echo a \\\n && echo b\n"),
    refused("directive_twice", "# escape=`\n# escape=`\n" + BASE),
    refused("copy_after_failure_keeps_nothing", BASE + "RUN echo x > /x\nCOPY nowhere /y\n"),
    refused("workdir_below_a_file", BASE + "RUN touch /f\nWORKDIR /f/d\n"),
    refused("workdir_is_a_file", BASE + "RUN touch /f\nWORKDIR /f\n"),
    Case(
        "context_climbs_out",
        BASE + "COPY . /x\n",
        {"../../evil": "e\n"},
        stricter="leads out of it",
        reason_for_difference="names that climb out are not tamed but refused",
    ),
    Case("context_absolute_name", BASE + "COPY . /x\n", {"/abs/evil": "e\n"}),
    refused(
        "context_link_climbs_out",
        BASE + "COPY . /x\n",
        {"l": Symlink("/etc"), "l/evil": "e\n"},
        differs=("error",),
        reason_for_difference="Docker tells what the unpacking ran into",
    ),
    Case(
        "context_link_climbs_out_relatively",
        BASE + "COPY . /x\n",
        {"l": Symlink("../../.."), "l/evil": "e\n"},
        stricter="is not a folder",
        reason_for_difference="names that climb out are not tamed but refused",
    ),
    Case(
        "context_link_outside_is_copied_as_a_link",
        BASE + "COPY . /x/\n",
        {"d": Dir(), "d/l": Symlink("../../../../etc/shadow")},
    ),
    refused("context_link_outside_as_source", BASE + "COPY l/shadow /x\n", {"l": Symlink("/etc")}),
    refused(
        "context_hard_link_outside",
        BASE + "COPY . /x\n",
        {"h": HardLink("../../../etc/shadow")},
        differs=("error",),
        reason_for_difference="Docker tells what the unpacking ran into",
    ),
    refused(
        "context_hard_link_missing",
        BASE + "COPY . /x\n",
        {"h": HardLink("no-such")},
        differs=("error",),
        reason_for_difference="Docker tells what the unpacking ran into",
    ),
    Case("context_same_name_twice", BASE + "COPY a /a\n", {"a": "first\n", "./a": "second\n"}),
    Case("context_file_then_dir", BASE + "COPY . /x\n", {"a": "first\n", "./a": Dir(), "a/b": "b\n"}),
    Case("context_dot_names", BASE + "COPY . /x\n", {"./": Dir(0o700, 1, 2), "./a": File(b"a\n", 0o600)}),
]
