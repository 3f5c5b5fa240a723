#!/bin/sh
# debian-root.sh ARCHIVE MAIN SECURITY MMDEBSTRAP...: a small Debian 12 as a tar archive, for the recipes to start from.
# MAIN and SECURITY are the mirrors to use now; the image's own sources name Debian's.
set -eu
archive=$1 main=$2 security=$3
shift 3
export SOURCE_DATE_EPOCH=1686355200  # the day of Debian 12: no file is younger

# usrmerge would bring 47 MB of perl along: /usr is merged from the start instead.
# The folders left out and the settings for small layers are those of the official slim image.
exec "$@" --variant=minbase --include=ca-certificates,usr-is-merged \
    --setup-hook='
        for folder in bin sbin lib lib64; do mkdir -p "$1/usr/$folder"; ln -s "usr/$folder" "$1/$folder"; done
        mkdir -p "$1/etc/apt/preferences.d"
        printf "Package: usrmerge\nPin: release *\nPin-Priority: -1\n" > "$1/etc/apt/preferences.d/no-usrmerge"' \
    --customize-hook='
        rm "$1/etc/apt/preferences.d/no-usrmerge"
        site=http://deb.debian.org
        printf "deb $site/%s main\n" "debian bookworm" "debian bookworm-updates" "debian-security bookworm-security" \
            > "$1/etc/apt/sources.list"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt=force-unsafe-io \
    --aptopt='Acquire::Languages "none"' \
    --aptopt='DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; }' \
    bookworm "$archive" \
    "deb $main bookworm main" "deb $main bookworm-updates main" "deb $security bookworm-security main"
