#!/bin/sh
# Makes sure that the Debian packages named on the command line are installed. Root installs what is missing; any other
# user is told the one line to run. On a system without dpkg it does nothing: CMake says what it misses.
set -e
command -v dpkg-query >/dev/null || exit 0

missing=
for package in "$@"; do
    # The status also tells removed packages whose configuration stayed from installed ones.
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "Debian packages are missing. Run this, then make again:" >&2
    echo "    sudo apt-get install -y$missing" >&2
    exit 1
fi
echo "Installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
# The lists on a fresh machine may be empty or stale, so a failure is worth one update.
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
