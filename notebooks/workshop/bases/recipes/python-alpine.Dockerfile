# Stand-in for python:3.11-alpine: CPython compiled for musl, with BusyBox around it; nothing of the compiler remains.
FROM factory-floor/debian:bookworm AS toolchain
LABEL factory-floor=stand-in-stage factory-floor.stand-in-for=python:3.11-alpine
RUN echo "deb-src http://deb.debian.org/debian bookworm main" >> /etc/apt/sources.list && \
    apt-get update -q && apt-get install -qy --no-install-recommends \
    busybox-static dpkg-dev file gcc libc6-dev linux-libc-dev make musl musl-tools netbase perl python3-wheel-whl tcl \
    tzdata xz-utils

FROM toolchain AS libraries
COPY musl-libraries.sh /
RUN sh /musl-libraries.sh

FROM libraries AS python
COPY musl-python.sh /
RUN sh /musl-python.sh

FROM scratch
LABEL factory-floor=stand-in-stage factory-floor.stand-in-for=python:3.11-alpine
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PYTHON_VERSION=3.11.2
COPY --from=python /out/root /
COPY --from=python /out/python/usr/local /usr/local
CMD ["python3"]
