#!/bin/sh
# Makes .venv from requirements.lock, or says in one sentence why it cannot, and what to do.
# Every make target calls it. When nothing has changed it only compares a fingerprint.
set -u
CDPATH='' cd -- "$(dirname -- "$0")/../.." || exit 1
export UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=true UV_NO_PROGRESS=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_USER=0 PIP_NO_INPUT=1
needs_mb=4000 # .venv takes about 3,000; the rest is room to unpack
uv=.venv/uv/bin/uv
log=$(mktemp 2>/dev/null) || log=/dev/null

say() { printf '%s\n' "$1" >&2; }

stop() { # what happened, what to do
    say ""
    say "$1"
    say "  next  $2"
    exit 1
}

clean_up() {
    [ "$log" = /dev/null ] || rm -f -- "$log"
}
trap clean_up EXIT
trap 'trap - INT TERM; kill "${child:-$$}" 2>/dev/null; exit 130' INT TERM

find_python() { # sets python, or stops
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null 2>&1 || stop "PYTHON=$PYTHON is not a command that can be found." \
            "Give the path of a Python 3.11, 3.12 or 3.13: make start PYTHON=/path/to/python3.12"
        set -- "$PYTHON"
    else
        set -- python3.13 python3.12 python3.11 python3 python
    fi
    found='' bare=''
    for python in "$@"; do
        version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
        case $version in
            3.11.* | 3.12.* | 3.13.*) ;;
            *)
                found="$found${found:+, }$version"
                continue
                ;;
        esac
        "$python" -c 'import ensurepip, venv' 2>/dev/null && return 0
        bare=${bare:-${version%.*}}
    done
    [ -z "$bare" ] || stop "Python $bare is here, but without its venv module." \
        "On Debian and Ubuntu: sudo apt install python$bare-venv; then the same command again."
    stop "This course needs Python 3.11, 3.12 or 3.13; found: ${found:-none}." \
        "Install one (brew install python@3.12, or your system's packages), or name it: make start PYTHON=/path/to/it"
}

fingerprint() { # of everything .venv is made from; $1 is a Python
    "$1" -c 'import hashlib, sys
digest = hashlib.sha256(repr((sys.version, sys.argv[1])).encode())
for name in sys.argv[2:]:
    digest.update(open(name, "rb").read())
print(digest.hexdigest())' "$(pwd)" requirements.lock infra/bootstrap/uv.lock infra/bootstrap/environment.sh pyproject.toml
}

free_mb() {
    "$python" -c 'import shutil; print(shutil.disk_usage(".").free >> 20)' 2>/dev/null || echo 0
}

cannot_write() {
    stop "This checkout cannot be written to ($(pwd))." "Copy it to a folder of your own and run the same command there."
}

disk_full() {
    free=$(free_mb)
    [ "$free" -ge "$needs_mb" ] || stop "The disk is too full: $free MB are free here, and .venv needs $needs_mb." \
        "Free some space, then the same command again."
    stop "The disk of the download cache, or of temporary files, is full." \
        "Free some space there, or name other folders in UV_CACHE_DIR and TMPDIR; then the same command again."
}

logged() { # runs a command; its output goes to the log, the seconds to a terminal
    "$@" >"$log" 2>&1 &
    child=$!
    if [ -t 2 ]; then
        seconds=0
        while kill -0 "$child" 2>/dev/null; do
            printf '\r  %s s ' "$seconds" >&2
            sleep 1
            seconds=$((seconds + 1))
        done
        printf '\r' >&2
    fi
    wait "$child"
    status=$?
    child=
    return "$status"
}

attempt() { # title, command…: up to three times, because networks fail for a moment
    title=$1
    shift
    say "$title"
    for pause in 2 5 0; do
        logged "$@" && return 0
        explain_disk
        [ "$pause" = 0 ] && break
        say "  That failed; again in $pause s."
        sleep "$pause"
    done
    if grep -qiE 'hash(es)? (mismatch|do(es)? not match)|do not match the hashes' "$log"; then
        stop "A downloaded package is not the one that requirements.lock names (its hash differs); it was not installed." \
            "Try again; if it stays so, report it: whatever answers for the package index sends something else."
    fi
    if grep -qiE "$network" "$log"; then
        stop "The package index could not be reached (three tries)." \
            "Check the network or proxy, then the same command again. Behind a mirror: set UV_DEFAULT_INDEX and PIP_INDEX_URL."
    fi
    cp -- "$log" .venv/bootstrap.log 2>/dev/null
    stop "The environment could not be made: $(grep -v '^[[:space:]]*$' "$log" | tail -n 1)" \
        "Read .venv/bootstrap.log; remove .venv to begin afresh."
}
# What pip and uv say when there is no way to the index.
network='connect|resolve|dns|timed? ?out|network|unreachable|retries|sending request|failed to fetch|no matching dist'

explain_disk() { # stops if the disk is the reason
    if grep -qiE 'no space left|disk quota|ENOSPC|os error 28' "$log" || [ "$(free_mb)" -lt 20 ]; then
        disk_full
    fi
}

for need in requirements.lock infra/bootstrap/uv.lock pyproject.toml; do
    [ -f "$need" ] || stop "$need is missing from this checkout." "Bring it back: git checkout -- $need"
done

# A checkout that was moved or copied has scripts that point to the old place.
runs='' python=.venv/bin/python
[ "$(cat .venv/made-at 2>/dev/null)" = "$(pwd)" ] && "$python" -c '' 2>/dev/null && runs=yes
[ -n "$runs" ] || [ -w . ] || cannot_write
if [ -z "$runs" ] || [ -n "${PYTHON:-}" ]; then find_python; fi
wanted=$(fingerprint "$python")
[ -n "$runs" ] && [ "$(cat .venv/made-from 2>/dev/null)" = "$wanted" ] && exit 0

if ! problem=$( (mkdir -p .venv && : >.venv/made-at) 2>&1); then
    case $problem in *[Nn]o\ space*) disk_full ;; esac
    cannot_write
fi
if [ -z "$runs" ] || [ "$(.venv/bin/python -c 'import sys; print(sys.version)' 2>/dev/null)" != \
    "$("$python" -c 'import sys; print(sys.version)')" ]; then
    rm -rf .venv
    [ "$(free_mb)" -ge "$needs_mb" ] || disk_full
    say "Making .venv with Python $("$python" -c 'import platform; print(platform.python_version())') …"
    if ! logged "$python" -m venv .venv; then
        explain_disk
        stop "Python could not make .venv: $(tail -n 1 "$log")" "Try another: make start PYTHON=/path/to/python3.12"
    fi
fi
pwd >.venv/made-at
[ -w "${HOME:-/nowhere}" ] || export UV_CACHE_DIR="${UV_CACHE_DIR:-.venv/uv-cache}"

pinned=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' infra/bootstrap/uv.lock)
case "$("$uv" --version 2>/dev/null) " in
    "uv $pinned "*) ;;
    *)
        .venv/bin/python -c 'import pip' 2>/dev/null || logged .venv/bin/python -m ensurepip
        attempt "Bringing uv $pinned …" .venv/bin/python -m pip install --retries 1 --no-deps --upgrade \
            --require-hashes --only-binary :all: --target .venv/uv -r infra/bootstrap/uv.lock
        ;;
esac
attempt "Installing $(grep -c '^[a-z0-9]' requirements.lock) locked packages: a minute or two, once …" \
    "$uv" pip sync --python .venv/bin/python --require-hashes --only-binary :all: --compile-bytecode requirements.lock
attempt "Installing the command labs …" \
    "$uv" pip install --python .venv/bin/python --offline --no-deps --no-build-isolation --editable .
printf '%s\n' "$wanted" >.venv/made-from || disk_full
