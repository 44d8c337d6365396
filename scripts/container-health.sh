#!/bin/bash
# Whether camring is well in this container: Docker asks every few seconds. A running instance's
# /healthz must say 200; where it can't be asked in plain HTTP, that the instance answers is enough.
set -u

status=$(camring status --json)
case $? in
0 | 5) ;; # it runs; whether the cameras are live is not the question
*) exit 1 ;;
esac
url=$(sed -n '/"urls"/,/]/s|^ *"\(http://.*\)".*|\1|p' <<<"$status" | head -n 1)
[ -n "$url" ] || exit 0

[[ $url =~ ^http://(.*):([0-9]+)/(.*)$ ]] || exit 1
host=${BASH_REMATCH[1]//[\[\]]/}
path=/${BASH_REMATCH[3]%/}
exec 3<>"/dev/tcp/$host/${BASH_REMATCH[2]}" || exit 1
printf 'GET %s/healthz HTTP/1.0\r\nHost: localhost\r\n\r\n' "${path%/}" >&3
read -r _ code _ <&3
echo "/healthz says $code"
[ "$code" = 200 ]
