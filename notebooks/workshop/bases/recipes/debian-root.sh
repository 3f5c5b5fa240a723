#!/bin/sh
# debian-root.sh ARCHIVE RELEASE MAIN SECURITY MMDEBSTRAP...: a small Debian as a tar archive, for the recipes to start from.
# MAIN and SECURITY are the mirrors to use now; the image's own sources name Debian's.
set -eu
archive=$1 main=$3 security=$4
export release=$2
shift 4
case $release in  # the day on which it came out: no file is younger
    bookworm) export SOURCE_DATE_EPOCH=1686355200 ;;
    trixie) export SOURCE_DATE_EPOCH=1754697600 ;;
esac

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
        printf "deb $site/%s main\n" "debian $release" "debian $release-updates" "debian-security $release-security" \
            > "$1/etc/apt/sources.list"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt=force-unsafe-io \
    --aptopt='Acquire::Languages "none"' \
    --aptopt='DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; }' \
    "$release" "$archive" \
    "deb $main $release main" "deb $main $release-updates main" "deb $security $release-security main"
