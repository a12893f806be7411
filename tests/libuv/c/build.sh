#!/bin/sh
# Builds the oracle with the system's libuv: c/build.sh OUTPUT [more arguments for the compiler]
set -eu
output=$1
shift
cd "$(dirname "$0")"
exec cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -o "$output" ./*.c "$@" \
  $(pkg-config --cflags --libs libuv 2>/dev/null || echo -luv) -lpthread
