# Stand-in for gcr.io/distroless/python3-debian13: Debian's packages unpacked on nothing, without a shell or dpkg.
FROM factory-floor/debian:trixie AS packages
LABEL factory-floor=stand-in-stage factory-floor.stand-in-for=gcr.io/distroless/python3-debian13:latest
# Nothing is installed: no maintainer script runs, and what one would need (dash, dpkg, coreutils) stays away.
# As in the original, a file for each package in status.d says what is in there; there is no dpkg to keep a status file.
RUN set -eux; \
    apt-get update -q; \
    mkdir /debs; cd /debs; \
    apt-get download -q base-files netbase tzdata libc6 libgcc-s1 libgomp1 libstdc++6 libssl3t64 \
        python3.13-minimal python3.13-venv libpython3.13-minimal libpython3.13-stdlib \
        libbz2-1.0 libcom-err2 libcrypt1 libdb5.3t64 libexpat1 libffi8 libgssapi-krb5-2 libk5crypto3 libkeyutils1 \
        libkrb5-3 libkrb5support0 liblzma5 libncursesw6 libnsl2 libreadline8t64 libsqlite3-0 libtinfo6 libtirpc3t64 \
        libuuid1 libzstd1 zlib1g; \
    status=/out/var/lib/dpkg/status.d; mkdir -p "$status"; \
    for deb in *.deb; do \
        name=$(dpkg-deb --field "$deb" Package); \
        dpkg-deb --extract "$deb" /out; \
        dpkg-deb --control "$deb" control; \
        cp control/control "$status/$name"; \
        [ ! -f control/md5sums ] || cp control/md5sums "$status/$name.md5sums"; \
        rm -r control; \
    done; \
    cd /out; \
    find usr/share/doc -type f ! -name copyright -delete; \
    rm -r usr/share/lintian usr/share/man usr/share/locale usr/share/info usr/share/bug 2>/dev/null || true; \
    cp /etc/nsswitch.conf etc/; \
    for link in python python3; do ln -s python3.13 usr/bin/$link; done; \
    mkdir -p etc/ssl/certs home/nonroot root tmp; \
    cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/; \
    chown 65532:65532 home/nonroot; chmod 700 home/nonroot root; chmod 1777 tmp; \
    printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin \
        nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin > etc/passwd; \
    printf '%s\n' root:x:0: nobody:x:65534: tty:x:5: staff:x:50: nonroot:x:65532: > etc/group; \
    chroot /out /usr/bin/python3.13 -B -c \
        "import bz2, ctypes, dbm.ndbm, decimal, hashlib, lzma, readline, sqlite3, ssl, uuid, zlib"; \
    find . -depth -type d -name __pycache__ -exec rm -rf {} +

FROM scratch
LABEL factory-floor=stand-in-stage factory-floor.stand-in-for=gcr.io/distroless/python3-debian13:latest
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
COPY --from=packages /out /
ENTRYPOINT ["/usr/bin/python3.13"]
