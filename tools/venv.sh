#!/bin/sh
# Makes $VENV with $PYTHON and installs hanma and its tests' packages there, versions pinned. Run by the Makefile.
set -eu

"$PYTHON" - <<'END' || exit 1
import sys
if not (3, 10) <= sys.version_info[:2] < (3, 15):
    sys.exit("hanma needs Python 3.10 to 3.14; this is %s. Choose one with: make PYTHON=python3.13 …" % sys.version.split()[0])
END

echo "making $VENV with $("$PYTHON" --version), once"
if ! "$PYTHON" -m venv "$VENV" 2>/dev/null || ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
    # Debian splits ensurepip off into a package of its own.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install python3-venv >/dev/null
        rm -rf "$VENV"
        "$PYTHON" -m venv "$VENV"
    else
        echo "this Python cannot make virtual environments: install python3-venv" >&2
        exit 1
    fi
fi
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
