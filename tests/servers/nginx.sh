#!/bin/sh
# nginx on a port of 127.0.0.1, in a folder of its own: one worker, keep-alive.
set -eu
folder="$PWD/target/servers/nginx"
mkdir -p "$folder"
cat >"$folder/nginx.conf" <<END
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path 1; proxy_temp_path 2; fastcgi_temp_path 3; uwsgi_temp_path 4;
    scgi_temp_path 5;
    keepalive_timeout 20s; keepalive_requests 1000000000;
    client_header_timeout 20s; client_body_timeout 20s; send_timeout 60s;
    server { listen 127.0.0.1:$1; location / { return 200 "ok"; } }
}
END
exec nginx -e stderr -p "$folder" -c nginx.conf
