"""Signals that ask a long run to end, heard where nothing is half done."""

import signal
import threading


class StopSignals:
    """While it is entered, `received` says whether Ctrl-C, a queue's time limit or a closed terminal asked for the end.

    A second Ctrl-C interrupts at once.
    """

    def __init__(self):
        self.received = False

    def _receive(self, number, frame):
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = True

    def __enter__(self):
        # Python allows handlers in the main thread only.
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if threading.current_thread() is not threading.main_thread():
            numbers = ()
        self._before = {number: signal.signal(number, self._receive) for number in numbers}
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)
