"""A tenant that uses the processor too: a control group with a program in it that rests and works in turn.

Groups have names that begin with the world's prefix, so that what is left of a run that was killed is found."""
import glob
import os
import sys

VERSION_2 = "/sys/fs/cgroup"
VERSION_1 = (VERSION_2 + "/cpu", VERSION_2 + "/cpuacct")
REST_S, WORK_S = 5, 4
# Rests and works in turn, for ever.
PROGRAM = """
import os, sys, time
for folder in sys.argv[3:]:
    with open(os.path.join(folder, "cgroup.procs"), "w") as procs:
        procs.write(str(os.getpid()))
while True:
    time.sleep(float(sys.argv[1]))
    end = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        pass
"""


def hierarchies():
    """Where groups with the processor controller are made: one folder of version 2, or two of version 1."""
    try:
        with open(os.path.join(VERSION_2, "cgroup.controllers"), encoding="ascii") as controllers:
            return [VERSION_2] if "cpu" in controllers.read().split() else []
    except OSError:
        return [root for root in VERSION_1 if os.path.isdir(root)]


def remove_groups(prefix):
    """Those of a world that has ended; nobody is in them any more."""
    for root in hierarchies():
        for folder in glob.glob(os.path.join(root, glob.escape(prefix) + "*")):
            try:
                os.rmdir(folder)
            except OSError:
                pass  # somebody else's, or gone


class Burner:
    """The group is there from the start, with whatever it is owed; work() begins to use it."""

    def __init__(self, world):
        self.world, self.group = world, world.name("burn")
        self.folders = [os.path.join(root, self.group) for root in hierarchies()]
        for folder in self.folders:
            os.mkdir(folder)

    def work(self):
        self.world.start([sys.executable, "-c", PROGRAM, str(REST_S), str(WORK_S), *self.folders])
