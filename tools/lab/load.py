"""Tenants that use the network: hgload, its figures read as they come."""
import json
import os
import queue
import signal
import subprocess
import threading

from lab.daemon import BUILD
from lab.world import LabError, until

HGLOAD = os.path.join(BUILD, "tools", "load", "hgload")


class Figures:
    """What one hgload says, wherever it runs. `seconds` holds its figures of each second so far, `total` those of
    the whole. Who runs it calls take() with each line, and has code(), error(), end() and go()."""

    def __init__(self, mode):
        self.mode, self.seconds, self.total = mode, [], None
        self.is_listening = self.is_ready = False
        self.n_totals = 0

    def take(self, line):
        figures = json.loads(line)
        if figures.get("listening"):
            self.is_listening = True
        elif figures.get("ready"):
            self.is_ready = True
        elif figures.get("total"):
            self.total = figures
            self.n_totals += 1
        else:
            self.seconds.append(figures)

    def check(self):
        """LabError if it ended badly."""
        if self.code() not in (None, 0):
            raise LabError(f"{self.mode} load ended with {self.code()}: {self.error()}")

    def wait_until(self, is_so, seconds, what):
        """Until it said so; LabError if it ends badly before."""
        def is_said():
            self.check()
            return is_so()
        until(is_said, seconds, what)
        return self

    def wait_listening(self):
        return self.wait_until(lambda: self.is_listening, 10, f"{self.mode} to listen")

    def wait_ready(self):
        """Of one that is told when (--slice-ms): connected, and waiting for the word."""
        return self.wait_until(lambda: self.is_ready, 30, f"{self.mode} to be ready")

    def slice(self, seconds):
        """Has it work for one slice and returns the total of that."""
        n_before = self.n_totals
        self.go()
        return self.wait_until(lambda: self.n_totals > n_before, seconds, f"a slice of the {self.mode} load").total

    def last(self):
        """The figures of the last second; empty before the first."""
        return self.seconds[-1] if self.seconds else {}

    def finish(self, seconds=10):
        """Ends it and returns its total."""
        if self.code() is None:
            self.end()
        return self.wait(seconds)

    def wait(self, seconds):
        """Waits until its time is over and returns its total."""
        until(lambda: self.code() is not None, seconds, f"{self.mode} load to end")
        self.check()
        return until(lambda: self.total, 5, f"the total of the {self.mode} load")


class Load(Figures):
    """One hgload in a namespace."""

    def __init__(self, world, netns, mode, address, *options):
        super().__init__(mode)
        self.world = world
        self.errors = queue.SimpleQueue()
        self.process = world.start([HGLOAD, mode, address, *(str(o) for o in options)], netns,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.take(line)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.put(line.strip())

    def code(self):
        return self.process.poll()

    def error(self):
        return "" if self.errors.empty() else self.errors.get()

    def end(self):
        self.process.terminate()

    def go(self):
        self.process.send_signal(signal.SIGUSR1)
