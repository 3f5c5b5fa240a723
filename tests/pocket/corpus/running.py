"""RUN: what a program leaves behind becomes a layer, deletions as whiteouts."""

from __future__ import annotations

from corpus.case import Case

BASE = "FROM busybox:1.37\n"
LOWER = BASE + "RUN mkdir -p /d/sub && echo a > /d/a && echo b > /d/sub/b && ln -s a /d/l\n"

CASES = [
    Case("run_shell_form", BASE + "RUN echo hello > /hello\n"),
    Case("run_exec_form", BASE + 'RUN ["/bin/sh", "-c", "echo $0 > /out", "zero"]\n'),
    Case("run_exec_without_shell", BASE + 'RUN ["echo", "$PATH", "&&", "x"]\n'),
    Case("run_says_things", BASE + "RUN echo one; echo; printf 'no newline'\n"),
    Case("run_says_on_stderr", BASE + "RUN echo oops >&2\n"),
    Case("run_fails", BASE + "RUN echo before; exit 7\n", expect_error=True),
    Case("run_fails_exec", BASE + 'RUN ["false", "a b"]\n', expect_error=True),
    Case("run_fails_with_args", BASE + "ARG A=1\nRUN exit 3\n", expect_error=True),
    Case("run_killed", BASE + "RUN sh -c 'kill -9 $$'; exit $?\n", expect_error=True),
    Case("run_not_found", BASE + "RUN no-such-program x\n", expect_error=True),
    Case("run_exec_not_found", BASE + 'RUN ["no-such-program"]\n', expect_error=True),
    Case("run_exec_not_executable", BASE + 'RUN ["/etc/passwd"]\n', expect_error=True),
    Case("run_in_scratch", "FROM scratch\nRUN true\n", expect_error=True),
    Case("run_nothing_changes", BASE + "RUN true\n"),
    Case("run_environment", BASE + "ENV A=1\nRUN env | grep -v HOSTNAME | sort > /env\nRUN cd && pwd > /home-is\n"),
    Case("run_workdir", BASE + "WORKDIR /w\nRUN pwd > here\n"),
    Case("run_with_shell", BASE + 'SHELL ["/bin/busybox", "sh", "-xc"]\nRUN echo a > /a\nRUN ["true"]\n'),
    Case("run_no_stdin", BASE + "RUN cat > /out; wc -c /out\n"),
    Case("run_umask", BASE + "RUN umask > /u; touch /f; mkdir /m\n"),
    Case("run_removes_lower_file", LOWER + "RUN rm /d/a\n"),
    Case("run_removes_lower_dir", LOWER + "RUN rm -r /d\n"),
    Case("run_removes_own_file", LOWER + "RUN touch /d/new && rm /d/new\n"),
    Case("run_removes_then_makes_again", LOWER + "RUN rm /d/a && echo a > /d/a\n"),
    Case("run_dir_becomes_file", LOWER + "RUN rm -r /d && echo now a file > /d\n"),
    Case("run_file_becomes_dir", LOWER + "RUN rm /d/a && mkdir /d/a && touch /d/a/x\n"),
    Case("run_dir_becomes_link", LOWER + "RUN mv /d /e && ln -s /e /d\n"),
    Case("run_link_becomes_file", LOWER + "RUN rm /d/l && echo f > /d/l\n"),
    Case("run_link_changes_target", LOWER + "RUN ln -sf sub/b /d/l\n"),
    Case("run_makes_dir_again", LOWER + "RUN rm -r /d && mkdir /d && touch /d/new\n"),
    Case("run_makes_empty_dir_again", LOWER + "RUN rm -r /d && mkdir /d\n"),
    Case("run_makes_inner_dir_again", LOWER + "RUN rm -r /d/sub && mkdir -p /d/sub/b && touch /d/sub/n\n"),
    Case("run_renames_dir", LOWER + "RUN mv /d/sub /d/other\n"),
    Case("run_renames_file", LOWER + "RUN mv /d/a /d/z\n"),
    Case("run_chmod_only", LOWER + "RUN chmod 600 /d/a\n"),
    Case("run_chmod_dir_only", LOWER + "RUN chmod 700 /d/sub\n"),
    Case("run_chmod_to_the_same", LOWER + "RUN chmod 644 /d/a\n"),
    Case("run_chown_only", LOWER + "RUN chown 5:6 /d/a\n"),
    Case("run_touch_only", LOWER + "RUN touch -d '2001-02-03 04:05' /d/a\n"),
    Case("run_same_bytes_again", LOWER + "RUN echo a > /d/a\n"),
    Case("run_appends", LOWER + "RUN echo more >> /d/sub/b\n"),
    Case("run_hard_links", BASE + "RUN mkdir /h && echo x > /h/a && ln /h/a /h/b && ln /h/a /h/c\n"),
    Case("run_removes_one_of_two_names", BASE + "RUN mkdir /h && echo x > /h/a && ln /h/a /h/b\nRUN rm /h/a\n"),
    Case(
        "run_writes_to_one_of_two_names",
        BASE + "RUN mkdir /h && echo x > /h/a && ln /h/a /h/b\nRUN echo y > /h/a\n",
        differs=("layers",),
        reason_for_difference="overlay2 parts the names when one is written to; here it stays one file",
    ),
    Case("run_hard_link_to_lower", LOWER + "RUN ln /d/a /d/also\n"),
    Case("run_fifo", BASE + "RUN mkfifo -m 640 /pipe\n"),
    Case("run_special_bits", BASE + "RUN touch /s && chmod 4755 /s && mkdir /t && chmod 3770 /t\n"),
    Case("run_odd_names", BASE + "RUN mkdir /o && touch '/o/a b' '/o/ü' '/o/-x' '/o/a\\b'\n"),
    Case("run_tmp_is_kept", BASE + "RUN echo t > /tmp/t && mkdir -p /var/tmp && echo t > /var/tmp/t\n"),
    Case("run_leaves_no_mount_points", BASE + "RUN echo > /dev/shm/x; echo x > /dev/null; ls /proc > /dev/null\n"),
    Case("run_etc_hosts_is_not_kept", BASE + "RUN echo 127.0.0.1 mine >> /etc/hosts && grep mine /etc/hosts\n"),
    Case("run_background_is_ended", BASE + "RUN sleep 1000 & echo started\n"),
    Case(
        "run_volume_then_run", BASE + "RUN mkdir /v && touch /v/kept\nVOLUME /v\nRUN touch /v/lost && ls /v > /seen\n"
    ),
    Case("run_volume_new_dir", BASE + "VOLUME /n\nRUN touch /n/lost\n"),
    Case("run_volume_then_copy", BASE + "VOLUME /v\nCOPY a /v/a\n", {"a": "a\n"}),
    Case(
        "run_continued_with_comments", BASE + "RUN set -e; \\\n# first\n  echo a > /a; \\\n  # second\n  echo b > /b\n"
    ),
    Case("run_quotes", BASE + """RUN echo "a  b" 'c  $PATH' \\$x "\\"q\\"" > /q\n"""),
    Case(
        "run_heredoc",
        BASE + "RUN <<EOF\necho a > /a\necho b > /b\nEOF\n",
        written={"a": "a\n", "b": "b\n"},
        reason_for_difference="Docker's classic builder knows no heredocs",
        expect_error=True,
    ),
    Case("run_mount_is_buildkits", BASE + "RUN --mount=type=cache,target=/c true\n", expect_error=True),
    Case("run_network_is_buildkits", BASE + "RUN --network=none true\n", expect_error=True),
    Case("python_run", "FROM python:3.11-slim\nRUN python -c \"open('/x', 'w').write('hi')\"\n"),
    Case(
        "python_bytecode",
        "FROM python:3.11-slim\nWORKDIR /app\nCOPY m.py .\n"
        'ENV PYTHONDONTWRITEBYTECODE=1\nRUN python m.py > out\nCMD ["python", "m.py"]\n',
        {"m.py": "import sys\nprint(sys.version_info[:2])\n"},
    ),
    Case(
        "python_user",
        "FROM python:3.11-slim\nRUN useradd --no-create-home --no-log-init clerk\n"
        "WORKDIR /app\nRUN chown clerk /app\nUSER clerk\n"
        "RUN python -c \"import os; open('who', 'w').write(str(os.getuid()))\"\n",
        volatile=("etc/shadow",),
        copied_up=("etc/.pwd.lock",),
        reason_for_difference="useradd writes the day of the change",
    ),
]
