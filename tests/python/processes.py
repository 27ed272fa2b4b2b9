"""Programs that tests start and stop."""

import time


def largest_file(paths):
    """The size in bytes of the largest of files that may vanish while they are looked at."""
    sizes = [0]
    for path in paths:
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return max(sizes)


def wait_until_written(process, paths):
    """Wait until one of the files that `paths()` lists has more than 100 kB; fail if the process ends before."""
    while largest_file(paths()) <= 10**5:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
