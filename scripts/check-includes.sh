#!/bin/bash
# check-includes.sh [DIR]        checks that includes in the tree DIR (default: this one) point down
#                                only: every folder may include itself and what the table below
#                                says; breaches are named, and the exit code is 1.
# check-includes.sh --self-test  proves on a tree with one breach of each kind that the check finds
#                                them, and nothing else.
set -u

# Which folders, or single files, a folder's files may include. A folder that is not in the table
# (tests, say) may include anything.
loop="server/loop.h server/context.h"
supervisor=common/supervisor
declare -A allowed=(
    [common]="common"
    [common/supervisor]="common common/supervisor $supervisor/children $supervisor/listening
        $supervisor/memory $supervisor/commands/command.h"
    [common/supervisor/commands]="common $supervisor/commands $supervisor/children/spawn.h
        $supervisor/exits.h $supervisor/instance.h $supervisor/options.h $supervisor/settings.h
        $supervisor/supervise.h $supervisor/tell.h"
    [common/supervisor/children]="common $supervisor/children $supervisor/listening
        $supervisor/memory"
    [common/supervisor/listening]="common $supervisor/listening"
    [common/supervisor/memory]="common $supervisor/memory"
    [common/shmtool]="common common/shmtool"
    [common/gstreamer]="common/camring.h common/gstreamer"
    [capture]="common capture"
    [encoder]="common encoder"
    [server]="common server server/http server/frames server/push server/handlers server/metrics"
    [server/http]="common server/http $loop server/worker.h server/file_watch.h"
    [server/frames]="common server/frames $loop"
    [server/push]="common server/push server/frames server/http $loop"
    [server/metrics]="common server/metrics server/frames server/http $loop"
    [server/handlers]="common server/handlers server/push server/frames server/http $loop
        server/metrics/metrics.h"
)

# Prints FILE:LINE:INCLUDED for every include in the .c and .h files below DIR.
list_includes()
{
    (cd "$1" && find "${!allowed[@]}" -name '*.[ch]' 2>/dev/null | sort -u |
        xargs -r grep -HnE '^[[:space:]]*#[[:space:]]*include' |
        sed -nE 's/^([^:]+:[0-9]+):[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">].*/\1:\2/p')
}

# Sets `folder` to the one of the table that the path lies in: the longest one that fits.
find_folder()
{
    folder=${1%/*}
    while [ -z "${allowed[$folder]:-}" ] && [ "$folder" != "${folder%/*}" ]; do
        folder=${folder%/*}
    done
}

# Sets `target` to the path without "FOLDER/..".
normalize()
{
    local before
    target=$1
    while [[ $target == */../* ]]; do
        before=/${target%%/../*}
        before=${before%/*}/
        target=${before#/}${target#*/../}
    done
}

check_tree()
{
    local root=$1 file line included target folder from module edges="" status=0
    while IFS=: read -r file line included; do
        if [ -f "$root/${file%/*}/$included" ]; then
            normalize "${file%/*}/$included"
        elif [ -f "$root/$included" ]; then
            normalize "$included"
        else
            continue # a system header
        fi
        module=${file%.[ch]}
        edges+="${module%_private} ${target%.h}"$'\n'
        find_folder "$file"
        from=$folder
        find_folder "$target"
        case " ${allowed[$from]:-$folder} " in
        *[[:space:]]"$folder"[[:space:]]* | *[[:space:]]"$target"[[:space:]]*) ;;
        *)
            echo "$file:$line: $from/ must not include $target"
            status=1
            ;;
        esac
    done < <(list_includes "$root")
    check_circles "$edges" || status=1
    return $status
}

# Names the circles among lines "MODULE MODULE".
check_circles()
{
    local found
    found=$(sed 's/_private$//' <<<"$1" | tsort 2>&1 >/dev/null |
        sed -e '/contains a loop/d' -e 's/^tsort: //' | paste -sd ' ')
    [ -n "$found" ] || return 0
    echo "these modules include each other in a circle: $found"
    return 1
}

self_test()
{
    local tree found expected
    tree=$(mktemp -d) || exit 1
    # shellcheck disable=SC2064 # the path as it is now
    trap "rm -rf '$tree'" EXIT
    mkdir -p "$tree"/{common/shmtool,capture,encoder,server/web,tests} \
        "$tree"/{common/supervisor/{children,commands,listening,memory},server/{http,frames,push}} \
        "$tree"/server/{handlers,metrics}
    for folder in common common/supervisor common/shmtool capture encoder server \
        common/supervisor/{children,commands,listening,memory} \
        server/{http,frames,push,handlers,metrics,web}; do
        echo >"$tree/$folder/own_${folder##*/}.h"
    done
    printf '#include "own_common.h"\n#include <stdio.h>\n' >"$tree/common/good.c"
    printf '#include "common/own_common.h"\n#include "own_supervisor.h"\n' \
        >"$tree/common/supervisor/good.c"
    printf '#include "web/own_web.h"\n#include "common/own_common.h"\n' >"$tree/server/good.c"
    printf '#include "encoder/own_encoder.h"\n#include "server/own_server.h"\n' \
        >"$tree/tests/good.c"
    printf '#include "encoder/own_encoder.h"\n' >"$tree/capture/bad.c"
    printf '#include "common/own_common.h"\n #  include <capture/own_capture.h>\n' \
        >"$tree/encoder/bad.h"
    printf '#include "../encoder/own_encoder.h"\n' >"$tree/server/bad.c"
    printf '#include "../capture/own_capture.h"\n' >"$tree/common/bad_up.c"
    printf '#include "supervisor/own_supervisor.h"\n' >"$tree/common/bad_supervisor.c"
    printf '#include "common/shmtool/own_shmtool.h"\n' >"$tree/common/bad_shmtool.c"
    printf '#include "common/shmtool/own_shmtool.h"\n' >"$tree/common/supervisor/bad.c"
    printf '#include "common/supervisor/own_supervisor.h"\n' >"$tree/capture/bad_supervisor.c"
    echo >"$tree/common/supervisor/settings.h"
    echo >"$tree/common/supervisor/commands/command.h"
    printf '#include "common/supervisor/%s.h"\n' commands/command children/own_children \
        memory/own_memory listening/own_listening >"$tree/common/supervisor/top.c"
    printf '#include "common/supervisor/%s.h"\n' settings own_supervisor memory/own_memory \
        children/own_children >"$tree/common/supervisor/commands/bad.c"
    printf '#include "common/supervisor/%s.h"\n' memory/own_memory listening/own_listening \
        own_supervisor commands/own_commands >"$tree/common/supervisor/children/bad.c"
    printf '#include "common/supervisor/%s.h"\n' settings memory/own_memory \
        >"$tree/common/supervisor/listening/bad.c"
    printf '#include "common/supervisor/%s.h"\n' children/own_children commands/own_commands \
        >"$tree/common/supervisor/memory/bad.c"
    printf '#include "commands/own_commands.h"\n' >"$tree/common/supervisor/bad_commands.c"
    echo >"$tree/server/loop.h"
    echo >"$tree/server/metrics/metrics.h"
    printf '#include "server/%s.h"\n' push/own_push frames/own_frames http/own_http loop \
        metrics/metrics >"$tree/server/handlers/good.c"
    printf '#include "server/%s.h"\n' handlers/own_handlers http/own_http >"$tree/server/top.c"
    printf '#include "server/%s.h"\n' http/own_http own_server frames/own_frames \
        handlers/own_handlers >"$tree/server/http/bad.c"
    printf '#include "server/%s.h"\n' loop http/own_http push/own_push >"$tree/server/frames/bad.c"
    printf '#include "server/%s.h"\n' frames/own_frames http/own_http handlers/own_handlers \
        metrics/metrics >"$tree/server/push/bad.c"
    printf '#include "server/%s.h"\n' metrics/own_metrics own_server >"$tree/server/handlers/bad.c"
    printf '#include "server/%s.h"\n' push/own_push http/own_http >"$tree/server/metrics/bad.c"
    printf '#include "circle_two.h"\n' >"$tree/capture/circle_one.c"
    printf '#include "circle_three_private.h"\n' >"$tree/capture/circle_two.h"
    printf '#include "circle_three.h"\n' >"$tree/capture/circle_three_private.h"
    printf '#include "circle_one.h"\n' >"$tree/capture/circle_three.h"
    echo >"$tree/capture/circle_one.h"
    found=$(check_tree "$tree" | cut -d: -f1,2 | sort)
    expected=$(printf '%s\n' capture/bad.c:1 capture/bad_supervisor.c:1 common/bad_shmtool.c:1 \
        common/bad_supervisor.c:1 common/bad_up.c:1 common/supervisor/bad.c:1 encoder/bad.h:2 \
        common/supervisor/{bad_commands.c:1,commands/bad.c:{2,3,4},children/bad.c:{3,4}} \
        common/supervisor/{listening,memory}/bad.c:{1,2} \
        server/bad.c:1 server/http/bad.c:{2,3,4} server/frames/bad.c:{2,3} \
        server/push/bad.c:{3,4} server/handlers/bad.c:{1,2} server/metrics/bad.c:1 \
        "these modules include each other in a circle:$(
            printf ' capture/circle_%s' one two three
        )" | sort)
    [ "$found" = "$expected" ] && return
    echo "check-includes: the self-test failed; expected and found:" >&2
    diff <(echo "$expected") <(echo "$found") >&2
    return 1
}

case ${1:-} in
--self-test) self_test ;;
*) check_tree "$(cd "${1:-$(dirname "$0")/..}" && pwd)" ;;
esac
