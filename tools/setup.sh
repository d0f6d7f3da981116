#!/bin/sh
# Make the virtual environment: find a Python >= 3.11, install the lock file, install courtbook.
set -eu
venv=$1

suits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

python=
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
    if suits "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    cat >&2 <<'EOF'
courtbook needs Python 3.11 or newer with the modules venv and ensurepip; none was found on the PATH.
  Debian, Ubuntu: apt-get install python3 python3-venv
  elsewhere:      install it from python.org or with conda, or name one: make PYTHON=/path/to/python3 demo
EOF
    exit 2
fi

# The stamp is the lock file itself: only another lock makes another environment.
if ! cmp -s requirements.lock "$venv/installed.lock"; then
    echo "Setting up $venv with $("$python" --version 2>&1) (once; takes a minute or two) ..."
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
    cp requirements.lock "$venv/installed.lock"
fi
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
