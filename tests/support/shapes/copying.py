"""The forms of COPY and ADD: several sources, wildcards, folders and what is in them, exceptions."""

from .shape import BUILDKIT_ONLY, Shape

SHAPES = [
    Shape(
        "copying_a_folder_and_what_is_in_it",
        """FROM busybox:1.37 AS build
RUN mkdir -p /d/sub /d/empty && echo 1 > /d/1 && echo 2 > /d/sub/2
FROM busybox:1.37
COPY --from=build /d /one
COPY --from=build /d/ /two/
COPY --from=build /d/sub /d/1 /three/
WORKDIR /four
COPY --from=build /d/1 ./renamed
COPY --from=build d/sub/2 .
""",
        {},
        (
            "build /d/1 -> /one/1",
            "build /d/sub/2 -> /one/sub/2",
            "build /d/1 -> /two/1",
            "build /d/sub/2 -> /two/sub/2",
            "build /d/sub/2 -> /three/2",
            "build /d/1 -> /three/1",
            "build /d/1 -> /four/renamed",
            "build /d/sub/2 -> /four/2",
        ),
    ),
    Shape(
        "copying_by_wildcards",
        """FROM busybox:1.37 AS build
WORKDIR /w
COPY *.txt conf?.d/[ab]*.conf ./
FROM scratch
COPY --from=build /w/*.txt /t/
COPY --from=build ["/w/a.conf", "/w/with space.txt", "/c/"]
""",
        {
            "one.txt": "1\n",
            "with space.txt": "s\n",
            "conf1.d/a.conf": "a\n",
            "conf1.d/c.conf": "c\n",
            "conf2.d/b.conf": "b\n",
            "no.md": "no\n",
        },
        (
            "build /w/one.txt -> /t/one.txt",
            "build /w/with space.txt -> /t/with space.txt",
            "build /w/a.conf -> /c/a.conf",
            "build /w/with space.txt -> /c/with space.txt",
        ),
    ),
    Shape(
        "copying_one_file_to_two_places",
        """FROM busybox:1.37 AS build
RUN echo tool > /tool
FROM busybox:1.37
COPY --from=build /tool /usr/bin/tool
COPY --from=build /tool /opt/tool
COPY --from=build /tool /opt/tool.bak
""",
        {},
        (
            "build /tool -> /usr/bin/tool",
            "build /tool -> /opt/tool",
            "build /tool -> /opt/tool.bak",
        ),
    ),
    Shape(
        "copying_equal_files_apart",
        """FROM busybox:1.37 AS one
RUN mkdir -p /p/a /p/b && touch /p/a/__init__.py /p/b/__init__.py && echo x > /p/a/x && echo x > /p/b/x
FROM busybox:1.37 AS two
RUN mkdir /q && echo x > /q/x
FROM scratch
COPY --from=one /p /p
COPY --from=two /q/x /p/c/x
""",
        {},
        (
            "one /p/a/__init__.py -> /p/a/__init__.py",
            "one /p/b/__init__.py -> /p/b/__init__.py",
            "one /p/a/x -> /p/a/x",
            "one /p/b/x -> /p/b/x",
            "two /q/x -> /p/c/x",
        ),
    ),
    Shape(
        "copying_through_three_stages",
        """FROM busybox:1.37 AS a
RUN echo a > /a
FROM busybox:1.37 AS b
COPY --from=a /a /b
RUN echo b >> /b
FROM scratch AS c
COPY --from=b /b /c
FROM busybox:1.37
COPY --from=c / /final
COPY --from=a /a /final/
""",
        {},
        ("c /c -> /final/c", "a /a -> /final/a"),
    ),
    Shape(
        "copying_with_exceptions",
        """FROM busybox:1.37 AS build
RUN mkdir -p /x/sub && echo 1 > /x/1.txt && echo 2 > /x/2.log && echo 3 > /x/sub/3.log
FROM scratch
COPY --exclude=*.md . /src/
COPY --from=build --exclude=**/*.log /x /y
""",
        {"a.py": "a\n", "b.md": "b\n"},
        ("build /x/1.txt -> /y/1.txt",),
        no_classic=BUILDKIT_ONLY,
        since=(28, 5),
    ),
    Shape(
        "copying_into_what_is_there",
        """FROM busybox:1.37 AS build
RUN mkdir -p /etc/app/conf.d && echo new > /etc/app/app.conf && echo c > /etc/app/conf.d/c
FROM busybox:1.37
RUN mkdir -p /etc/app && echo old > /etc/app/app.conf && echo mine > /etc/app/mine && chmod 700 /etc/app
COPY --from=build /etc/app /etc/app
ADD https.txt /etc/app/conf.d/
""",
        {"https.txt": "not a URL\n"},
        ("build /etc/app/app.conf -> /etc/app/app.conf", "build /etc/app/conf.d/c -> /etc/app/conf.d/c"),
    ),
]
