#!/usr/bin/env bash
# Runs the tests in .venv and, where there is a Python for it, in a second one with the other TensorFlow.
#
#   tools/test.sh [PYTEST ARGUMENTS]
#
# Ends with pytest's closing line of each run. Exit status 0 only if every run passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

versions_in() {
    "$1/bin/python" -c '
from network.runtime import versions
print("Python {python}, TensorFlow {tensorflow}".format(**versions()))'
}

bash tools/setup.sh --dev
unset PYTHON  # it chose .venv; the second environment finds its own

only=tf1 other_pythons="3.7 or 3.6"
if .venv/bin/python -c 'import sys; sys.exit(sys.version_info >= (3, 8))'; then
    only=tf2 other_pythons="3.10 to 3.13"
fi

environments=(.venv)
names=("$(versions_in .venv)")
missing="Tested on one TensorFlow only: for the other one there is no Python $other_pythons here."
if bash tools/setup.sh --which --only $only >/dev/null 2>&1; then
    bash tools/setup.sh --dev --only $only --venv .venv-$only
    environments+=(.venv-$only)
    names+=("$(versions_in .venv-$only)")
    missing=""
fi

# Both at the same time, each in several processes. What the second prints comes after the first.
outputs=()
for i in "${!environments[@]}"; do outputs+=("$(mktemp)"); done
trap 'kill $(jobs -p) 2>/dev/null || true; rm -f "${outputs[@]}"' EXIT

run_tests() {
    # tests/training/test_runtimes.py runs each TensorFlow's models on the other one.
    local other=${environments[$((1 - $1))]:-}
    if [[ -n $other && $other != "${environments[$1]}" ]]; then export OTHER_PYTHON=$PWD/$other/bin/python; fi
    "${environments[$1]}/bin/python" -m pytest -n auto --maxprocesses 4 --dist loadfile "${@:2}" </dev/null 2>&1
}

if ((${#environments[@]} == 2)); then
    run_tests 1 "$@" >"${outputs[1]}" &
    second=$!
fi
status=0
closing_lines=""
for i in "${!environments[@]}"; do
    printf '\n==> %s\n' "${names[$i]}"
    if ((i == 0)); then
        run_tests 0 "$@" | tee "${outputs[0]}" || status=1
    else
        wait "$second" || status=1
        cat "${outputs[$i]}"
    fi
    closing_lines+="${names[$i]}: $(tail -n 1 "${outputs[$i]}")"$'\n'
done

printf '\n'
if [[ -n $missing ]]; then printf '%s\n' "$missing"; fi
printf '%s' "$closing_lines"
exit $status
