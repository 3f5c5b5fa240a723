#!/bin/sh
# python-from-debian.sh VERSION: lays Debian's CPython 3.11 or 3.13 out under /out/usr/local, where the official image has
# it, with the packages that come with that one: pip, and in 3.11 setuptools and wheel.
# The official image compiles CPython; moving Debian's takes seconds.
set -eux
full=$1 version=${1%.*}
case $version in
    3.11) needs="libssl3" wheel=python3-wheel-whl upstream="distutils ensurepip lib2to3 site.py sysconfig.py" ;;
    3.13) needs="libssl3t64 xz-utils" wheel="" upstream="ensurepip site.py sysconfig" ;;
esac

apt-get install -qy --no-install-recommends libexpat1 libffi8 zlib1g $needs
mkdir /tmp/debs && cd /tmp/debs
apt-get download -q "python$version-minimal" "python$version-venv" "libpython$version-minimal" \
    "libpython$version-stdlib" "libpython$version-dev" python3-tk $wheel
for deb in *.deb; do dpkg-deb -x "$deb" unpacked; done

lib=/out/usr/local/lib/python$version
mkdir -p /out/usr/local/bin /out/usr/local/include "$lib/site-packages"
cp unpacked/usr/bin/python$version /out/usr/local/bin/
cp -a unpacked/usr/lib/python$version/. "$lib/"
cp -a unpacked/usr/include/python$version /out/usr/local/include/
# Debian keeps the per-architecture header elsewhere and refers to it from here
cp unpacked/usr/include/*/python$version/pyconfig.h /out/usr/local/include/python$version/
for name in python python3; do ln -s python$version /out/usr/local/bin/$name; done

# Debian's Python installs packages to dist-packages and keeps its hands off pip: these modules as upstream has them.
# site is compiled into the program, too; the two names are equally long.
apt-get source -q --download-only "python$version"
tar -xf "python${version}"_*.orig.tar.?z --strip-components=2 -C "$lib" --wildcards $(printf "*/Lib/%s " $upstream)
sed -i "s/dist-packages/site-packages/" /out/usr/local/bin/python$version
sed -i "s#'/usr\(/lib\|/include\|/bin'\|'\)#'/usr/local\1#; s#/usr/share/python-wheels##" "$lib"/_sysconfigdata_*.py
rm -rf "$lib/EXTERNALLY-MANAGED" "$lib/_distutils_system_mod.py" "$lib/sitecustomize.py" "$lib"/config-*/*.a

# pip's own wheel installs pip
ln -s /out/usr/local/bin/python$version /usr/bin/trial-python
test "$(trial-python --version)" = "Python $full"
wheels=$lib/ensurepip/_bundled
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(echo "$wheels"/pip-*.whl) trial-python -m pip install --no-index --no-compile \
    --prefix=/out/usr/local --root-user-action=ignore "$wheels"/*.whl ${wheel:+unpacked/usr/share/python-wheels/wheel-*.whl}
sed -i "1s#^.*\$#\#!/usr/local/bin/python$version#" /out/usr/local/bin/pip* ${wheel:+/out/usr/local/bin/wheel}
# No tests and no .pyc files, as in the official image
find /out/usr/local -depth -type d \( -name __pycache__ -o -name test -o -name tests \) -exec rm -rf {} +
