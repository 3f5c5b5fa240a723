# Stand-in for python:3.11: the layers of buildpack-deps:bookworm, then Debian's CPython under /usr/local.
FROM factory-floor/debian:bookworm AS python
LABEL factory-floor=stand-in-stage factory-floor.stand-in-for=python:3.11
COPY python-from-debian.sh /
RUN echo "deb-src http://deb.debian.org/debian bookworm main" >> /etc/apt/sources.list && \
    apt-get update -q && sh /python-from-debian.sh 3.11.2

FROM factory-floor/debian:bookworm
LABEL factory-floor=stand-in-stage factory-floor.stand-in-for=python:3.11
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
# documentation stays, as in the image that the original starts from
RUN set -eux; \
    sed -i /path-/d /etc/dpkg/dpkg.cfg.d/99mmdebstrap; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends ca-certificates curl gnupg netbase sq wget tzdata; \
    rm -rf /var/lib/apt/lists/*
RUN set -eux; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends git mercurial openssh-client subversion procps; \
    rm -rf /var/lib/apt/lists/*
RUN set -eux; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends \
        autoconf automake bzip2 default-libmysqlclient-dev dpkg-dev file g++ gcc imagemagick libbz2-dev \
        libc6-dev libcurl4-openssl-dev libdb-dev libevent-dev libffi-dev libgdbm-dev libglib2.0-dev libgmp-dev \
        libjpeg-dev libkrb5-dev liblzma-dev libmagickcore-dev libmagickwand-dev libmaxminddb-dev \
        libncurses5-dev libncursesw5-dev libpng-dev libpq-dev libreadline-dev libsqlite3-dev libssl-dev \
        libtool libwebp-dev libxml2-dev libxslt-dev libyaml-dev make patch unzip xz-utils zlib1g-dev; \
    rm -rf /var/lib/apt/lists/*
ENV LANG=C.UTF-8 PYTHON_VERSION=3.11.2
RUN set -eux; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends \
        libbluetooth-dev libdb5.3 libexpat1-dev libnsl2 tk-dev tk8.6-blt2.5 uuid-dev; \
    rm -rf /var/lib/apt/lists/*
COPY --from=python /out/usr/local /usr/local
CMD ["python3"]
