#!/bin/sh
# Usage: openmm-versions.sh VERSION...
# For each version of OpenMM (such as 8.4 8.6): an environment with it, the wheels of openmm-flow and of its training built
# against it and installed, a flow trained and an ensemble sampled, from outside of the source tree. Without a compiler cache it takes
# minutes a version, so it is no part of `make test`.
set -e
source=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for version in "$@"; do
    venv=$work/venv-$version
    "$python" -m venv "$venv"
    grep -v '^openmm==' "$source/requirements/build.txt" >"$work/build.txt"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "openmm==$version.*" -r "$work/build.txt" \
        'scikit-build-core==1.1.*'
    (cd "$source" && "$venv/bin/pip" install --quiet --disable-pip-version-check --no-build-isolation \
        --config-settings=build-dir="$work/build-$version" .)
    # Torch as in devtools/environment.sh: without the CUDA libraries that it declares, and so the wheel without Torch.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$source/requirements/training.txt"
    (cd "$source" && "$venv/bin/pip" install --quiet --disable-pip-version-check --no-build-isolation --no-deps \
        --config-settings=build-dir="$work/build-training-$version" ./training)
    (cd "$work" && PATH="$venv/bin:$PATH" "$venv/bin/python" "$source/tests/packaging/check_installed.py" "$version")
done
