#!/bin/bash
# check-columns.sh [DIR]        checks that no line of the text files that git knows in DIR
#                               (default: this tree) is longer than 100 columns, a tab being eight
#                               wide; longer ones are named, and the exit code is 1. A line of
#                               JSON that is one string, which JSON cannot break, may be longer.
# check-columns.sh --self-test  proves that it finds what is too long, and nothing else.
set -u
export LC_ALL=C

# Prints FILE:LINE:BEGINNING for every line of a text file that is too long. Bytes are columns once
# the second and further bytes of each UTF-8 character are gone.
list_long()
{
    (cd "$1" && git ls-files -z | xargs -0 grep -lIZ '' 2>/dev/null | xargs -0 -r awk '
        {
            gsub(/[\200-\277]/, "")
            line = $0
            while ((at = index(line, "\t")) > 0)
                line = sprintf("%s%*s%s", substr(line, 1, at - 1), 8 - (at - 1) % 8, "",
                    substr(line, at + 1))
        }
        length(line) > 100 && !(FILENAME ~ /\.json$/ && $0 ~ /^ *("[^"]*": )?"([^"\\]|\\.)*",?$/) {
            printf "%s:%d:%s\n", FILENAME, FNR, substr($0, 1, 60)
        }')
}

check_tree()
{
    local found
    found=$(list_long "$1")
    [ -z "$found" ] && return
    printf '%s\n' "$found"
    return 1
}

self_test()
{
    local tree found expected
    tree=$(mktemp -d) || exit 1
    # shellcheck disable=SC2064 # the path as it is now
    trap "rm -rf '$tree'" EXIT
    git -C "$tree" init --quiet
    printf 'short\n%0100d\n' 0 >"$tree/good.c"
    printf '\303\251%099d\n' 0 >"$tree/good.md"
    printf '  "text": "%0200d",\n' 0 >"$tree/good.json"
    printf '\0%0200d\n' 0 >"$tree/picture.png"
    printf 'short\n%0101d\n' 0 >"$tree/bad.c"
    printf '\t%093d\n' 0 >"$tree/bad.mk"
    printf '  "text": "%0200d", "more": 1\n' 0 >"$tree/bad.json"
    git -C "$tree" add .
    found=$(check_tree "$tree" | cut -d: -f1,2 | sort)
    expected=$(printf '%s\n' bad.c:2 bad.json:1 bad.mk:1)
    [ "$found" = "$expected" ] && return
    echo "check-columns: the self-test failed; expected and found:" >&2
    diff <(echo "$expected") <(echo "$found") >&2
    return 1
}

case ${1:-} in
--self-test) self_test ;;
*) check_tree "$(cd "${1:-$(dirname "$0")/..}" && pwd)" ;;
esac
