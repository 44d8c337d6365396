"""`make install`: what stands where, and that programs can be built and run against it, and against
nothing else."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import product
from product import BIN, ROOT, Camring, mount_namespace

if BIN.parent != ROOT / "build":
    pytest.skip("what is installed is the ordinary build", allow_module_level=True)

SOURCES = pathlib.Path(__file__).parent / "installed"
PREFIX = "/opt/camring"
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("MAKE", "MFLAGS", "CAMRING_"))
}
COMPILERS = [
    compiler
    for compiler in (["gcc", "-std=c11"], ["g++", "-std=c++17"], ["clang++", "-std=c++17"])
    if shutil.which(compiler[0])
]
WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
HEADER = (ROOT / "common/camring.h").read_text()
FUNCTIONS = sorted(re.findall(r"^CAMRING_API [^(]*?(camring_\w+)\(", HEADER, re.M))


def make(*words):
    done = subprocess.run(
        ["make", *words],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def run(*words, **options):
    done = subprocess.run(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )
    assert done.returncode == 0, done
    return done.stdout


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """The folder that stands for /."""
    folder = tmp_path_factory.mktemp("staged")
    make("install", f"DESTDIR={folder}", f"PREFIX={PREFIX}")
    return folder


@pytest.fixture(scope="module")
def tree(staged):
    return staged / PREFIX[1:]


def pkg_config(staged, *words):
    environment = {
        **ENVIRONMENT,
        "PKG_CONFIG_SYSROOT_DIR": str(staged),
        "PKG_CONFIG_LIBDIR": str(staged / PREFIX[1:] / "lib/pkgconfig"),
    }
    return run("pkg-config", *words, "camring", env=environment).split()


# -- the files


def test_what_is_installed(tree):
    found = files(tree)
    assert [name for name in found if name.startswith("include/")] == ["include/camring.h"]
    assert [name for name in found if name.startswith("bin/")] == [
        f"bin/camring{end}" for end in ("", "-capture", "-encoder", "-server", "-shm")
    ]
    assert {f"lib/libcamring.{end}" for end in ("a", "so", "so.1")} | {
        "lib/systemd/system/camring.service"
    } < set(found)
    assert {
        f"share/man/man{page[-1]}/{page}"
        for page in ("camring.1", "camring-shm.1", "camring.3", "camring_next.3", "camring.yaml.5")
    } < set(found)
    assert "share/doc/camring/camring.yaml" in found
    assert "share/bash-completion/completions/camring" in found
    assert os.readlink(tree / "lib/libcamring.so") == "libcamring.so.1"
    assert all((tree / name).exists() for name in found)  # links lead somewhere


def test_links_of_the_installed_documents_lead_somewhere(tree):
    documents = sorted((tree / "share/doc/camring").glob("*.md"))
    assert [path.name for path in documents] == ["CONTRIBUTING.md", "README.md", "SECURITY.md"]
    links = [
        (path, link)
        for path in documents
        for link in re.findall(r"\]\(([^)#]+)", path.read_text())
        if "://" not in link
    ]
    assert len(links) >= 4
    assert not [link for path, link in links if not (path.parent / link).is_file()]


PLUGIN = BIN.parent / "lib/gstreamer-1.0/libgstcamring.so"


@pytest.mark.skipif(not PLUGIN.exists(), reason="GStreamer's headers are not there")
def test_gstreamer_plugin_finds_its_library(tree, tmp_path):
    environment = {
        **ENVIRONMENT,
        "GST_PLUGIN_PATH": str(tree / "lib/gstreamer-1.0"),
        "GST_REGISTRY": str(tmp_path / "registry.bin"),
    }
    assert "camringsrc" in run("gst-inspect-1.0", "camring", env=environment)
    plugin = tree / "lib/gstreamer-1.0/libgstcamring.so"
    libraries = run("ldd", plugin, env=environment)
    assert (
        re.search(r"libcamring\.so\.1 => (\S+)", libraries)[1]
        == os.path.realpath(tree / "lib/libcamring.so.1")
        or f"{tree}/lib/gstreamer-1.0/../libcamring.so.1" in libraries
    )


def test_build_without_gstreamer_says_so():
    done = run("make", "-C", ROOT, "--dry-run", "has_gstreamer=", "all", env=ENVIRONMENT)
    assert "no GStreamer plugin: gstreamer-base-1.0 gstreamer-video-1.0 are not there" in done
    assert "libgstcamring" not in done


def test_uninstall_leaves_nothing_but_what_others_put_there(tmp_path):
    for prefix in ("/usr", PREFIX):
        make("install", f"DESTDIR={tmp_path}", f"PREFIX={prefix}")
    assert (tmp_path / "usr/lib/python3/dist-packages/camring.py").exists()
    if PLUGIN.exists():
        folder = run("pkg-config", "--variable=pluginsdir", "gstreamer-1.0").strip()
        assert (tmp_path / folder[1:] / PLUGIN.name).exists()
    strange = tmp_path / "usr/share/doc/camring/notes"
    strange.touch()
    for prefix in ("/usr", PREFIX):
        make("uninstall", f"DESTDIR={tmp_path}", f"PREFIX={prefix}")
    assert [str(path) for path in tmp_path.rglob("*") if not path.is_dir()] == [str(strange)]
    assert not (tmp_path / PREFIX[1:] / "share/doc/camring").exists()


def test_pkg_config(staged, tree):
    assert pkg_config(staged, "--modversion") == [(ROOT / "VERSION").read_text().strip()]
    assert pkg_config(staged, "--cflags") == [f"-I{tree}/include"]
    assert pkg_config(staged, "--libs") == [f"-L{tree}/lib", "-lcamring"]
    assert pkg_config(staged, "--libs", "--static")[-1] == "-pthread"


def test_service(tree):
    text = (tree / "lib/systemd/system/camring.service").read_text()
    assert f"\nExecStart={PREFIX}/bin/camring run -c /etc/camring/camring.yaml\n" in text
    user = re.search(r"^User=(.*)$", text, re.M)[1]
    assert re.search(rf"^u +{user} ", (tree / "lib/sysusers.d/camring.conf").read_text(), re.M)
    if shutil.which("systemd-analyze"):
        unit = tree / "checked.service"
        unit.write_text(text.replace(f"{PREFIX}/bin/camring", "/bin/true"))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True
        )
        unit.unlink()
        assert (done.returncode, done.stderr) == (0, "")


def test_programs_find_each_other(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(product, "BIN", tree / "bin")
    instance = Camring(tmp_path, {"door": "test:?size=320x180&fps=20"})
    try:
        instance.run().wait_live("door")
        assert instance.get("/cameras/door/snapshot.jpg")[2][:2] == b"\xff\xd8"
        assert "door.raw" in instance.cli("shm", "list").stdout
        assert all(
            os.readlink(f"/proc/{child.pid}/exe").startswith(str(tree))
            for child in instance.children()
        )
        instance.stop()
    finally:
        instance.kill_all()


def test_python_module_finds_its_library(tree):
    (module,) = tree.glob("lib/python3*/dist-packages/camring.py")
    text = (
        "import camring; maps = [l.split()[-1] for l in open('/proc/self/maps')];"
        "print(camring.__version__, *(path for path in maps if 'libcamring' in path))"
    )
    version, *mapped = run(
        sys.executable, "-B", "-c", text, env={**ENVIRONMENT, "PYTHONPATH": str(module.parent)}
    ).split()
    assert version == (ROOT / "VERSION").read_text().strip() and set(mapped) == {
        str(tree / "lib/libcamring.so.1")
    }


# -- the library


def test_shared_library_shows_its_own_names_only(tree):
    library = tree / "lib/libcamring.so.1"
    symbols = run("nm", "-D", "--defined-only", library).split("\n")
    names = sorted(line.split()[-1] for line in symbols if " T " in line)
    later = {f"camring_{name}": "1.1" for name in ("give", "lend", "reserve", "return", "take")}
    assert names == [f"{name}@@CAMRING_{later.get(name, '1.0')}" for name in FUNCTIONS]
    assert all(" T " in line or re.search(r" A CAMRING_1\.[01]$", line) for line in symbols if line)
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", library))
    assert needed == ["libc.so.6"] and "[libcamring.so.1]" in run("readelf", "-d", library)
    assert {line.split()[0].rpartition("/")[2] for line in run("ldd", library).splitlines()} <= {
        "linux-vdso.so.1",
        "libc.so.6",
        "ld-linux-x86-64.so.2",
        "ld-linux-aarch64.so.1",
    }


def test_static_library_shows_its_own_names_only(tree):
    symbols = run("nm", "-g", "--defined-only", tree / "lib/libcamring.a").split("\n")
    assert sorted(line.split()[-1] for line in symbols if " T " in line) == FUNCTIONS
    assert not [line for line in symbols if re.search(r" [A-SU-Z] ", line)]


@pytest.mark.parametrize("compiler", COMPILERS, ids=lambda compiler: compiler[0])
def test_header_alone(tree, tmp_path, compiler):
    (tmp_path / "a.c").write_text(
        "#include <camring.h>\n#include <camring.h>\n"
        "int main(void) { return camring_version() == 0; }\n"
    )
    language = "c" if compiler[0] == "gcc" else "c++"
    run(
        *compiler,
        *WARNINGS,
        "-Wshadow",
        "-x",
        language,
        "-fsyntax-only",
        f"-I{tree}/include",
        tmp_path / "a.c",
    )


def build(staged, tree, folder, compiler, static, name):
    language = "c" if compiler[0] == "gcc" else "c++"
    source = ["-x", language, SOURCES / f"{name}.c", "-x", "none"]
    library = [tree / "lib/libcamring.a", "-pthread"] if static else pkg_config(staged, "--libs")
    run(
        *compiler,
        *WARNINGS,
        *pkg_config(staged, "--cflags"),
        "-o",
        folder / name,
        *source,
        *library,
    )
    return folder / name


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
@pytest.mark.parametrize("compiler", COMPILERS, ids=lambda compiler: compiler[0])
def test_producer_and_consumers(staged, tree, tmp_path, compiler, static):
    if "c++" not in compiler[1]:
        compiler = [*compiler, "-D_POSIX_C_SOURCE=200809L"]
    producer, consumer = (
        build(staged, tree, tmp_path, compiler, static, name) for name in ("producer", "consumer")
    )
    environment = {**ENVIRONMENT, "LD_LIBRARY_PATH": str(tree / "lib")}
    assert ("libcamring.so.1" in run("ldd", consumer, env=environment)) != static
    for options in ([], ["take"]):
        instance = f"inst{os.getpid()}"
        making = subprocess.Popen(
            [producer, instance, "200"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert making.stdout.readline() == "open\n"
        words = run(consumer, instance, *options, env=environment).split()
        assert making.wait(10) == 0
        making.stdout.close()
        taken, missed, joined, newest = (int(word) for word in words[1::2])
        assert (
            taken + missed == newest - joined and 20 <= taken and 100 < newest <= 200
        ), words  # the second half is of another size
        assert not [name for name in os.listdir("/dev/shm") if instance in name]


# -- the manual


PAGES = {
    "camring.3": ROOT / "common/camring.3",
    "camring.1": ROOT / "common/supervisor/camring.1",
    "camring-shm.1": ROOT / "common/shmtool/camring-shm.1",
    "camring.yaml.5": ROOT / "build/man/camring.yaml.5",
}


@pytest.mark.parametrize("page", PAGES)
def test_page_is_clean(page):
    done = subprocess.run(
        ["groff", "-ww", "-man", "-Tutf8", PAGES[page]], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "") and len(done.stdout) > 1000


def plain(page):
    return PAGES[page].read_text().replace("\\-", "-")


def test_library_page_has_every_function_and_code():
    text = plain("camring.3")
    missing = [
        name
        for name in FUNCTIONS
        if f"{name}(" not in text or len(re.findall(rf"\b{name}\b", text)) < 2
    ]
    enumerated = re.search(r"enum camring_code \{(.*?)^\};", HEADER, re.M | re.S)[1]
    codes = [
        name
        for name in re.findall(r"^    (CAMRING_\w+) = ", enumerated, re.M)
        if name != "CAMRING_OK"
    ]
    missing += [name for name in codes if f"\n.TP\n.B {name}\n" not in text]
    missing += [
        field
        for field in re.findall(
            r"(\w+)(?:\[\d\])?[;,]",
            re.search(r"struct camring_stat \{(.*?)^\};", HEADER, re.M | re.S)[1],
        )
        if field not in text
    ]
    assert len(codes) == 11 and not missing


def commands(*words):
    """The names in the list that a program's help begins with."""
    return re.findall(r"^  ([a-z]+) ", run(*words), re.M)


def test_program_pages_have_every_command():
    for page, words in (
        ("camring.1", (BIN / "camring", "help")),
        ("camring-shm.1", (BIN / "camring-shm", "--help")),
    ):
        names = commands(*words)
        assert len(names) >= 3
        missing = [name for name in names if f"\n.TP\n.B {name}\n" not in plain(page)]
        assert not missing, f"{PAGES[page]} lacks {missing}"


def test_configuration_page_has_every_key():
    keys = re.findall(r"^(\S+): ", run(BIN / "camring", "help", "config"), re.M)
    assert len(keys) > 25 and not [
        key for key in keys if f"\n.B {key}\n" not in plain("camring.yaml.5")
    ]


def test_examples_of_the_library_page(tree, tmp_path):
    for name, text in re.findall(
        r'^\.\\" example: (\S+)\n\.nf\n(.*?)\n\.fi', PAGES["camring.3"].read_text(), re.M | re.S
    ):
        (tmp_path / name).write_text(text.replace("\\-", "-").replace("\\e", "\\") + "\n")
        run(
            "gcc",
            "-std=c11",
            *WARNINGS,
            f"-I{tree}/include",
            "-o",
            tmp_path / name[:-2],
            tmp_path / name,
            tree / "lib/libcamring.a",
            "-pthread",
        )
    script = (
        "mount -t tmpfs shm /dev/shm && ./writer && timeout 1 stdbuf -oL ./reader mine | head -1"
    )
    assert run(*mount_namespace(), "sh", "-c", script, cwd=tmp_path) == "1: 128\n"
