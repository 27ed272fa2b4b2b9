#!/bin/sh
# Usage: environment.sh FOLDER REQUIREMENTS...
# Makes a virtual environment and installs requirements/NAME.txt for each NAME. What is already there is kept.
set -e
folder=$1
shift
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "openmm-flow needs Python 3.11 or later: run make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
for name in "$@"; do
    requirements=requirements/$name.txt
    if ! cmp -s "$requirements" "$folder/$name.installed"; then
        # torch without its dependencies: of the CUDA libraries that it declares, two are enough to link and run it.
        no_deps=$(grep -q '^# pip: --no-deps' "$requirements" && echo --no-deps || true)
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check $no_deps -r "$requirements"
        cp "$requirements" "$folder/$name.installed"
    fi
done
