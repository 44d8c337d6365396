#!/bin/bash
# run.sh [MODEL...]: checks the protocols' models (*.pml) with spin, each as it is and in variants
# that are broken on purpose, as the file `variants` lists them. A search that was cut short proves
# nothing and fails, as does a variant that isn't caught, or by another property than the one it
# breaks. Ends with "N passed, N failed, 0 skipped"; with TALLY=FILE the three numbers are also
# added to FILE. JOBS searches run at the same time, each with up to MEMORY_MB and TIME_LIMIT
# seconds.
set -u
cd "$(dirname "$0")" || exit 1
JOBS=${JOBS:-$(nproc)}
MEMORY_MB=${MEMORY_MB:-2000}
TIME_LIMIT=${TIME_LIMIT:-280}
DEPTH=20000 # steps; the longest run of any model has a few hundred
work=$(mktemp -d "${TMPDIR:-/tmp}/camring-model.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# Builds and runs one search in the current directory; its output goes to the file `out`.
search()
{
    local source=$1 defines=$2 optimize=$3 options=()
    [ "$defines" = - ] || read -ra options <<<"-D${defines//,/ -D}"
    spin -a "${options[@]}" "$source" >out 2>&1 || return
    # Without partial order reduction, which saves next to nothing here and is hard to be sure of
    # with `unless`.
    gcc -w "$optimize" -DSAFETY -DNOREDUCE -DCOLLAPSE -DMEMLIM="$MEMORY_MB" -o pan pan.c \
        >>out 2>&1 || return
    nice -n 10 timeout "$TIME_LIMIT" ./pan -m$DEPTH -n >>out 2>&1 ||
        echo "pan ended with exit code $?" >>out
}

# Prints what came of it: "holds", the property that was violated, or what else pan complained
# about.
outcome()
{
    if grep -qE '^pan:[0-9]+: ' out; then
        sed -nE '/^pan:[0-9]+: /{
            s/^pan:[0-9]+: (assertion violated )?//
            s/ \(at depth [0-9]+\)$//
            p
            q
        }' out
    elif grep -qE 'not completed|too small|exit code' out || ! grep -q 'errors: 0$' out; then
        echo "no complete search"
    else
        echo holds
    fi
}

check()
{
    local model=$1 defines=$2 expected=$3 name found optimize=-O1
    name=$model
    [ "$defines" = - ] || name="$model ${defines//,/ }"
    mkdir "$work/$4" && cd "$work/$4" || return 1
    [ "$expected" != holds ] || optimize=-O2
    search "$OLDPWD/$model.pml" "$defines" $optimize
    found=$(outcome)
    if [ "$found" != "$expected" ]; then
        echo "FAIL $name: expected \"$expected\", found \"$found\""
        grep -v '^Depth=' out | head -12 | sed 's/^/    /'
    elif [ "$found" = holds ]; then
        echo "ok   $name: $(sed -nE 's/^ *([0-9]+) states, stored.*/\1/p' out) states"
    else
        echo "ok   $name: caught (assertion violated $found)"
    fi
}

# A model that nothing is listed for, or of which nothing shows that it can fail, checks nothing.
check_list()
{
    local file model
    for file in *.pml; do
        model=${file%.pml}
        grep -qE "^$model +[^ ]+ +holds$" variants || echo "FAIL $model: not listed as correct"
        grep -qE "^$model +[^ ]+ +[^ ]+$" <(grep -v ' holds$' variants) ||
            echo "FAIL $model: no broken variant"
    done
}

run_all()
{
    local number=0 model defines expected
    while read -r model defines expected; do
        case $model in '' | '#'*) continue ;; esac
        [ $# -eq 0 ] || [[ " $* " == *" $model "* ]] || continue
        number=$((number + 1))
        [ "$(jobs -rp | wc -l)" -lt "$JOBS" ] || wait -n
        (
            check "$model" "$defines" "$expected" "$number" >"$work/$number.line"
            cat "$work/$number.line"
        ) </dev/null &
    done <variants
    wait
}

run_all "$@"
check_list | tee "$work/list.line"
passed=$(cat "$work"/*.line | grep -c '^ok ')
failed=$(cat "$work"/*.line | grep -c '^FAIL ')
listed=$(find "$work" -name '*.line' ! -name list.line | wc -l)
[ "$((passed + failed))" -ge "$listed" ] || failed=$((listed - passed))
[ -z "${TALLY:-}" ] || echo "$passed $failed 0" >>"$TALLY"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
