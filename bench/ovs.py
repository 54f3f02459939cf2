"""OVS with DPDK beside whatever the machine runs: its own database, sockets and folders, ended by process id."""
import os
import shlex
import subprocess
import sys

import harness

SWITCH = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
HUGE_PAGES = "/proc/sys/vm/nr_hugepages"
# Its first port tries buffers for 788 MiB, and half as many if they do not fit; a guest that connects to another port while it
# tries finds no memory for its device, and is sent away: with 512 MiB often, as its log says.
MEMORY_MIB = 1024
PAGES = MEMORY_MIB // 2  # huge pages that one takes
LAST_LINES = 8


class HugePages:
    """Use as a context manager: so many more pages of 2 MiB than there were, and given back afterwards."""

    def __init__(self, n_pages):
        self.n_pages = n_pages

    @staticmethod
    def add(n_pages):
        total = int(harness.read(HUGE_PAGES, "0")) + n_pages
        with open(HUGE_PAGES, "w", encoding="ascii") as file:
            file.write(str(max(total, 0)))
        return int(harness.read(HUGE_PAGES)) >= total

    def __enter__(self):
        if not self.add(self.n_pages):
            self.add(-self.n_pages)
            raise harness.Failure(f"the kernel has no {self.n_pages} huge pages of 2 MiB to give")

    def __exit__(self, *what):
        self.add(-self.n_pages)


def vhost_client(path):
    """Of a port whose guest listens there."""
    return ["type=dpdkvhostuserclient", f"options:vhost-server-path={path}"]


class Ovs:
    """A bridge. ports: {name: what ovs-vsctl sets of the interface}; settings: of the switch; netns: where it runs and
    where its ports' devices are; main_cpu: of the thread that polls what is no device of DPDK. Its packet threads have
    the last processor. name: of one of several."""

    def __init__(self, world, ports, settings=(), netns=None, main_cpu=0, name="ovs"):
        self.world, self.folder, self.netns, self.name = world, world.path(name), netns, name
        os.mkdir(self.folder)
        self.switch = None
        self.environment = dict(os.environ, OVS_RUNDIR=self.folder, OVS_LOGDIR=self.folder, OVS_DBDIR=self.folder)
        if not os.path.exists(SWITCH):
            raise harness.Failure("openvswitch-switch-dpdk is not installed")
        database, socket = self.path("conf.db"), self.path("db.sock")
        self.run("ovsdb-tool", "create", database, "/usr/share/openvswitch/vswitch.ovsschema")
        self.start(["ovsdb-server", database, f"--remote=punix:{socket}", "--unixctl=" + self.path("db.ctl")])
        self.socket = f"unix:{socket}"
        sys.modules["lab.world"].until(lambda: os.path.exists(socket), 10, "ovsdb-server")
        last_cpu = (os.cpu_count() or 1) - 1
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   f"other_config:dpdk-lcore-mask={1 << main_cpu:#x}",
                   f"other_config:pmd-cpu-mask={1 << last_cpu:#x}",
                   f"other_config:dpdk-socket-mem={MEMORY_MIB}",
                   # Or its first port takes every page there is, and a second OVS does not start.
                   f"other_config:dpdk-socket-limit={MEMORY_MIB}",
                   "other_config:dpdk-extra=--in-memory --no-pci --no-telemetry",
                   *(f"other_config:{setting}" for setting in settings))
        self.switch = self.start([SWITCH, self.socket, "--unixctl=" + self.path("switch.ctl")])
        self.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for port, words in ports.items():
            self.vsctl("add-port", "br0", port, "--", "set", "Interface", port, *words)

    def path(self, name):
        return os.path.join(self.folder, name)

    def told(self, words):
        harness.say(self.name, "$ " + shlex.join(words).replace(self.folder, "FOLDER"))
        return words

    def start(self, words):
        with open(self.path(os.path.basename(words[0]) + ".log"), "w", encoding="utf-8") as log:
            # With headgated's niceness.
            return self.world.start(self.told(words), self.netns, sys.modules["lab.daemon"].NICE, stdout=log,
                                    stderr=subprocess.STDOUT, env=self.environment)

    def run(self, *words):
        done = subprocess.run(self.told(list(words)), env=self.environment, capture_output=True, text=True,
                              check=False, timeout=60)
        if done.returncode != 0:
            raise harness.Failure(f"{shlex.join(words)}: {done.stderr.strip()}{self.last_words()}")
        return done.stdout

    def last_words(self):
        """What the switch said of itself: ovs-vsctl waits for one that has ended, and knows no more than that it waited."""
        if self.switch is None:
            return ""
        ended = "" if self.switch.poll() is None else " (it has ended)"
        lines = harness.read(self.path(os.path.basename(SWITCH) + ".log"), "").splitlines()
        return f"; the switch said{ended}: " + " / ".join(lines[-LAST_LINES:])

    def vsctl(self, *words):
        self.run("ovs-vsctl", f"--db={self.socket}", "--timeout=40", *words)
