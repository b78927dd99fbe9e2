#!/usr/bin/env bash
# Makes a virtual environment with everything the project needs; does nothing when it is complete.
#
#   tools/setup.sh [--dev] [--venv DIR] [--only tf1|tf2]   set up DIR (default .venv)
#   tools/setup.sh --which [--only tf1|tf2]                only print "VERSION PATH" of the Python to take
#
# --dev       the tests' requirements as well
# --only      consider only the Pythons of TensorFlow 1.14 (tf1) or of TensorFlow 2.15 (tf2)
# PYTHON=...  in the environment: the Python to take, a name or a path; without it the first that works of
#             3.7, 3.6 (TensorFlow 1.14, the reference), 3.11, 3.10, 3.9 (TensorFlow 2.15).
# Exit status: 0 done; 1 no suitable Python, or the installation failed; 2 wrong usage.
set -euo pipefail

fail() {
    printf 'error: %s\n' "$1" >&2
    exit "${2:-1}"
}

# ---- Finding a Python --------------------------------------------------------------------------------

tf1_versions="3.7 3.6"
tf2_versions="3.11 3.10 3.9"
pyenv_versions=${PYENV_ROOT:-$HOME/.pyenv}/versions

# TensorFlow 1.14 was only ever built for x86-64.
if [[ $(uname -m) != x86_64 && $(uname -m) != amd64 ]]; then
    tf1_versions=""
fi

# "VERSION PATH" of a Python, or nothing when it does not run (as pyenv's shim of an inactive version).
# Inside a virtual environment PATH is the Python it was made from: ours may be about to be replaced.
probe() {
    "$1" -c '
import os, sys
path = sys.executable
if sys.prefix != getattr(sys, "base_prefix", sys.prefix):
    path = os.path.join(sys.base_prefix, "bin", "python%d.%d" % sys.version_info[:2])
print("%d.%d.%d %s" % (sys.version_info[:3] + (path,)))' 2>/dev/null </dev/null || true
}

# Debian's python3 lacks these two until python3-venv is installed.
can_make_venv() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 </dev/null
}

# Every command of this name: on PATH, then in pyenv's versions.
commands_named() {
    local command
    type -aP "$1" || true
    for command in "$pyenv_versions"/*/bin/"$1"; do
        if [[ -x $command ]]; then echo "$command"; fi
    done
}

runtime_of() {
    case " 3.7 3.6 " in *" ${1%.*} "*) echo "TensorFlow 1.14"; return ;; esac
    case " $tf2_versions " in *" ${1%.*} "*) echo "TensorFlow 2.15" ;; esac
}

unsuitable=""  # what was found and cannot be used, for the message

# Sets `chosen` to "VERSION PATH" for the first of the versions ("3.7 3.6 ...") that works, or to nothing.
choose_among() {
    local version command found
    chosen=""
    for version in $1; do
        while read -r command; do
            found=$(probe "$command")
            if [[ ${found%% *} != "$version".* ]]; then continue; fi
            if can_make_venv "${found#* }"; then chosen=$found; return; fi
            unsuitable="$unsuitable Python ${found%% *} (${found#* }) was found but cannot make virtual\
 environments; on Debian and Ubuntu 'apt-get install python$version-venv' adds that."
        done < <(commands_named "python$version"; commands_named python3; commands_named python)
    done
}

# Sets `chosen` to the Python that was asked for, whatever its version; fails when there is none of that name.
choose_named() {
    local command
    chosen=""
    while read -r command; do
        chosen=$(probe "$command")
        if [[ -n $chosen ]]; then return; fi
    done < <(if [[ $1 == */* ]]; then echo "$1"; else commands_named "$1"; fi)
    fail "PYTHON=$1 does not run. Give the path of a Python 3.7, 3.6, 3.11, 3.10 or 3.9, or leave PYTHON out."
}

ways_out="The project runs on Python 3.7 or 3.6 (TensorFlow 1.14, the reference) and on Python 3.11, 3.10\
 or 3.9 (TensorFlow 2.15); neither was released for Python 3.8 or for 3.12 and newer. Ways to get one:
  pyenv             pyenv install 3.7        (or 3.11)
  conda             conda create -n bert-cnn python=3.7 && conda activate bert-cnn
  Debian, Ubuntu    apt-get install python3.11 python3.11-venv        (where the release has it)
Then run 'make setup' again; it finds them by itself. 'make setup PYTHON=/path/to/python3.11' names one."

# Sets `chosen` ("VERSION PATH") and `reason`, or fails with the ways out.
choose() {
    if [[ -n ${PYTHON:-} ]]; then
        choose_named "$PYTHON"
        reason="as asked for with PYTHON=$PYTHON"
        if [[ -z $(runtime_of "${chosen%% *}") ]]; then
            fail "PYTHON=$PYTHON is Python ${chosen%% *}, which cannot be used. $ways_out"
        fi
        can_make_venv "${chosen#* }" || fail "PYTHON=$PYTHON cannot make virtual environments (its modules\
 venv and ensurepip are missing). On Debian and Ubuntu 'apt-get install python3-venv' adds them."
        return
    fi
    if [[ $only != tf2 ]]; then
        choose_among "$tf1_versions"
        reason="the reference runtime"
        if [[ -n $chosen ]]; then return; fi
    fi
    if [[ $only != tf1 ]]; then
        choose_among "$tf2_versions"
        reason="the newest that works"
        if [[ $only != tf2 ]]; then reason="no Python 3.7 or 3.6 for TensorFlow 1.14 here; $reason"; fi
        if [[ -n $chosen ]]; then return; fi
    fi
    fail "no suitable Python was found on PATH or in $pyenv_versions.$unsuitable $ways_out"
}

# ---- Making the environment --------------------------------------------------------------------------

# The stamp lists what was installed. It is taken away before pip starts and written when all is done:
# an environment without it was cut off and is made anew.
stamp() { echo "$venv/.installed"; }

wanted() {
    cksum requirements.txt
    if [[ $dev == yes ]]; then cksum requirements-dev.txt; fi
}

is_complete() {
    [[ -f $(stamp) && -x $venv/bin/python ]] || return 1
    local line
    while read -r line; do
        grep -qxF "$line" "$(stamp)" || return 1
    done < <(wanted)
}

# Runs pip with its output in a log; on a terminal one line tells how far it is.
run_pip() {
    local log=$venv/pip.log count=0 line
    "$venv/bin/python" -m pip install --disable-pip-version-check -r "$1" 2>&1 | tee "$log" |
    while read -r line; do
        case $line in
            Collecting*) count=$((count + 1)); line="package $count: ${line#Collecting }" ;;
            Installing*) line="copying $count packages" ;;
            *) continue ;;
        esac
        if [[ -t 1 ]]; then printf '\r\033[K  %s' "${line%%[;(]*}" | cut -c1-78 | tr -d '\n'; fi
    done || {
        printf '\npip could not install the requirements. The end of what it said:\n\n' >&2
        grep -vE '^ *(Ignoring|Requirement already|Collecting|Downloading|Using cached)' "$log" |
            tail -n 12 >&2 || true
        fail "the installation into $venv is not finished. Check the network connection and the free disk\
 space (2.5 GB), then run the same command again. All of pip's output: $venv/pip.log"
    }
    if [[ -t 1 ]]; then printf '\r\033[K'; fi
}

check_import() {
    local said
    said=$("$venv/bin/python" -c 'import tensorflow, h5py, sklearn' 2>&1) || {
        printf '%s\n' "$said" | tail -n 5 >&2
        fail "the requirements are installed in $venv but do not start on this machine (see above)."
    }
}

set_up() {
    local version=${chosen%% *} python=${chosen#* } runtime requirements=requirements.txt began=$SECONDS
    runtime=$(runtime_of "$version")
    echo "$venv: Python $version ($python), $runtime: $reason"
    if [[ $dev == yes ]]; then requirements=requirements-dev.txt; fi
    if [[ ! -f $(stamp) || $(probe "$venv/bin/python") != "$chosen" ]]; then
        rm -rf "$venv"
        "$python" -m venv "$venv"
    fi
    rm -f "$(stamp)"
    echo "$venv: installing $runtime and what goes with it (a minute or two, up to 1.6 GB) ..."
    run_pip "$requirements"
    check_import
    wanted >"$(stamp)"
    echo "$venv: ready after $((SECONDS - began)) s"
}

main() {
    dev=no venv=.venv only="" which=no existing=""
    while [[ $# -gt 0 ]]; do
        case $1 in
            --dev) dev=yes ;;
            --which) which=yes ;;
            --venv) venv=${2:?--venv needs a folder}; shift ;;
            --only) only=${2:?--only needs tf1 or tf2}; shift ;;
            *) fail "unknown option $1; see the head of tools/setup.sh" 2 ;;
        esac
        shift
    done
    case $only in
        "" | tf1 | tf2) ;;
        *) fail "--only $only: there are tf1 (TensorFlow 1.14) and tf2 (TensorFlow 2.15)" 2 ;;
    esac
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    if [[ $which == no && -z ${PYTHON:-} && -x $venv/bin/python ]]; then
        if is_complete; then return; fi
        # The Python chosen when it was made stays, also where that was done with PYTHON=.
        existing=$(probe "$venv/bin/python")
    fi
    if [[ -n $existing && -x ${existing#* } ]]; then
        chosen=$existing reason="as before (make setup PYTHON=... changes it)"
    else
        choose
    fi
    if [[ $which == yes ]]; then echo "$chosen"; return; fi
    if is_complete && [[ $(probe "$venv/bin/python") == "$chosen" ]]; then return; fi
    set_up
}

main "$@"
