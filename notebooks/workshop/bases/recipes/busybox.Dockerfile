# Stand-in for busybox:1.37: one static program and a link for each of its commands, one layer on nothing.
FROM factory-floor/debian:trixie AS packages
LABEL factory-floor=stand-in-stage factory-floor.stand-in-for=busybox:1.37
RUN set -eux; \
    apt-get update -q; \
    cd /tmp; apt-get download -q busybox-static; dpkg-deb -x busybox-static_*.deb .; \
    busybox=$(ls bin/busybox usr/bin/busybox 2>/dev/null | head -n 1); \
    $busybox | head -n 1 | grep -F "BusyBox v1.37"; \
    mkdir -p /out/bin /out/etc /out/root /out/tmp /out/home /out/var; \
    chmod 1777 /out/tmp; chmod 700 /out/root; \
    cp "$busybox" /out/bin/busybox; \
    for applet in $($busybox --list | grep -vx busybox); do ln -s busybox "/out/bin/$applet"; done; \
    echo "root:x:0:0:root:/root:/bin/sh" > /out/etc/passwd; \
    echo "nobody:x:65534:65534:nobody:/home:/bin/false" >> /out/etc/passwd; \
    echo "root:x:0:" > /out/etc/group; \
    echo "nobody:x:65534:" >> /out/etc/group

FROM scratch
LABEL factory-floor=stand-in-stage factory-floor.stand-in-for=busybox:1.37
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --from=packages /out /
CMD ["sh"]
