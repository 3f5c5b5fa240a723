#!/bin/sh
# A C compiler for musl, and the libraries that CPython's modules need, static and under /musl.
# Not under /usr/local: gcc itself would pick up a musl libz from there.
set -eu

machine=$(uname -m)
gnu=$(gcc -print-multiarch)
for folder in linux asm-generic; do ln -s "/usr/include/$folder" "/usr/include/$machine-linux-musl/$folder"; done
ln -s "/usr/include/$gnu/asm" "/usr/include/$machine-linux-musl/asm"
cat > /usr/local/bin/musl-cc <<WRAPPER
#!/bin/sh
case " \$* " in *" --print-multiarch "* | *" -print-multiarch "*) echo $machine-linux-musl; exit ;; esac
exec musl-gcc "\$@"
WRAPPER
cat > /usr/local/bin/quietly <<'WRAPPER'
#!/bin/sh
# quietly NAME COMMAND...: the output goes to a log, and is shown only if the command fails
log=/src/$1.log; shift
"$@" >> "$log" 2>&1 || { tail -n 20 "$log"; exit 1; }
WRAPPER
chmod +x /usr/local/bin/musl-cc /usr/local/bin/quietly
export CC=musl-cc CFLAGS="-O1 -fPIC" MAKEFLAGS="-j$(nproc)"

# The archives as upstream released them, checked by apt against Debian's signature
mkdir /src && cd /src
apt-get source -qq --download-only bzip2 libffi openssl python3.11 sqlite3 xz-utils zlib
for archive in *.orig.tar.?z *.orig.tar.bz2; do
    name=${archive%%_*}
    mkdir "$name"
    tar -xf "$archive" -C "$name" --strip-components=1
done

openssl() {
    quietly openssl ./Configure "linux-$machine" --prefix=/musl --libdir=lib --openssldir=/etc/ssl no-shared no-tests \
        no-async no-engine no-module no-aria no-camellia no-cast no-gost no-idea no-seed no-sm2 no-sm3 no-sm4
    quietly openssl make build_libs
    quietly openssl make install_dev
}
library() {
    name=$1; shift
    echo "compiling OpenSSL and $name for musl"
    cd "/src/$name"
    [ ! -x configure ] || quietly "$name" ./configure --prefix=/musl "$@"
    quietly "$name" make -e install PREFIX=/musl  # -e: the environment's CC and CFLAGS win
}
(cd openssl && openssl) &
library zlib --static
library libffi --disable-shared --disable-docs --disable-multi-os-directory --disable-exec-static-tramp
library bzip2
library xz-utils --disable-shared --disable-nls --disable-xz --disable-xzdec --disable-lzmainfo \
    --disable-scripts --disable-doc
library sqlite3 --disable-shared --disable-tcl --disable-readline
echo "compiling OpenSSL for musl"
wait $!
