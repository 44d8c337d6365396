#!/bin/bash
# run-tests.sh BUILD unit|integration|browser|container|kill|chaos|reload...: runs tests that are
# built already, each unit test program and each integration test under a time limit. Ends with
# "N passed, N failed, N skipped"; exit code 0 if none failed and at least one passed.
# UNIT="test_a test_b" limits the unit tests, PYTEST_ARGS goes to pytest. At the same time run
# UNIT_JOBS unit tests, TEST_JOBS integration tests (0: all in one process, as with PYTEST_ARGS),
# and by themselves QUIET_JOBS of those that are marked `quiet` (tests/integration/parallel.py).
# CHAOS_SECONDS, CHAOS_KILLS and CHAOS_SEED say how much chaos, and which; RELOADS, how many
# configurations `reload` walks through.
# With TALLY=FILE the three numbers are also added to FILE.
set -u

build=$1
shift
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/camring-tests.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
# Most integration tests wait for something, most unit tests work. Who asks for some alone gets them
# in one process, which takes less time to start.
UNIT_JOBS=${UNIT_JOBS:-$(nproc)}
TEST_JOBS=${TEST_JOBS:-$([ -n "${PYTEST_ARGS:-}" ] && echo 0 || echo $(($(nproc) * 3)))}
RELOADS=${RELOADS:-12}
QUIET_JOBS=${QUIET_JOBS:-$(($(nproc) * 2))}

# Unit tests speak TAP (cmocka 1.1 marks a skipped test "not ok N # SKIP"). What was planned but
# never reported counts as failed, so that a crash or an exit half-way is never green.
# run_unit PROGRAM [TEST]
run_unit()
{
    local name=${1##*/}${2:+:$2} limit=${UNIT_TIME_LIMIT:-120} begin=$EPOCHREALTIME
    local out=$work/$name.out code planned ok skip bad note=
    CMOCKA_MESSAGE_OUTPUT=TAP \
        ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1} \
        UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1} \
        TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1} \
        timeout --kill-after=5 "$limit" "$@" >"$out" 2>&1 </dev/null
    code=$?
    planned=$(sed -nE 's/^1\.\.([0-9]+)$/\1/p' "$out" | awk '{n += $1} END {print n + 0}')
    ok=$(grep -cE '^ok [0-9]+' "$out")
    skip=$(grep -cE '^not ok [0-9]+ # SKIP' "$out")
    bad=$((planned - ok - skip))
    [ "$planned" -gt 0 ] || note=", ran no test"
    [ $code -eq 0 ] || note="$note, exit code $code"
    [ $code -ne 124 ] && [ $code -ne 137 ] || note=", stopped after $limit s"
    [ -z "$note" ] || [ "$bad" -gt 0 ] || bad=1
    {
        printf '%-32s %3d passed, %d failed, %d skipped%s  (%.1f s)\n' \
            "$name" "$ok" "$bad" "$skip" "$note" \
            "$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}')"
        [ "$bad" -eq 0 ] || sed 's/^/    /' "$out"
    } >"$out.told"
    cat "$out.told" # at once, as others run meanwhile
    echo "$ok $bad $skip" >"$work/$name"
}

# Adds "passed failed skipped" in FILE to the sums; without such a file something has failed.
add_counts()
{
    local p=0 s=0
    found=1
    [ ! -r "$1" ] || read -r p found s <"$1"
    passed=$((passed + p)) failed=$((failed + found)) skipped=$((skipped + s))
}

# Beside others: it prints what it has to say once it has ended, and leaves its counts.
run_beside()
{
    [ "$(jobs -rp | wc -l)" -lt "$UNIT_JOBS" ] || wait -n
    run_unit "$@" &
}

run_units()
{
    local programs=() name source
    if [ -n "${UNIT:-}" ]; then
        for name in $UNIT; do
            programs+=("$build/tests/$name")
        done
    else
        for source in tests/unit/test_*.c; do
            name=${source##*/}
            programs+=("$build/tests/${name%.c}")
        done
    fi
    for name in "${programs[@]}"; do
        run_beside "$name"
    done
    wait
    for name in "${programs[@]}"; do
        add_counts "$work/${name##*/}"
    done
}

# Each of the kill tests in a process of its own.
run_kill()
{
    local program=$build-kill/chaos/test_kill name names
    mapfile -t names < <("$program" --list)
    for name in "${names[@]}"; do
        run_beside "$program" "$name"
    done
    wait
    for name in "${names[@]:-none}"; do # without a list of them something has failed
        add_counts "$work/test_kill:$name"
    done
}

# run_python FOLDER [busy|quiet [OPTION...]]
run_python()
{
    local counts=$work/$1-${2:-all} folder=$1 which=${2:-} code
    shift $(($# < 2 ? $# : 2))
    local tests=tests/$folder
    [[ " ${PYTEST_ARGS:-}" != *" tests/"* ]] || tests= # it names files itself
    # shellcheck disable=SC2086 # PYTEST_ARGS is a list of words, tests may be none
    CAMRING_BUILD=$build CAMRING_COUNTS=$counts CAMRING_TESTS=$which CAMRING_CLIPS=$work \
        timeout --signal=INT --kill-after=60 "${INTEGRATION_TIME_LIMIT:-1500}" \
        "${PYTHON:-/usr/bin/python3}" -B -m pytest -p no:cacheprovider -q "$@" ${PYTEST_ARGS:-} \
        $tests </dev/null
    code=$?
    add_counts "$counts"
    # 5: none of the tests asked for is there
    [ $code -eq 0 ] || [ $code -eq 5 ] || [ "$found" -gt 0 ] || failed=$((failed + 1))
}

# One chaos run counts as one test. run_chaos BUILD COUNTS OPTION...
run_chaos()
{
    local program=$1 counts=$2
    shift 2
    if CAMRING_BUILD=$program CHAOS_TOOLS=$build/chaos \
        timeout --signal=TERM --kill-after=60 $((${CHAOS_SECONDS:-60} + 300)) \
        "${PYTHON:-/usr/bin/python3}" -B tests/chaos/chaos.py \
        ${CHAOS_SEED:+--seed "$CHAOS_SEED"} "$@" </dev/null; then
        echo 1 0 0 >"$counts"
    else
        echo 0 1 0 >"$counts"
    fi
}

# Builds that break the protocol, which must be noticed: within seconds as a rule; on a machine that
# seldom lets two processes at one frame, later. One at a time speaks, the other when it has ended.
run_broken_chaos()
{
    run_chaos "$build-break-seq" "$work/break-seq" --seconds 240 --kills 400 --expect-fault \
        >"$work/break-seq.told" 2>&1 &
    run_chaos "$build-break-pin" "$work/break-pin" --seconds 240 --kills 400 --expect-fault
    wait
    cat "$work/break-seq.told"
    add_counts "$work/break-pin"
    add_counts "$work/break-seq"
}

# Random configurations on a running instance; with --kill while processes die.
run_reload()
{
    if CAMRING_BUILD=$build timeout --signal=TERM --kill-after=60 "$1" \
        "${PYTHON:-/usr/bin/python3}" -B tests/chaos/reload.py \
        ${CHAOS_SEED:+--seed "$CHAOS_SEED"} "${@:2}" </dev/null; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

for what; do
    case $what in
    unit) run_units ;;
    browser | container) run_python "$what" ;;
    integration)
        if [ "$TEST_JOBS" -eq 0 ]; then
            run_python integration
        else
            run_python integration busy -n "$TEST_JOBS" --dist loadgroup
            run_python integration quiet -n "$QUIET_JOBS" --dist loadgroup
        fi
        ;;
    kill) run_kill ;;
    chaos)
        run_chaos "$build" "$work/chaos" --seconds "${CHAOS_SECONDS:-60}" \
            --kills "${CHAOS_KILLS:-100}"
        add_counts "$work/chaos"
        run_broken_chaos
        ;;
    reload)
        run_reload $((RELOADS * 60 + 120)) --steps "$RELOADS"
        run_reload $((RELOADS * 60 + 120)) --steps "$RELOADS" --kill
        ;;
    *)
        echo "run-tests: unknown kind of test \"$what\"" >&2
        exit 2
        ;;
    esac
done
[ -z "${TALLY:-}" ] || echo "$passed $failed $skipped" >>"$TALLY"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
