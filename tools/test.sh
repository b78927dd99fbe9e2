#!/usr/bin/env bash
# Runs the tests in .venv and, where there is a Python for it, in a second one with the other TensorFlow.
#
#   tools/test.sh [PYTEST ARGUMENTS]
#
# Ends with pytest's closing line of each run. Exit status 0 only if every run passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

declare -r tf1="TensorFlow 1.14" tf2="TensorFlow 2.15"

version_in() {
    "$1/bin/python" -c 'import platform; print("Python " + platform.python_version())'
}

bash tools/setup.sh --dev
unset PYTHON  # it chose .venv; the second environment finds its own

runtime=$tf2 other=$tf1 only=tf1 other_pythons="3.7 or 3.6"
if .venv/bin/python -c 'import sys; sys.exit(sys.version_info >= (3, 8))'; then
    runtime=$tf1 other=$tf2 only=tf2 other_pythons="3.11, 3.10 or 3.9"
fi

environments=(.venv)
names=("$(version_in .venv), $runtime")
missing="Tested on one runtime only: there is no Python $other_pythons here for $other."
if bash tools/setup.sh --which --only $only >/dev/null 2>&1; then
    bash tools/setup.sh --dev --only $only --venv .venv-$only
    environments+=(.venv-$only)
    names+=("$(version_in .venv-$only), $other")
    missing=""
fi

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
closing_lines=""
for i in "${!environments[@]}"; do
    printf '\n==> %s\n' "${names[$i]}"
    # tests/test_runtimes.py runs each TensorFlow's models on the other one.
    if ((${#environments[@]} == 2)); then export OTHER_PYTHON=$PWD/${environments[$((1 - i))]}/bin/python; fi
    "${environments[$i]}/bin/python" -m pytest "$@" </dev/null 2>&1 | tee "$output" || status=1
    closing_lines+="${names[$i]}: $(tail -n 1 "$output")"$'\n'
done

printf '\n'
if [[ -n $missing ]]; then printf '%s\n' "$missing"; fi
printf '%s' "$closing_lines"
exit $status
