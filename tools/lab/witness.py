"""What is known of a guest that keeps somebody waiting: by its agent, by QEMU, by its kernel.

All of it goes into the guest's NAME.witness.log; explain() returns a sentence of it. The last question, to a kernel whose
agent does not answer, ends the guest, which is of no use any more.
"""
import json
import os
import re
import socket
import subprocess
import time

from lab.world import LabError, until

ANSWER_S = 10  # on a machine that has other things to do
KERNEL_S = 20  # to print the stacks of all its tasks, by emulation
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
N_KERNEL_WORDS = 20
# A task as the kernel prints it, and the parent of its own threads.
TASK = re.compile(r"task:(\S+) .* ppid: *(\d+)")
KERNEL_THREADS = "2"
TIMESTAMP = re.compile(r"^\[ *\d+\.\d+\] ?")


class Monitor:
    """QEMU's: one question after the other. OSError where it does not answer."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        self._socket.connect(path)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._lines.readline()  # who it is
        self.ask("qmp_capabilities")

    def ask(self, question, **more):
        self._socket.sendall(json.dumps({"execute": question, "arguments": more}).encode() + b"\n")
        for line in self._lines:
            answer = json.loads(line)
            if "return" in answer or "error" in answer:
                return answer.get("return", answer.get("error"))
        raise OSError("it hung up")

    def ask_text(self, words):
        return self.ask("human-monitor-command", **{"command-line": words}).replace("\r", "")


def explain(guest, command=None):
    """A sentence about a guest that is not up, or that has not done a command."""
    with open(guest.world.path(f"{guest.name}.witness.log"), "w", encoding="utf-8") as log:
        before = threads(guest.process.pid)
        answers = ask_agent(guest, command, log)
        machine = ask_monitor(guest, log)
        tell_threads(before, threads(guest.process.pid), log)
        if not answers:
            ask_kernel(guest, log)
    took = "" if command is None else f"its agent {'took' if command.is_taken else 'never read'} it; "
    return f"{took}the agent {'answers' if answers else 'does not answer'}; {machine}"


# ---- its agent ----------------------------------------------------------------------------------

def ask_agent(guest, command, log):
    """Whether it answers."""
    log.write("- what was heard of it last:\n")
    now = time.monotonic()
    log.writelines(f"{now - at:.1f} s ago: {line}\n" for at, line in list(guest.heard))
    processes = answer_of(guest, "ps")
    if processes is None:
        return False
    log.write("- its processes:\n")
    log.writelines(f"{line}\n" for line in processes if not line.endswith("]"))
    if command is not None:
        pid = answer_of(guest, "cat", f"/run/{command.number}") or ["self"]
        log.write(f"- where {command.text} is:\n")
        log.writelines(f"{line}\n" for line in answer_of(guest, "cat", f"/proc/{pid[0]}/stack") or [])
    log.write("- its kernel said last:\n")
    log.writelines(f"{line}\n" for line in (answer_of(guest, "dmesg") or [])[-N_KERNEL_WORDS:])
    return True


def answer_of(guest, *words):
    """What a command printed; None without an answer."""
    command = guest.start(*words)
    try:
        until(lambda: guest.check() or command.code is not None, ANSWER_S * guest.slowness, words[0])
    except LabError:
        return None
    return command.lines


# ---- QEMU ---------------------------------------------------------------------------------------

def threads(pid):
    """{thread: (name, state, where in the kernel, processor time in s)}"""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task") if os.path.isdir(f"/proc/{pid}/task") else []:
        try:
            with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8", errors="replace") as file:
                name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            with open(f"/proc/{pid}/task/{task}/wchan", encoding="ascii") as file:
                where = file.read()
        except OSError:
            continue  # it has ended
        fields = rest.split()
        found[task] = name, fields[0], where, (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return found


def tell_threads(before, now, log):
    log.write("- QEMU's threads:\n")
    for task, (name, state, where, cpu_s) in now.items():
        more_s = cpu_s - before[task][3] if task in before else cpu_s
        log.write(f"{task} {name}: {state} in {where}, {cpu_s:.2f} s of a processor, {more_s:.2f} s while asked\n")


def ask_monitor(guest, log):
    """How QEMU's machine is, as a clause."""
    try:
        monitor = Monitor(guest.monitor)
        status = monitor.ask("query-status").get("status")
        registers = monitor.ask_text("info registers")
        log.write(f"- QEMU: {status}\n{registers[:registers.find('FCW')]}\n")
        log.write(monitor.ask_text("info pic") + monitor.ask_text("info chardev"))
    except OSError as error:
        log.write(f"- QEMU's monitor does not answer: {error}\n")
        return "QEMU does not answer"
    place = re.search(r"RIP=(\w+)", registers)
    is_halted = "HLT=1" in registers
    return f"QEMU says {status}, {'halted' if is_halted else 'busy'} at {place.group(1) if place else '?'}"


# ---- its kernel ---------------------------------------------------------------------------------

def ask_kernel(guest, log):
    """By an interrupt that makes it end and say what every task is at. The stacks of its own threads are left out."""
    try:
        Monitor(guest.monitor).ask("inject-nmi")
        guest.process.wait(KERNEL_S)
    except (OSError, subprocess.TimeoutExpired):
        log.write("- its kernel does not end\n")
    with open(guest.console, encoding="utf-8", errors="replace") as console:
        lines = [TIMESTAMP.sub("", line.rstrip()) for line in console]
    first_task = next((i for i, line in enumerate(lines) if TASK.search(line)), len(lines))
    log.write("- its console:\n")
    log.writelines(f"{line}\n" for line in lines[:first_task])
    log.write("- its tasks:\n")
    is_wanted = False
    for line in lines[first_task:]:
        task = TASK.search(line)
        if task:
            is_wanted = task.group(2) != KERNEL_THREADS and task.group(1) != "kthreadd"
        elif not line.startswith((" ", "Call Trace:")):
            is_wanted = False
        if is_wanted and not line.startswith(" ? "):
            log.write(line + "\n")
