#!/bin/sh
# Lays Debian's CPython 3.11 out under /out/usr/local, where the official image has it, with pip and setuptools.
# The official image compiles CPython; moving Debian's takes seconds. Debian's own ways are set back to upstream's.
set -eux

mkdir /tmp/debs && cd /tmp/debs
apt-get download -q python3.11-minimal python3.11-venv libpython3.11-minimal libpython3.11-stdlib libpython3.11-dev \
    python3-distutils python3-lib2to3 python3-tk python3-pip-whl python3-setuptools-whl python3-wheel-whl
for deb in *.deb; do dpkg-deb -x "$deb" unpacked; done

lib=/out/usr/local/lib/python3.11
mkdir -p /out/usr/local/bin /out/usr/local/include "$lib"
cp unpacked/usr/bin/python3.11 /out/usr/local/bin/
cp -a unpacked/usr/lib/python3.11/. "$lib/"
cp -a unpacked/usr/include/python3.11 /out/usr/local/include/
# Debian keeps the per-architecture header elsewhere and refers to it from here
cp unpacked/usr/include/*/python3.11/pyconfig.h /out/usr/local/include/python3.11/
for name in python python3; do ln -s python3.11 /out/usr/local/bin/$name; done

# pip installs to lib/python3.11/site-packages, not to local/lib/python3.11/dist-packages; python -m venv has its wheels
sed -i "s/prefix_scheme = 'posix_local'/prefix_scheme = 'posix_prefix'/" "$lib/sysconfig.py"
# the site module is compiled into the program, too; the names are equally long
sed -i "s/dist-packages/site-packages/" "$lib/site.py" /out/usr/local/bin/python3.11
sed -i "s#'/usr\(/lib\|/include\|/bin'\|'\)#'/usr/local\1#; s#/usr/share/python-wheels#${lib#/out}/ensurepip/_bundled#" \
    "$lib"/_sysconfigdata_*.py
sed -i "/^ *_ensurepip_is_disabled_in_debian_for_system()$/d" "$lib"/ensurepip/*.py
mkdir -p "$lib/ensurepip/_bundled" "$lib/site-packages"
cp unpacked/usr/share/python-wheels/*.whl "$lib/ensurepip/_bundled/"
rm -rf "$lib/EXTERNALLY-MANAGED" "$lib/_distutils_system_mod.py" "$lib/sitecustomize.py" "$lib/test" "$lib"/config-*/*.a

# pip's own wheel installs pip; no .pyc files, as in the official image
apt-get install -q -y --no-install-recommends libexpat1 libffi8 libssl3 zlib1g
ln -s /out/usr/local/bin/python3.11 /usr/bin/trial-python
test "$(trial-python --version)" = "Python 3.11.2"
wheels=$lib/ensurepip/_bundled
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(echo "$wheels"/pip-*.whl) trial-python -m pip install --no-index --no-compile \
    --prefix=/out/usr/local --root-user-action=ignore "$wheels"/*.whl
sed -i '1s#^.*$#\#!/usr/local/bin/python3.11#' /out/usr/local/bin/pip*
find /out/usr/local -depth -name __pycache__ -exec rm -rf {} +
