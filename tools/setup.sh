#!/usr/bin/env bash
# Makes a virtual environment with everything the project needs; does nothing when it is complete.
#
#   tools/setup.sh [--dev] [--venv DIR] [--only tf1|tf2]   set up DIR (default .venv)
#   tools/setup.sh --which [--only tf1|tf2]                only print "VERSION PATH" of the Python to take
#
# --dev       the tests' requirements as well
# --only      consider only the Pythons of the reference, TensorFlow 1 (tf1), or of the current TensorFlow (tf2)
# PYTHON=...  in the environment: the Python to take, a name or a path; without it the first that works of
#             3.7, 3.6 (tf1), 3.13, 3.12, 3.11, 3.10 (tf2). Where none does, uv, if there is one, gets Python 3.13.
# Exit status: 0 done; 1 no suitable Python, or the installation failed; 2 wrong usage.
set -euo pipefail

fail() {
    printf 'error: %s\n' "$1" >&2
    exit "${2:-1}"
}

# ---- Finding a Python --------------------------------------------------------------------------------

tf1_versions="3.7 3.6"
tf2_versions="3.13 3.12 3.11 3.10"
newest=${tf2_versions%% *}
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

# "TensorFlow 1.14", for its first digit: the version that requirements.txt has.
tensorflow() {
    local line
    while read -r line; do
        if [[ $line =~ ^tensorflow==($1\.[0-9]+) ]]; then echo "TensorFlow ${BASH_REMATCH[1]}"; return; fi
    done <requirements.txt
}

runtime_of() {
    case " $tf1_versions " in *" ${1%.*} "*) tensorflow 1; return ;; esac
    case " $tf2_versions " in *" ${1%.*} "*) tensorflow 2 ;; esac
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
    fail "PYTHON=$1 does not run. Give the path of a Python of version $(all_versions), or leave PYTHON out."
}

# "3.7, 3.6, 3.13, ..."
all_versions() {
    local versions="${tf1_versions:+$tf1_versions }$tf2_versions"
    echo "${versions// /, }"
}

# Sets `chosen` to the newest Python as uv has it, which it gets unless only asked; to nothing where there is no uv.
choose_with_uv() {
    local command
    chosen=""
    type -P uv >/dev/null || return 0
    if [[ $which == no ]]; then
        echo "$venv: no suitable Python here; uv gets Python $newest ..."
        uv python install "$newest" >&2 || fail "uv could not get Python $newest (see above). $(ways_out)"
    fi
    # Only its own: what else there is has been looked at.
    command=$(UV_PYTHON_PREFERENCE=only-managed uv python find "$newest" 2>/dev/null) || return 0
    chosen=$(probe "$command")
}

ways_out() {
    local which_run="on Python ${tf2_versions// /, } ($(tensorflow 2))" example=$newest
    if [[ -n $tf1_versions ]]; then
        which_run="on Python ${tf1_versions// /, } ($(tensorflow 1), the reference) and $which_run"
        example=${tf1_versions%% *}
    fi
    printf %s "The project runs $which_run; for others there is no such TensorFlow. Ways to get one:
  uv                pip3 install uv          (or as https://docs.astral.sh/uv says; 'make setup' gets Python $newest with it)
  pyenv             pyenv install $example        (any of the above)
  conda             conda create -n bert-cnn python=$example && conda activate bert-cnn
  Debian, Ubuntu    apt-get install python3 python3-venv        (Debian 12, Ubuntu 22.04 and later)
Then run 'make setup' again; it finds them by itself. 'make setup PYTHON=/path/to/python$newest' names one."
}

# Sets `chosen` ("VERSION PATH") and `reason`, or fails with the ways out.
choose() {
    if [[ -n ${PYTHON:-} ]]; then
        choose_named "$PYTHON"
        reason="as asked for with PYTHON=$PYTHON"
        if [[ -z $(runtime_of "${chosen%% *}") ]]; then
            fail "PYTHON=$PYTHON is Python ${chosen%% *}, which cannot be used. $(ways_out)"
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
        if [[ $only != tf2 && -n $tf1_versions ]]; then
            reason="no Python ${tf1_versions// /, } for $(tensorflow 1) here; $reason"
        fi
        if [[ -n $chosen ]]; then return; fi
        choose_with_uv
        reason="uv's"
        if [[ -n $chosen ]]; then return; fi
    fi
    fail "no suitable Python was found on PATH or in $pyenv_versions.$unsuitable $(ways_out)"
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
 space (3 GB), then run the same command again. All of pip's output: $venv/pip.log"
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
        # Only a virtual environment is ever removed, not what somebody else keeps in a folder of that name.
        if [[ -e $venv && ! -f $venv/pyvenv.cfg && ! -x $venv/bin/python && -n $(compgen -G "$venv/*" || compgen -G "$venv/.[!.]*") ]]
        then
            fail "$venv is there and is no virtual environment; choose another folder with --venv DIR, or move it away"
        fi
        rm -rf "$venv"
        "$python" -m venv "$venv"
    fi
    rm -f "$(stamp)"
    echo "$venv: installing $runtime and what goes with it (a minute or two, up to 2 GB) ..."
    run_pip "$requirements"
    check_import
    wanted >"$(stamp)"
    echo "$venv: ready after $((SECONDS - began)) s"
}

main() {
    dev=no venv=.venv only="" which=no existing=""
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    while [[ $# -gt 0 ]]; do
        case $1 in
            --dev) dev=yes ;;
            --which) which=yes ;;
            --venv)
                if [[ -z ${2:-} ]]; then fail "--venv needs a folder" 2; fi
                venv=$2
                shift ;;
            --only)
                case ${2:-} in
                    tf1 | tf2) only=$2 ;;
                    *) fail "--only ${2:-}: choose tf1 ($(tensorflow 1), the reference) or tf2 ($(tensorflow 2))" 2 ;;
                esac
                shift ;;
            *) fail "unknown option $1; see the head of tools/setup.sh" 2 ;;
        esac
        shift
    done
    if [[ $which == no && -z ${PYTHON:-} && -x $venv/bin/python ]]; then
        if is_complete; then return; fi
        # The Python chosen when it was made stays, also where that was done with PYTHON=.
        existing=$(probe "$venv/bin/python")
    fi
    # One that an earlier version of the project ran on may have no TensorFlow any more.
    if [[ -n $existing && -x ${existing#* } && -n $(runtime_of "${existing%% *}") ]]; then
        chosen=$existing reason="as before (make setup PYTHON=... changes it)"
    else
        choose
    fi
    if [[ $which == yes ]]; then echo "$chosen"; return; fi
    if is_complete && [[ $(probe "$venv/bin/python") == "$chosen" ]]; then return; fi
    set_up
}

main "$@"
