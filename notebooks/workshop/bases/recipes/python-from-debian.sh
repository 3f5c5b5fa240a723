#!/bin/sh
# Lays Debian's CPython 3.11 out under /out/usr/local, where the official image has it, with pip, setuptools and wheel.
# The official image compiles CPython; moving Debian's takes seconds.
set -eux

mkdir /tmp/debs && cd /tmp/debs
apt-get download -q python3.11-minimal python3.11-venv libpython3.11-minimal libpython3.11-stdlib libpython3.11-dev \
    python3-tk python3-wheel-whl
for deb in *.deb; do dpkg-deb -x "$deb" unpacked; done

lib=/out/usr/local/lib/python3.11
mkdir -p /out/usr/local/bin /out/usr/local/include "$lib/site-packages"
cp unpacked/usr/bin/python3.11 /out/usr/local/bin/
cp -a unpacked/usr/lib/python3.11/. "$lib/"
cp -a unpacked/usr/include/python3.11 /out/usr/local/include/
# Debian keeps the per-architecture header elsewhere and refers to it from here
cp unpacked/usr/include/*/python3.11/pyconfig.h /out/usr/local/include/python3.11/
for name in python python3; do ln -s python3.11 /out/usr/local/bin/$name; done

# Debian's Python installs packages to dist-packages and keeps its hands off pip: these modules as upstream has them.
# site is compiled into the program, too; the two names are equally long.
apt-get source -q --download-only python3.11
tar -xf python3.11_*.orig.tar.gz --strip-components=2 -C "$lib" --wildcards \
    "*/Lib/distutils" "*/Lib/ensurepip" "*/Lib/lib2to3" "*/Lib/site.py" "*/Lib/sysconfig.py"
sed -i "s/dist-packages/site-packages/" /out/usr/local/bin/python3.11
sed -i "s#'/usr\(/lib\|/include\|/bin'\|'\)#'/usr/local\1#; s#/usr/share/python-wheels##" "$lib"/_sysconfigdata_*.py
rm -rf "$lib/EXTERNALLY-MANAGED" "$lib/_distutils_system_mod.py" "$lib/sitecustomize.py" "$lib"/config-*/*.a

# pip's own wheel installs pip
apt-get install -qy --no-install-recommends libexpat1 libffi8 libssl3 zlib1g
ln -s /out/usr/local/bin/python3.11 /usr/bin/trial-python
test "$(trial-python --version)" = "Python 3.11.2"
wheels=$lib/ensurepip/_bundled
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(echo "$wheels"/pip-*.whl) trial-python -m pip install --no-index --no-compile \
    --prefix=/out/usr/local --root-user-action=ignore "$wheels"/*.whl unpacked/usr/share/python-wheels/wheel-*.whl
sed -i '1s#^.*$#\#!/usr/local/bin/python3.11#' /out/usr/local/bin/pip* /out/usr/local/bin/wheel
# No tests and no .pyc files, as in the official image
find /out/usr/local -depth -type d \( -name __pycache__ -o -name test -o -name tests \) -exec rm -rf {} +
