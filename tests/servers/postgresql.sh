#!/bin/sh
# PostgreSQL on a port of 127.0.0.1, in a folder of its own; it does not run as root.
set -eu
mkdir -p target/servers
folder="$PWD/target/servers/postgresql"
as=
if [ "$(id -u)" = 0 ]; then
    as="setpriv --reuid=nobody --regid=nogroup --clear-groups"
fi
export HOME="$folder" LC_ALL=C
if [ ! -e "$folder/data/PG_VERSION" ]; then
    rm -rf "$folder"
    mkdir "$folder"
    [ -z "$as" ] || chown nobody:nogroup "$folder"
    (cd "$folder" && $as initdb -D data -A trust -U postgres -E UTF8 --no-locale -N) >&2
fi
cd "$folder"
exec $as postgres -D data -k "$folder" -p "$1" -c listen_addresses=127.0.0.1 -c fsync=off
