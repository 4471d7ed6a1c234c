#!/bin/sh
# HAProxy on a port of 127.0.0.1: it answers HTTP by itself, or passes TCP on to `swb serve`.
set -eu
folder="$PWD/target/servers/haproxy-$2"
mkdir -p "$folder"
answer='http-request return status 200 content-type text/plain string ok'
if [ "$2" = tcp ]; then
    answer="server echo unix@$folder/echo.sock"
    rm -f "$folder/echo.sock"
    swb serve "unix:$folder/echo.sock" --frame u32be --idle 15s echo &
fi
cat >"$folder/haproxy.cfg" <<END
defaults
    timeout connect 15s
    timeout client 15s
    timeout server 15s
    timeout http-request 15s
    timeout http-keep-alive 15s
listen here
    mode $2
    bind 127.0.0.1:$1
    $answer
END
exec haproxy -db -f "$folder/haproxy.cfg"
