"""A host whose first process is systemd, with the unit of packaging/ and what was built: in namespaces of its own."""
import os
import re
import shutil
import signal
import subprocess

from smoke import HERE, LabError, Skip, until
from lab.daemon import BUILD, Daemon

SYSTEMD = "/lib/systemd/systemd"
UNITS = "/usr/lib/systemd/system"
# Those that the unit is ordered by or needs. None that looks at the machine's devices, or sets its clock.
NEEDED = ["sysinit.target", "basic.target", "network-pre.target", "network.target", "sockets.target", "timers.target",
          "paths.target", "slices.target", "local-fs.target", "local-fs-pre.target", "swap.target", "shutdown.target",
          "umount.target", "final.target", "multi-user.target", "systemd-journald.service", "systemd-journald.socket",
          "systemd-journald-dev-log.socket"]
OF_MACHINE = ["ld.so.cache", "passwd", "group", "nsswitch.conf"]
PLACE = "/opt/headgate"


class Manager:
    """Starts it, and ends it with the world."""

    def __init__(self, world, config, change=lambda unit: unit):
        """change: of the text of the unit."""
        if not os.path.exists(SYSTEMD) or not os.path.exists(f"{UNITS}/systemd-journald.service"):
            raise Skip("needs systemd")
        self.world, self.root, self.name = world, world.path("root"), world.name("unit")
        self.make_root(change)
        self.configure(config)
        log = open(world.path("systemd.log"), "w", encoding="utf-8")
        self.process = world.start(["unshare", "--mount", f"{HERE}/manager.sh", self.root, self.name],
                                   stdout=log, stderr=subprocess.STDOUT)
        until(lambda: self.find_first() or self.process.poll() is not None, 10, "systemd to start")
        if self.process.poll() is not None:
            with open(world.path("systemd.log"), encoding="utf-8") as said:
                raise Skip(f"systemd does not start here: {said.read().strip()}")
        until(lambda: self.run("systemctl", "is-system-running", check=False)[1].strip() in ("running", "degraded"), 20,
              "systemd to be up")
        self.daemon = Daemon(world)
        self.daemon.socket = f"/proc/{self.first}/root/run/headgate/headgated.sock"

    def make_root(self, change):
        for folder in ("etc/systemd/system", "etc/headgate", "units", PLACE[1:]):
            os.makedirs(f"{self.root}/{folder}")
        for name in NEEDED:
            if os.path.exists(f"{UNITS}/{name}"):
                shutil.copy(f"{UNITS}/{name}", f"{self.root}/units")
        for name in OF_MACHINE:
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", f"{self.root}/etc")
        for program in ("apps/headgated", "apps/headgate", "tests/guest/guest_pair"):
            shutil.copy(os.path.join(BUILD, program), self.root + PLACE)
        with open(f"{self.root}/etc/systemd/system/default.target", "w", encoding="ascii") as target:
            target.write("[Unit]\nRequires=multi-user.target systemd-journald.service\nAfter=multi-user.target\n")
        # Without one it is the first start of this machine, at which systemd enables all units.
        with open(f"{self.root}/etc/machine-id", "w", encoding="ascii") as machine_id:
            machine_id.write(f"{1:032x}\n")
        with open(os.path.join(BUILD, "packaging", "headgated.service"), encoding="utf-8") as unit:
            text = re.sub(r"=\S*/(headgated?) ", rf"={PLACE}/\1 ", unit.read())
        with open(f"{self.root}/etc/systemd/system/headgated.service", "w", encoding="utf-8") as unit:
            unit.write(change(text))

    def configure(self, text):
        with open(f"{self.root}/etc/headgate/headgated.yaml", "w", encoding="utf-8") as config:
            config.write(text)

    def find_first(self):
        """The process that has become systemd."""
        def children(pid):
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                return [int(word) for word in file.read().split()]

        def search(pid):
            try:
                if os.readlink(f"/proc/{pid}/exe").endswith("/systemd"):
                    return pid
                return next(filter(None, map(search, children(pid))), None)
            except OSError:
                return None
        self.first = search(self.process.pid)
        return self.first

    def command(self, *words):
        return ["nsenter", "-t", str(self.first), "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w", "env", "-i",
                f"PATH={PLACE}:/usr/sbin:/usr/bin", *words]

    def run(self, *words, check=True):
        """Returns (its exit code, all that it said)."""
        done = subprocess.run(self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, timeout=60)
        if check and done.returncode != 0:
            raise LabError(f"{' '.join(words)}: {done.stdout.strip()}\n{self.log()}")
        return done.returncode, done.stdout

    def show(self, name):
        return self.run("systemctl", "show", "headgated", "--value", "-p", name)[1].strip()

    def log(self):
        return self.run("journalctl", "-u", "headgated", "-o", "cat", "--no-pager", check=False)[1]

    def end(self):
        """Its control groups go when nobody is in them any more."""
        os.kill(self.first, signal.SIGKILL)
        self.process.wait(timeout=20)
        script = ('mount -t cgroup2 none "$1" && cd "$1" && '
                  'find "$2" -depth -type d -exec rmdir {} + 2>/dev/null; [ ! -d "$2" ]')
        os.makedirs(f"{self.root}/sys/fs/cgroup", exist_ok=True)
        until(lambda: subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", f"{self.root}/sys/fs/cgroup", self.name],
                                     check=False).returncode == 0, 10, "its control groups to go")
