#!/bin/bash
# run.sh BUILD SECONDS [TARGET...]: runs the fuzz targets in BUILD/fuzz (all, or those named) for
# SECONDS each, from fresh seeds and what earlier runs found to be interesting (BUILD/corpus);
# FUZZ_HTTP_SECONDS is for the one that the network reaches. Prints the executions per target; exit
# code 1 on a finding, whose input is then in BUILD/findings: `BUILD/fuzz/TARGET INPUT` repeats it
# (`-runs=1000`, if other threads had a part in it).
set -u

build=$1 seconds=$2
shift 2
cd "$(dirname "$0")/../.." || exit 1
# shellcheck disable=SC2046 # a list of words
[ $# -gt 0 ] || set -- $(cd "$build/fuzz" && printf '%s\n' fuzz_* | grep -v '\.' | sed 's/^fuzz_//')
mkdir -p "$build/findings"
work=$(mktemp -d "${TMPDIR:-/tmp}/camring-fuzz.XXXXXX") || exit 1
pid=

# A target that died leaves the objects of its instance, which has its process number in the name.
clear_up()
{
    [ -z "$pid" ] ||
        find /dev/shm -maxdepth 1 \
            \( -name "camring.fuzz$pid" -o -name "camring.fuzz$pid.*" \) -delete
    pid=
}
stop()
{
    [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null
    clear_up
    rm -rf "$work"
    exit 130
}
trap stop INT TERM
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work

export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
ASAN_OPTIONS+=:allocator_may_return_null=1:handle_abort=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
mkdir "$work/seeds" && "$build/fuzz/seeds" "$work/seeds" || exit 1

findings=0
for target; do
    mkdir -p "$build/corpus/$target"
    options=(-max_len=49152) limit=$seconds
    if [ "$target" = http ]; then
        options=(-max_len=1024 -dict=tests/fuzz/http.dict)
        limit=${FUZZ_HTTP_SECONDS:-$seconds}
    fi
    "$build/fuzz/fuzz_$target" "${options[@]}" -max_total_time="$limit" -timeout=20 \
        -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$build/findings/$target-" \
        "$build/corpus/$target" "$work/seeds/$target" >"$work/log" 2>&1 &
    pid=$!
    wait "$pid"
    code=$?
    clear_up
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
    paths=$(sed -nE 's/^#[0-9]+.* (ft: [0-9]+).*/\1/p' "$work/log" | tail -n 1)
    printf '%-14s %9s executions in %4d s, %s\n' \
        "$target" "${runs:-0}" "$limit" "${paths:-no coverage}"
    if [ $code -ne 0 ]; then
        findings=$((findings + 1))
        grep -vE '^#|^INFO|^stat::' "$work/log" | tail -n 60 | sed 's/^/    /'
    elif [ "${runs:-0}" -lt 100 ]; then
        echo "    too few executions to mean anything"
        findings=$((findings + 1))
    fi
done
echo "$# targets, $findings with findings"
[ $findings -eq 0 ]
