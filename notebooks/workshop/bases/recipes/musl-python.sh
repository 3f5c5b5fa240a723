#!/bin/sh
# CPython for musl in /out/python, and the rest of a root filesystem, with BusyBox as its commands, in /out/root.
set -eu

cd /src/python3.11
export CC=musl-cc OPT="-DNDEBUG -O2 -fwrapv" CPPFLAGS=-I/musl/include LDFLAGS=-L/musl/lib MAKEFLAGS="-j$(nproc)"
# setup.py would look for libraries among Debian's, which are for the other libc
sed -i "s/^    def add_multiarch_paths(self):/&\n        return/" setup.py
echo "configuring CPython for musl"
quietly python ./configure --build="$(uname -m)-linux-musl" --prefix=/usr/local --enable-shared \
    --without-static-libpython --with-openssl=/musl --with-ensurepip=no --disable-test-modules
echo "compiling CPython for musl"
quietly python make
quietly python make install DESTDIR=/out/python COMPILEALL_OPTS="-x ."  # skips every .pyc file, as the original does

python=/out/python/usr/local
lib=$python/lib/python3.11
cd "$python/bin"
for name in idle pydoc python; do ln -s "${name}3" "$name"; done
ln -s python3-config python-config
# Whoever compiles an extension there has another gcc, and no /musl
sed -i "s/musl-cc/gcc/g; s#-[IL]/musl/[a-z]*##g" "$lib"/_sysconfigdata_*.py "$lib"/config-*/Makefile
export LD_LIBRARY_PATH="$python/lib" PYTHONHOME="$python" PYTHONDONTWRITEBYTECODE=1
test "$(./python3.11 --version)" = "Python 3.11.2"
wheels=$lib/ensurepip/_bundled
PYTHONPATH=$(echo "$wheels"/pip-*.whl) quietly python ./python3.11 -m pip install --no-index --no-compile \
    --root-user-action=ignore "$wheels"/*.whl /usr/share/python-wheels/wheel-*.whl
sed -i "1s#^.*\$#\#!/usr/local/bin/python3.11#" pip* wheel
unset LD_LIBRARY_PATH
find "$python" -depth -type d \( -name __pycache__ -o -name test -o -name tests -o -name idle_test \) -exec rm -rf {} +
find "$python" -name "*.so*" -type f -exec strip --strip-unneeded {} +
strip "$python/bin/python3.11"

mkdir /out/root && cd /out/root
mkdir -p bin dev etc/ssl/certs home lib media mnt opt proc root run sbin srv sys tmp usr/bin usr/sbin usr/share \
    var/cache var/log var/tmp
chmod 700 root
chmod 1777 tmp var/tmp
cp "$(command -v busybox)" bin/busybox
for link in $(busybox --list-full | grep -vE "dpkg|rpm|linuxrc|bin/busybox"); do ln -s /bin/busybox "$link"; done
loader=ld-musl-$(uname -m).so.1
cp -L "/lib/$loader" "lib/$loader"
ln -s "$loader" "lib/libc.musl-$(uname -m).so.1"
ln -s "/lib/$loader" usr/bin/ldd
cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/
ln -s certs/ca-certificates.crt etc/ssl/cert.pem
cp /etc/services /etc/protocols etc/
cp -a /usr/share/zoneinfo usr/share/
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n' > etc/passwd
printf 'root:x:0:root\nnobody:x:65534:\n' > etc/group
printf '/bin/sh\n' > etc/shells
printf 'NAME="Stand-in for Alpine Linux (musl and BusyBox from Debian)"\nID=factory-floor\nPRETTY_NAME="%s"\n' \
    "Stand-in for Alpine Linux" > etc/os-release
