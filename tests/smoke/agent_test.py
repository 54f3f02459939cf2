#!/usr/bin/env python3
"""What serves a guest's line (lab/image.py), and what is said of a guest that keeps somebody waiting (lab/witness.py)."""
import fcntl
import os
import select
import shutil
import struct
import subprocess
import termios

from smoke import LabError, Skip, main, test, until
from lab.guest import Guest, QEMU, kvm_works, wait_up
from lab.image import AGENT, BUSYBOX, Image

# As it was: the commands are children of who reads.
TWIN = AGENT.replace("( {", "{").replace("} & )", "} &")
PATIENCE_S = 20


def words_of(pid, name):
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
        return file.read().split()


class Agent:
    """One on this machine, with busybox's commands as in a guest. What it is sent it gets in the pieces that we choose."""

    def __init__(self, world, script=AGENT):
        if not os.path.exists(BUSYBOX):
            raise Skip("needs busybox: tools/setup.sh vms")
        folder = world.path("bin")
        if not os.path.isdir(folder):
            os.mkdir(folder)
            subprocess.run([BUSYBOX, "--install", "-s", folder], check=True)
        inside, self.line = os.pipe()
        answers, outside = os.pipe()
        self.process = world.start([BUSYBOX, "env", f"PATH={folder}", "sh", "-c",
                                    f"exec <&{inside} >&{outside}\n{script}", "agent", world.folder],
                                   pass_fds=(inside, outside))
        os.close(inside)
        os.close(outside)
        self.answers, self.rest, self.lines = answers, b"", []
        self.hears("0 =up")

    def hears(self, line):
        """Waits until it says that."""
        def said():
            if select.select([self.answers], [], [], 0)[0]:
                *lines, self.rest = (self.rest + os.read(self.answers, 4096)).split(b"\n")
                self.lines += [line.decode() for line in lines]
            return line in self.lines
        until(said, PATIENCE_S, f"'{line}', not {self.lines}")

    def say(self, text):
        """Waits until it has read that, and waits for more."""
        os.write(self.line, text.encode())
        until(lambda: self._n_unread() == 0 and self._state(self.process.pid) == "S", PATIENCE_S, "the agent to read")

    def _n_unread(self):
        return struct.unpack("i", fcntl.ioctl(self.line, termios.FIONREAD, bytes(4)))[0]

    @staticmethod
    def _state(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                return stat.read().rsplit(")", 1)[1].split()[0]
        except (OSError, IndexError):
            return "Z"

    def commands_end(self):
        """Waits until no child of its lives, nor what it left to us."""
        agent = self.process.pid

        def ended():
            children = {int(child) for pid in (agent, os.getpid()) for child in words_of(pid, f"task/{pid}/children")}
            return all(self._state(child) == "Z" for child in children - {agent})
        until(ended, PATIENCE_S, "its commands to end")

    def n_rests(self):
        """How often it has gone to sleep."""
        words = words_of(self.process.pid, "status")
        return int(words[words.index("voluntary_ctxt_switches:") + 1])

    def stirs(self, n_rests):
        """Waits until something has woken it, and it sleeps again."""
        until(lambda: self.n_rests() > n_rests and self._state(self.process.pid) == "S", PATIENCE_S, "the agent to stir")


def split_by_an_end(world, script):
    """A command ends while the next one's line is half read. Returns the agent, after that line. One whose child that was
    is woken by it; the rest of the line must not come first, for then nothing is forgotten."""
    gate = world.path("gate")
    os.mkfifo(gate)
    agent = Agent(world, script)
    agent.say(f"1 cat {gate}\n")
    with open(gate, "wb"):
        agent.hears(f"1 >cat {gate}")
        agent.say("2 ec")
        n_rests = agent.n_rests()
    agent.hears("1 .0")
    agent.commands_end()
    if script == TWIN:
        agent.stirs(n_rests)
    agent.say("ho two words\n")
    return agent


@test
def line_stays_whole_when_a_command_ends_in_the_middle(world):
    agent = split_by_an_end(world, AGENT)
    agent.hears("2 .0")
    assert [line for line in agent.lines if line.startswith("2")] == ["2 >echo two words", "2 =two words", "2 .0"]


@test
def line_of_who_reads_beside_its_children_does_not(world):
    """The twin; so the test above would notice."""
    agent = split_by_an_end(world, TWIN)
    agent.hears("ho >two words")


@test
def command_is_ended_however_soon(world):
    agent = Agent(world)
    agent.say("1 sleep 1000\n1\n")
    agent.hears("1 .143")


@test
def guest_that_keeps_us_waiting_is_explained(world):
    if not shutil.which(QEMU) or not os.path.exists(BUSYBOX):
        raise Skip("needs QEMU and busybox: tools/setup.sh vms")
    image = Image(world, [])
    guest = Guest(world, image, "late", has_kvm=kvm_works(world, image))
    wait_up([guest])
    asleep = failure_of(guest, "sleep", 1000)
    assert "took it" in asleep and "agent answers" in asleep, asleep
    assert "nanosleep" in witness(world), witness(world)
    # One that answers no more: what it is at its kernel says.
    agent = next(line.split()[0] for line in guest.run("ps") if "/agent" in line)
    guest.run("kill", "-STOP", agent)
    dead = failure_of(guest, "sleep", 2000)
    assert "never read it" in dead and "does not answer" in dead and "QEMU says running" in dead, dead
    assert "task:sh " in witness(world) and "task:sleep " in witness(world), witness(world)


def failure_of(guest, *words):
    try:
        guest.run(*words, seconds=1)
    except LabError as error:
        return str(error)
    raise AssertionError("it did not fail")


def witness(world):
    with open(world.path("late.witness.log"), encoding="utf-8") as log:
        return log.read()


if __name__ == "__main__":
    main()
