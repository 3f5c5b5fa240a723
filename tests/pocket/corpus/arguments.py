"""ARG: where it counts, what is predefined, and what becomes of arguments nobody asked for."""

from __future__ import annotations

from corpus.case import Case

BASE = "FROM busybox:1.37\n"

CASES = [
    Case("arg_default", BASE + "ARG A=1\nARG B\nENV C=$A D=$B\nRUN echo $A-$B > /out\n"),
    Case("arg_override", BASE + "ARG A=1\nARG B\nRUN echo $A-$B > /out\n", buildargs={"A": "x y", "B": "2"}),
    Case("arg_in_from", "ARG V=1.36\nARG N=busybox\nFROM $N:${V}\nENV A=1$V\n", buildargs={"V": "1.37"}),
    Case("arg_default_in_from", "ARG V\nFROM busybox:${V:-1.37}\nENV A=1\n"),
    Case("arg_empty_in_from", "ARG V\nFROM $V\n", expect_error=True),
    Case("arg_before_from_used_within", "ARG V=1.37\nFROM busybox:$V\nARG V\nARG W=$V-w\nRUN echo $V $W > /out\n"),
    Case("arg_ends_with_its_stage", BASE + "ARG A=1\nRUN echo $A > /out\n" + BASE + "RUN echo [$A] > /out\n"),
    Case("arg_before_its_line", BASE + "ENV B=[$A]\nARG A=1\nENV C=[$A]\n"),
    Case("env_wins_over_arg", BASE + "ENV A=env\nARG A=arg\nRUN echo $A > /out\n", buildargs={"A": "asked"}),
    Case("env_after_arg", BASE + "ARG A=arg\nENV A=${A:-none}\nRUN echo $A > /out\n", buildargs={"A": "asked"}),
    Case("arg_several_on_a_line", BASE + 'ARG A=1 B C="x y"\nRUN echo $A $B $C > /out\n', buildargs={"B": "b"}),
    Case("arg_sorted_in_history", BASE + "ARG Z=1\nARG A=2\nARG M=3\nRUN true\n"),
    Case("arg_unset_in_run", BASE + 'ARG A\nARG B=""\nRUN echo ${A-unset} ${B-unset} > /out\n'),
    Case("arg_predefined", BASE + "RUN echo $HTTP_PROXY $no_proxy > /out\n", buildargs={"HTTP_PROXY": "http://p"}),
    Case("arg_predefined_declared", BASE + "ARG HTTP_PROXY\nRUN true\n", buildargs={"HTTP_PROXY": "http://p"}),
    Case("arg_nobody_asked_for", BASE + "RUN true\n", buildargs={"NOBODY": "1", "AND_NOBODY": "2"}),
    Case("arg_in_copy_and_workdir", BASE + "ARG D=/d\nARG F=a\nWORKDIR $D\nCOPY $F $D/to/\n", {"a": "a\n"}),
    Case("arg_in_label_user_expose", BASE + "ARG A=7\nLABEL l=$A\nUSER $A\nEXPOSE $A\nSTOPSIGNAL $A\n"),
    Case("arg_without_name", BASE + "ARG\n", expect_error=True),
    Case("arg_platform_in_from", "ARG P=linux/amd64\nFROM --platform=$P busybox:1.37\nENV A=1\n"),
    Case("arg_target_platform_is_buildkits", BASE + "ARG TARGETARCH\nRUN echo [$TARGETARCH] > /out\n"),
]
