"""What a guest of the lab boots: Debian's cloud kernel, and an initramfs of a few programs and one script.

The kernel comes from its Debian package by apt-get download and dpkg -x, into a folder of its own: nothing is
installed. What is needed of it stays there, so that only the first run needs the network.
"""
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile

from lab.world import LabError

CACHE = os.environ.get("HEADGATE_CACHE", "/var/cache/headgate-lab")
PACKAGE = "linux-image-cloud-amd64"  # depends on the newest one
# Each needs symbols of those before it; in Debian's cloud kernel even virtio's core is a module.
MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "failover",
           "net_failover", "virtio_net")
BUSYBOX = "/bin/busybox"

INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in %(modules)s; do
	insmod /modules/$module.ko
done
ip link set lo up
stty -F /dev/ttyS1 raw -echo
sh /agent /run </dev/ttyS1 >/dev/ttyS1
"""

# Serves a line: AGENT FOLDER. "ID COMMAND..." starts a command; "ID" alone ends it, "ID !" sends it SIGUSR1. Back come "ID >COMMAND" as it was
# understood, "ID =TEXT" for each line that it prints, and "ID .CODE" when it has ended.
# busybox's read begins anew when a child ends in the middle of a line, and forgets what it had of it. So whoever reads
# here has no child while it reads: a command's parent hands it to init and ends, and that is waited for.
AGENT = r"""
set -f -o pipefail
echo "0 =up"
while read -r id command; do
	echo "$id >$command"
	if [ -z "$command" ]; then
		while [ -e $1/$id ] && [ ! -s $1/$id ]; do usleep 1000; done
		kill "$(cat $1/$id)"
		continue
	fi
	if [ "$command" = ! ]; then
		read -r pid <$1/$id && kill -USR1 $pid
		continue
	fi
	: >$1/$id
	( {
		sh -c 'echo $$ >$0; exec "$@"' $1/$id $command </dev/null 2>&1 |
			while read -r text; do echo "$id =$text"; done
		echo "$id .$?"
	} & )
done
"""


class Image:
    """Paths of a kernel and an initramfs. programs: of this machine, with the libraries they load."""

    def __init__(self, world, programs=()):
        folder = cached_kernel()
        self.kernel = os.path.join(folder, "vmlinuz")
        self.initramfs = world.path("initramfs")
        if not os.path.exists(BUSYBOX):
            raise LabError(f"{BUSYBOX} is missing: tools/setup.sh vms")
        archive = Archive(self.initramfs)
        for name in ("bin", "dev", "proc", "sys", "run", "tmp", "modules"):
            archive.folder(name)
        for module in MODULES:
            archive.add(f"modules/{module}.ko", os.path.join(folder, f"{module}.ko"))
        for program in (BUSYBOX, *programs):
            archive.add(f"bin/{os.path.basename(program)}", program)
            for library in libraries(program):
                archive.add(library.lstrip("/"), library)
        archive.write("init", (INIT % {"modules": " ".join(MODULES)}).encode(), 0o755)
        archive.write("agent", AGENT.encode())
        archive.close()


def libraries(program):
    """What the loader takes for a program, itself included."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    words = (line.split() for line in done.stdout.splitlines())
    return [next(word for word in line if word.startswith("/")) for line in words
            if any(word.startswith("/") for word in line)]


class Archive:
    """A cpio archive as the kernel reads it ("newc"), with folders made as they are needed."""

    def __init__(self, path):
        self.file, self.number, self.known = open(path, "wb"), 0, set()

    def _entry(self, name, mode, data=b""):
        self.number += 1
        # inode, mode, user, group, links, time, size, device twice, device of a node twice, length of name, checksum
        fields = (self.number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        for part in (head, data):
            self.file.write(part + b"\0" * (-len(part) % 4))

    def folder(self, name):
        if name and name not in self.known:
            self.folder(os.path.dirname(name))
            self.known.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def write(self, name, data, mode=0o644):
        if name not in self.known:
            self.folder(os.path.dirname(name))
            self.known.add(name)
            self._entry(name, stat.S_IFREG | mode, data)

    def add(self, name, path):
        with open(path, "rb") as source:
            self.write(name, source.read(), 0o755)

    def close(self):
        self._entry("TRAILER!!!", 0)
        self.file.close()


def cached_kernel():
    """The folder of a kernel and its modules, fetched if there is none yet."""
    os.makedirs(CACHE, mode=0o755, exist_ok=True)
    with open(os.path.join(CACHE, ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = os.path.join(CACHE, PACKAGE)
        if not os.path.isdir(folder):
            print(f"fetching Debian's cloud kernel into {CACHE} (27 MB, once)", flush=True)
            fetch(folder)
        return folder


def fetch(folder):
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        package = newest_package(work)
        call(["apt-get", "download", "-q", package], work)
        file = next(name for name in os.listdir(work) if name.endswith(".deb"))
        call(["dpkg", "-x", file, "all"], work)
        keep(os.path.join(work, "all"), os.path.join(work, "kept"))
        os.rename(os.path.join(work, "kept"), folder)  # whole, or not at all


def newest_package(work):
    """The name of the package with the newest cloud kernel."""
    for is_last in (False, True):
        found = call(["apt-cache", "depends", PACKAGE], work, may_fail=not is_last)
        for line in found.splitlines():
            words = line.split()
            if words[:1] == ["Depends:"] and words[1].startswith("linux-image-"):
                return words[1]
        if not is_last:
            call(["apt-get", "update", "-q"], work)
    raise LabError(f"apt knows no {PACKAGE}: no cloud kernel for the guests")


def keep(source, target):
    os.mkdir(target, 0o755)
    boot = os.path.join(source, "boot")
    kernel = next(name for name in os.listdir(boot) if name.startswith("vmlinuz-"))
    shutil.copy(os.path.join(boot, kernel), os.path.join(target, "vmlinuz"))
    found = {name: os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(source, "lib"))
             for name in names}
    for module in MODULES:
        if f"{module}.ko" not in found:
            raise LabError(f"{kernel} has no {module}.ko as the lab knows it")
        shutil.copy(found[f"{module}.ko"], target)


def call(command, work, may_fail=False):
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False, start_new_session=True)
    if done.returncode != 0 and not may_fail:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:] or 'failed'}")
    return done.stdout
