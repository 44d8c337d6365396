#!/bin/bash
# check-includes.sh [DIR]        checks that includes in the tree DIR (default: this one) point down
#                                only: every folder may include itself and what the table below
#                                says; breaches are named, and the exit code is 1.
# check-includes.sh --self-test  proves on a tree with one breach of each kind that the check finds
#                                them, and nothing else.
set -u

# Which folders a folder's files may include. A folder that is not in the table (tests, say) may
# include anything.
declare -A allowed=(
    [common]="common"
    [common/supervisor]="common common/supervisor"
    [common/shmtool]="common common/shmtool"
    [capture]="common capture"
    [encoder]="common encoder"
    [server]="common server"
)

# Prints FILE:LINE:INCLUDED for every include in the .c and .h files below DIR.
list_includes()
{
    (cd "$1" && find "${!allowed[@]}" -name '*.[ch]' 2>/dev/null | sort -u |
        xargs -r grep -HnE '^[[:space:]]*#[[:space:]]*include' |
        sed -nE 's/^([^:]+:[0-9]+):[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">].*/\1:\2/p')
}

# The folder of the table that `path` lies in: the longest one that fits.
folder_of()
{
    local folder=${1%/*}
    while [ -z "${allowed[$folder]:-}" ] && [ "$folder" != "${folder%/*}" ]; do
        folder=${folder%/*}
    done
    echo "$folder"
}

check_tree()
{
    local root=$1 file line included target from to status=0
    while IFS=: read -r file line included; do
        if [ -f "$root/${file%/*}/$included" ]; then
            target=$(realpath --relative-to="$root" "$root/${file%/*}/$included")
        elif [ -f "$root/$included" ]; then
            target=$(realpath --relative-to="$root" "$root/$included")
        else
            continue # a system header
        fi
        from=$(folder_of "$file")
        to=$(folder_of "$target")
        case " ${allowed[$from]:-$to} " in
        *" $to "*) ;;
        *)
            echo "$file:$line: $from/ must not include $target"
            status=1
            ;;
        esac
    done < <(list_includes "$root")
    return $status
}

self_test()
{
    local tree found expected
    tree=$(mktemp -d) || exit 1
    # shellcheck disable=SC2064 # the path as it is now
    trap "rm -rf '$tree'" EXIT
    mkdir -p "$tree"/{common/{supervisor,shmtool},capture,encoder,server/web,tests}
    for folder in common common/supervisor common/shmtool capture encoder server server/web; do
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
    found=$(check_tree "$tree" | cut -d: -f1,2 | sort)
    expected=$(printf '%s\n' capture/bad.c:1 capture/bad_supervisor.c:1 common/bad_shmtool.c:1 \
        common/bad_supervisor.c:1 common/bad_up.c:1 common/supervisor/bad.c:1 encoder/bad.h:2 \
        server/bad.c:1 | sort)
    [ "$found" = "$expected" ] && return
    echo "check-includes: the self-test failed; expected and found:" >&2
    diff <(echo "$expected") <(echo "$found") >&2
    return 1
}

case ${1:-} in
--self-test) self_test ;;
*) check_tree "$(cd "${1:-$(dirname "$0")/..}" && pwd)" ;;
esac
