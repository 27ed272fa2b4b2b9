#!/bin/sh
# Usage: prefix.sh PYTHON BUILD
# Installs what is built in BUILD into a prefix laid out as conda's (or as OpenMM's own `make install` makes it): include/,
# lib/, lib/plugins, and the package openmm in lib/pythonX.Y/site-packages. There the plugins must be found too.
set -e
python=$1
build=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT

site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
"$python" -m venv --without-pip "$prefix"
there=$("$prefix/bin/python" -W error::UserWarning -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
# OpenMM's package and libraries as conda lays them out; everything else as it is.
for item in "$site"/*; do
    case $(basename "$item") in
        openmm | OpenMM.libs | openmmflow | openmm_flow*) ;;
        *) ln -s "$item" "$there" ;;
    esac
done
cp -r "$site/openmm" "$there"
cp -r "$site/OpenMM.libs/include" "$site/OpenMM.libs/lib" "$prefix"
find "$prefix/lib" -name 'libOpenMMFlow*' -delete

# The extension of the wheel's openmm looks in OpenMM.libs/lib; conda's finds its libraries by RPATH.
export LD_LIBRARY_PATH="$prefix/lib"
export OPENMM_PLUGIN_DIR="$prefix/lib/plugins"
cmake -S "$source" -B "$prefix/configured" -DPython_EXECUTABLE="$prefix/bin/python" -DOPENMM_DIR="$prefix" \
    -DOPENMMFLOW_BUILD_TESTS=OFF -DOPENMMFLOW_BUILD_PYTHON=OFF >/dev/null
grep -q "^OpenMM_LIBRARY:FILEPATH=$prefix/lib/libOpenMM.so" "$prefix/configured/CMakeCache.txt"
grep -q "^CMAKE_INSTALL_PREFIX:PATH=$prefix\$" "$prefix/configured/CMakeCache.txt"
cmake --install "$build" --prefix "$prefix" >/dev/null
cmake --install "$build" --prefix "$there" --component python >/dev/null
cd "$prefix"
"$prefix/bin/python" -W error::UserWarning -c '
import openmmflow
from openmmflow.plugins import platforms
assert openmmflow.openmmflow.getLibraryFolder().startswith("'"$prefix"'"), openmmflow.openmmflow.getLibraryFolder()
import openmm
failures = [failure for failure in openmm.Platform.getPluginLoadFailures() if "OpenMMFlow" in failure]
assert {"Reference", "CPU"} <= set(platforms()) and not failures, failures
'
