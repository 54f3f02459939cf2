"""Virtual machines under a lab's control: QEMU guests whose network card is a vhost-user port.

A guest is started, told what to run, and read by its second serial port, one line at a time (see lab/image.py).
"""
import collections
import os
import socket
import subprocess
import threading
import time

from lab.load import HGLOAD, Figures
from lab.witness import explain
from lab.world import LabError, LabTimeout, until

QEMU = "qemu-system-x86_64"
MEMORY = "192M"
KVM_PATIENCE_S = 6  # a guest that has KVM is up in less than two
BOOT_PATIENCE_S = 90  # by emulation, on a machine that has other things to do
# By emulation, alone on its processor it is half of that. Who was slower to boot may be slower in all it does.
BOOT_USUAL_S = 5
N_HEARD = 12  # lines of a guest that are kept for whom it keeps waiting
# Emulation copies byte by byte where the guest believes that "rep movsb" is fast: TCP took three times as long.
EMULATED = ["-accel", "tcg,thread=multi", "-cpu", "max,erms=off,fsrm=off"]
# A guest's processor goes before whatever else the machine does, but not before headgated.
NICE = -5


class Command:
    """Something that runs, or ran, in a guest."""

    def __init__(self, guest, number, text):
        self.guest, self.number, self.text = guest, number, text
        self.lines, self.code = [], None
        self.is_taken = False  # the guest's agent has read it
        self.on_line = self.lines.append

    def end(self):
        if self.code is None:
            self.guest.send(str(self.number))

    def go(self):
        """Sends it SIGUSR1."""
        self.guest.send(f"{self.number} !")

    def wait(self, seconds=20):
        """Waits for its end and returns what it printed; LabError if it failed. seconds: of a guest that is not slow."""
        try:
            until(lambda: self.guest.check() or self.code is not None, seconds * self.guest.slowness,
                  f"{self.text} in guest {self.guest.name}")
        except LabTimeout as late:
            raise LabError(f"{late}: {explain(self.guest, self)}") from late
        if self.code != 0:
            raise LabError(f"guest {self.guest.name}: {self.text}: {' / '.join(self.lines[-3:])}")
        return self.lines


class Guest:
    """One QEMU. Its card's socket is `vhost_socket`: the guest's side listens, headgate connects."""

    def __init__(self, world, image, name, mac=None, has_kvm=False, queues=1, card_options="",
                 nice=NICE):
        self.world, self.name = world, name
        self.vhost_socket = world.path(f"{name}.vhost")
        self.is_up, self.slowness = False, 1
        self.trouble = None  # what is wrong with its line
        self.heard = collections.deque(maxlen=N_HEARD)  # (when, line)
        self.commands, self.n_commands = {}, 0
        self.console = world.path(f"{name}.console.log")
        self.monitor = world.path(f"{name}.monitor")
        self._path = world.path(f"{name}.line")
        self._line, self._began = None, time.monotonic()
        card = self._card(mac, has_kvm, queues, card_options) if mac else []
        with open(world.path(f"{name}.qemu.log"), "w", encoding="utf-8") as log:
            self.process = world.start(self._command(image, has_kvm) + card, nice=nice, stdout=log,
                                       stderr=subprocess.STDOUT)
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        until(lambda: self.check() or self._connects(), 20, f"QEMU of guest {name} to start")
        threading.Thread(target=self._read, daemon=True).start()

    def _connects(self):
        """The socket is there a moment before anybody listens at it."""
        try:
            self._line.connect(self._path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def _command(self, image, has_kvm):
        machine = ["-accel", "kvm", "-cpu", "host"] if has_kvm else EMULATED
        return [QEMU, "-M", "q35", *machine, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-m", MEMORY, "-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on",
                "-numa", "node,memdev=memory", "-kernel", image.kernel, "-initrd", image.initramfs,
                # What explain() asks for in the end: an interrupt upon which the kernel says what every task is at.
                "-append", "console=ttyS0 quiet panic=-1 mitigations=off unknown_nmi_panic panic_print=1",
                "-chardev", f"socket,id=monitor,path={self.monitor},server=on,wait=off",
                "-mon", "chardev=monitor,mode=control",
                "-serial", f"file:{self.console}",
                "-chardev", f"socket,id=line,path={self._path},server=on,wait=off", "-serial", "chardev:line"]

    def _card(self, mac, has_kvm, queues, options):
        # Without KVM QEMU 7.2 crashes where vhost-user meets MSI-X: an interrupt line then, and so one queue.
        vectors = 2 * queues + 2 if has_kvm else 0
        return ["-chardev", f"socket,id=card,path={self.vhost_socket},server=on,wait=off",
                "-netdev", f"vhost-user,id=net,chardev=card,queues={queues}",
                "-device", f"virtio-net-pci,netdev=net,mac={mac},mrg_rxbuf=on,mq={'on' if queues > 1 else 'off'},"
                f"vectors={vectors}{options}"]

    def check(self):
        """LabError if QEMU has ended, or the guest was misunderstood."""
        if self.process.poll() is not None:
            with open(self.world.path(f"{self.name}.qemu.log"), encoding="utf-8", errors="replace") as log:
                words = " / ".join(log.read().strip().splitlines()[-3:])
            raise LabError(f"QEMU of guest {self.name} ended with {self.process.returncode}: {words}")
        if self.trouble:
            raise LabError(f"guest {self.name}: {self.trouble}")

    def _read(self):
        try:
            with self._line.makefile("r", encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    self.heard.append((time.monotonic(), line.strip()))
                    self._take(*line.strip().partition(" ")[::2])
        except OSError:
            pass  # QEMU has ended; whoever waits for a line finds that out by itself
        except ValueError as error:
            self.trouble = f"its line {self.heard[-1][1]!r} makes no sense: {error}"

    def _take(self, number, text):
        kind, rest = text[:1], text[1:]
        command = self.commands.get(number)
        if (number, text) == ("0", "=up"):
            self.slowness = max(1, (time.monotonic() - self._began) / BOOT_USUAL_S)
            self.is_up = True
        elif kind == ">" and command and rest in (command.text, "", "!"):
            command.is_taken = True
        elif kind == ">":
            self.trouble = f"its agent read {number} {rest!r}, which nobody wrote"
        elif command and kind == "=":
            command.on_line(rest)
        elif command and kind == ".":
            command.code = int(rest)

    def send(self, text):
        self._line.sendall(text.encode() + b"\n")

    def start(self, *words, on_line=None):
        """Starts a command in the guest; on_line gets each line that it prints, in a thread of its own."""
        self.n_commands += 1
        text = " ".join(str(word) for word in words)
        command = Command(self, self.n_commands, text)
        command.on_line = on_line or command.on_line
        self.commands[str(self.n_commands)] = command
        self.send(f"{self.n_commands} {text}")
        return command

    def run(self, *words, seconds=20):
        return self.start(*words).wait(seconds)

    def address(self, address, mtu=None):
        """Gives its card an address and brings it up."""
        if mtu:
            self.run("ip", "link", "set", "eth0", "mtu", mtu)
        self.run("ip", "address", "add", address, "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")


def wait_up(guests, seconds=BOOT_PATIENCE_S, show=lambda n_up: None, wants_reason=True):
    """Waits until all are up. show is called with how many are. To find the reason why one is not ends it."""
    def all_up():
        for guest in guests:
            guest.check()
        n_up = sum(guest.is_up for guest in guests)
        show(n_up)
        return n_up == len(guests)
    try:
        until(all_up, seconds, f"{len(guests)} guests to be up")
    except LabTimeout as late:
        if not wants_reason:
            raise
        words = "; ".join(f"{guest.name}: {explain(guest)}" for guest in guests if not guest.is_up)
        raise LabError(f"{late}: {words}") from late


def kvm_works(world, image):
    """Whether this machine's KVM boots a guest. That it can be opened says little where it is itself a guest."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    try:
        guest = Guest(world, image, "kvm", has_kvm=True)
    except LabError:
        return False
    try:
        wait_up([guest], KVM_PATIENCE_S, wants_reason=False)
        return True
    except LabError:
        return False
    finally:
        world.end(guest.process)


class GuestLoad(Figures):
    """One hgload in a guest."""

    def __init__(self, guest, mode, address, *options):
        super().__init__(mode)
        self.last_words = ""
        self.command = guest.start(os.path.basename(HGLOAD), mode, address, *options, on_line=self._take)

    def _take(self, line):
        if line.startswith("{"):
            self.take(line)
        elif line:
            self.last_words = line

    def code(self):
        self.command.guest.check()
        return self.command.code

    def error(self):
        return self.last_words

    def end(self):
        self.command.end()

    def go(self):
        self.command.go()
