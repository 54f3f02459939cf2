"""Namespaces, devices, processes and a folder that belong to one run and go with it.

Names begin with "hg" and the process id of the owner, so two runs never collide. A run that was killed
leaves its folder in FOLDERS behind; the next one finds it, sees that its owner is dead, and cleans up.
A process is known by its id and the time it started, so a reused id is never mistaken for ours.
"""
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import time

from lab.burn import remove_groups

PR_SET_CHILD_SUBREAPER = 36
FOLDERS = "/run/headgate-lab"
# In front of a command: the kernel ends it when its owner ends, however that happens.
DIE_WITH_OWNER = ["setpriv", "--pdeathsig", "TERM"]


class LabError(Exception):
    """Something that the person at the terminal should read as one sentence."""


class LabTimeout(LabError):
    """What was waited for did not come."""


def until(condition, seconds, what):
    """Waits for condition() to be true and returns its value; LabTimeout after the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabTimeout(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.02)


def started_at(pid):
    """When a process started, in ticks since boot; None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return None if fields[0] == "Z" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None


class Adopted:
    """A process that one of ours started and left to us, with what is needed of subprocess.Popen."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None
        self.start_ticks = started_at(pid)

    def poll(self):
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # its parent still lives, or nobody left it to us
                if started_at(self.pid) != self.start_ticks:
                    self.returncode = -1
            else:
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.01)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def prefer_session(pid, nice):
    """Where the kernel divides processors by session first, a nice value counts only inside one."""
    try:
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as group:
            group.write(str(nice))
    except OSError:
        pass  # a kernel that does not


def ip(*args, netns=None, check=True):
    """Runs ip(8) apart from the terminal, so that Ctrl-C never hits it half way."""
    command = ["ip"] + (["-n", netns] if netns else []) + list(args)
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          start_new_session=True)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip() or 'failed'}")
    return done.stdout


def _remove_traces(prefix):
    """Deletes every namespace, device and control group whose name begins so."""
    remove_groups(prefix)
    for line in ip("netns", "list", check=False).splitlines():
        name = line.split()[0] if line else ""
        if name.startswith(prefix):
            ip("netns", "delete", name, check=False)
    for name in os.listdir("/sys/class/net"):
        if name.startswith(prefix):
            ip("link", "delete", name, check=False)


def _end(pid, start, patience=5.0):
    """Asks a process to end, then makes it; only if it is still the one that we started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if started_at(pid) != start or start is None:
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        end = time.monotonic() + patience
        while started_at(pid) == start and time.monotonic() < end:
            time.sleep(0.02)


def _end_orphans():
    """What processes of ours had started and left behind; see PR_SET_CHILD_SUBREAPER."""
    with open("/proc/thread-self/children", encoding="ascii") as children:
        for pid in children.read().split():
            _end(int(pid), started_at(int(pid)), patience=0.5)
            try:
                os.waitpid(int(pid), os.WNOHANG)
            except ChildProcessError:
                pass


def _read_ids(path):
    try:
        with open(path, encoding="utf-8") as lines:
            return [tuple(int(word) for word in line.split()) for line in lines if line.strip()]
    except (OSError, ValueError):
        return []


@contextlib.contextmanager
def _folders_locked():
    """While one run looks for leftovers none begins: a folder without an owner is one."""
    os.makedirs(FOLDERS, mode=0o755, exist_ok=True)
    with open(os.path.join(FOLDERS, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def clean_leftovers():
    """Removes what runs whose owner is dead left behind. Returns how many there were."""
    count = 0
    with _folders_locked():
        for name in os.listdir(FOLDERS):
            folder = os.path.join(FOLDERS, name)
            if not name.isdigit():
                continue
            owner = _read_ids(os.path.join(folder, "owner"))
            if owner and started_at(owner[0][0]) == owner[0][1]:
                continue
            for pid, start in reversed(_read_ids(os.path.join(folder, "pids"))):
                _end(pid, start)
            _remove_traces(f"hg{name}-")
            shutil.rmtree(folder, ignore_errors=True)
            count += 1
    return count


class World:
    """Use as a context manager; everything made through it is gone afterwards."""

    def __init__(self):
        if os.geteuid() != 0:
            raise LabError("needs root: it makes network namespaces and TAP devices")
        if not os.path.exists("/dev/net/tun"):
            raise LabError("needs /dev/net/tun (the kernel's tun driver)")
        clean_leftovers()
        # Who is left behind by a process of ours is ours to wait for.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.prefix = f"hg{os.getpid()}-"
        self.folder = os.path.join(FOLDERS, str(os.getpid()))
        self.children = []
        with _folders_locked():
            os.makedirs(self.folder, mode=0o755)
            with open(self.path("owner"), "w", encoding="utf-8") as owner:
                owner.write(f"{os.getpid()} {started_at(os.getpid())}\n")

    def __enter__(self):
        return self

    def __exit__(self, *what):
        # While this goes on nothing may interrupt; a second Ctrl-C changes nothing.
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
        try:
            for child in reversed(self.children):
                self.end(child)
            _end_orphans()
            _remove_traces(self.prefix)
            shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            for number, handler in zip(numbers, before):
                signal.signal(number, handler)

    def path(self, name):
        return os.path.join(self.folder, name)

    def name(self, short):
        """A name for a namespace or a device: at most five letters, for an interface has 15."""
        return self.prefix + short

    def netns(self, short):
        """Makes a namespace whose loopback is up and returns its name."""
        name = self.name(short)
        ip("netns", "add", name)
        ip("link", "set", "lo", "up", netns=name)
        return name

    def address(self, netns, device, address):
        """Waits for the device to appear in the namespace, gives it an address, brings it up."""
        until(lambda: ip("-o", "link", "show", "dev", device, netns=netns, check=False), 10,
              f"{device} in namespace {netns}")
        ip("address", "replace", address, "dev", device, netns=netns)
        ip("link", "set", device, "up", netns=netns)

    def start(self, command, netns=None, nice=0, **options):
        """Starts a process that ends with us at the latest. From the main thread only: the kernel ties
        a child's life to the thread that started it."""
        if nice:
            command = ["nice", "-n", str(nice)] + command
        if netns:  # not by `ip netns exec`, which mounts another /sys, without control groups
            command = ["nsenter", f"--net=/run/netns/{netns}"] + command
        child = subprocess.Popen(DIE_WITH_OWNER + command, start_new_session=True,
                                 stdin=subprocess.DEVNULL, **options)
        if nice:
            prefer_session(child.pid, nice)
        child.start_ticks = started_at(child.pid)
        self.children.append(child)
        with open(self.path("pids"), "a", encoding="utf-8") as pids:
            pids.write(f"{child.pid} {child.start_ticks}\n")
        return child

    def adopt(self, pid):
        """A process that one of ours started: it goes with the world, too."""
        child = Adopted(pid)
        self.children.append(child)
        with open(self.path("pids"), "a", encoding="utf-8") as pids:
            pids.write(f"{child.pid} {child.start_ticks}\n")
        return child

    def end(self, child, patience=5.0):
        """Ends one of our processes and waits for it. Returns its exit code."""
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(patience)
            except subprocess.TimeoutExpired:
                child.kill()
        return child.wait()
