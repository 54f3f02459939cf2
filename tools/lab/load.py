"""Tenants that use the network: hgload in a namespace, its figures read as they come."""
import json
import os
import queue
import subprocess
import threading

from lab.daemon import BUILD
from lab.world import LabError, until

HGLOAD = os.path.join(BUILD, "tools", "load", "hgload")


class Load:
    """One hgload. `seconds` holds its figures of each second so far, `total` those of the whole."""

    def __init__(self, world, netns, mode, address, *options):
        self.mode, self.seconds, self.total = mode, [], None
        self.world = world
        self.errors = queue.SimpleQueue()
        self.is_listening = False
        self.process = world.start([HGLOAD, mode, address, *(str(o) for o in options)], netns,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            figures = json.loads(line)
            if figures.get("listening"):
                self.is_listening = True
            elif figures.get("total"):
                self.total = figures
            else:
                self.seconds.append(figures)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.put(line.strip())

    def check(self):
        """LabError if it ended badly."""
        if self.process.poll() not in (None, 0):
            text = "" if self.errors.empty() else self.errors.get()
            raise LabError(f"{self.mode} load ended with {self.process.returncode}: {text}")

    def wait_listening(self):
        def listens():
            self.check()
            return self.is_listening
        until(listens, 10, f"{self.mode} to listen")
        return self

    def last(self):
        """The figures of the last second; empty before the first."""
        return self.seconds[-1] if self.seconds else {}

    def finish(self, seconds=10):
        """Ends it and returns its total."""
        if self.process.poll() is None:
            self.process.terminate()
        until(lambda: self.process.poll() is not None, seconds, f"{self.mode} load to end")
        self.check()
        return until(lambda: self.total, seconds, f"the total of the {self.mode} load")

    def wait(self, seconds):
        """Waits until its time is over and returns its total."""
        until(lambda: self.process.poll() is not None, seconds, f"{self.mode} load to end")
        self.check()
        return until(lambda: self.total, 5, f"the total of the {self.mode} load")
