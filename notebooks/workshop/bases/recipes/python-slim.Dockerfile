# Stand-in for python:3.11-slim: Debian's CPython, laid out under /usr/local in a stage of its own.
FROM factory-floor/debian:bookworm AS python
LABEL factory-floor=stand-in-stage factory-floor.stand-in-for=python:3.11-slim
COPY python-from-debian.sh /
RUN echo "deb-src http://deb.debian.org/debian bookworm main" >> /etc/apt/sources.list && \
    apt-get update -q && sh /python-from-debian.sh 3.11.2

FROM factory-floor/debian:bookworm
LABEL factory-floor=stand-in-stage factory-floor.stand-in-for=python:3.11-slim
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PYTHON_VERSION=3.11.2
RUN set -eux; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends netbase tzdata \
        libbz2-1.0 libdb5.3 libexpat1 libffi8 liblzma5 libncursesw6 libnsl2 libreadline8 libsqlite3-0 libssl3 libuuid1 \
        zlib1g; \
    rm -rf /var/lib/apt/lists/*
COPY --from=python /out/usr/local /usr/local
CMD ["python3"]
