#!/bin/sh
# Build the fake libnvidia-ml.so.1 into DIR (default: ./lib beside this file) and print DIR.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-"$here/lib"}
mkdir -p "$dir"
${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fPIC -fvisibility=hidden -shared \
    -Wl,-soname,libnvidia-ml.so.1 -o "$dir/libnvidia-ml.so.1" "$here/fake_nvml.c"
echo "$dir"
