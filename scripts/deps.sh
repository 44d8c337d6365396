#!/bin/sh
# deps.sh [GROUP...]: installs the Debian packages that the named groups need and that are not there
# yet. Groups: build (the default), demo, test, browser, container, check, model, fuzz, bench.
# Asks dpkg once; with nothing missing it does nothing else, so it costs milliseconds.
set -eu

build="gcc libc6-dev make pkg-config libavformat-dev libavcodec-dev libavfilter-dev libavutil-dev
    libswscale-dev libfreetype-dev libjpeg62-turbo-dev libgnutls28-dev libevent-dev libssl-dev
    libcrypt-dev libyaml-dev libjansson-dev libpng-dev"
demo="python3 python3-numpy fonts-dejavu-core"
test="libcmocka-dev ffmpeg curl python3 python3-pytest python3-pytest-xdist python3-numpy
    python3-pil python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-tools gstreamer1.0-plugins-base
    gstreamer1.0-plugins-good gstreamer1.0-plugins-bad glib-networking ca-certificates
    libjpeg-turbo-progs procps iproute2 mount util-linux g++ prometheus groff-base python3-opencv
    opencv-data python3-jsonschema mpv motion openssl fonts-dejavu-core fonts-nanum
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev"
browser="chromium chromium-driver fontconfig fonts-dejavu-core"
fuzz="clang-14 libclang-rt-14-dev"
container="mmdebstrap iptables iproute2 util-linux"
bench="iceoryx libiceoryx-posh-dev libiceoryx-binding-c-dev libzmq3-dev libgstreamer1.0-dev
    libgstreamer-plugins-base1.0-dev gstreamer1.0-plugins-bad gstreamer1.0-plugins-base g++ python3
    ustreamer ffmpeg gstreamer1.0-tools fonts-dejavu-core python3-aiohttp python3-numpy
    python3-opencv"
check="black clang-format clang-tidy cppcheck"
model="spin gcc libc6-dev"
# An engine that is there already, whoever made it, will do: it would be removed for Debian's.
PATH=$PATH:/usr/sbin command -v dockerd >/dev/null || container="$container docker.io"
command -v docker-compose >/dev/null || container="$container docker-compose"

die()
{
    echo "deps: $*" >&2
    exit 1
}

wanted=
for group in "${@:-build}"; do
    case $group in
    build) wanted="$wanted $build" ;;
    demo) wanted="$wanted $demo" ;;
    test) wanted="$wanted $test" ;;
    check) wanted="$wanted $check" ;;
    model) wanted="$wanted $model" ;;
    browser) wanted="$wanted $browser" ;;
    container) wanted="$wanted $container" ;;
    fuzz) wanted="$wanted $fuzz" ;;
    bench) wanted="$wanted $bench" ;;
    *)
        die "unknown group \"$group\"; there are: build, demo, test, browser, container, check," \
            "model, fuzz, bench"
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086 # the list's line breaks are to go
    die "this is no Debian system, so packages can't be installed from here;" \
        "needed are (Debian's names):" $wanted
fi

# dpkg-query names each installed package on a line of its own; what it doesn't know it complains
# about, which is no error here.
# shellcheck disable=SC2086 # a list of words
installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' $wanted \
    2>/dev/null || :)
missing=
for package in $wanted; do
    case "
$installed
" in
    *"
installed $package
"*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    root=
elif command -v sudo >/dev/null; then
    root=sudo
else
    die "these packages are missing, and installing them needs root or sudo;" \
        "as root, run: apt-get install$missing"
fi

apt()
{
    $root env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 --quiet=2 "$@" </dev/null
}

echo "deps: installing$missing"
apt update || die "the package lists could not be updated (apt-get update, above)"
# shellcheck disable=SC2086 # a list of words
apt install --assume-yes --no-install-recommends $missing >/dev/null ||
    die "apt-get could not install:$missing"
