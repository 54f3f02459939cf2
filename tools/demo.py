#!/usr/bin/env python3
"""Three tenants share a link of 1 Gbit/s: first as on any host, then with
contracts kept.

  flood   sends and receives as fast as TCP can
  rr      asks small questions one after another, waits for each answer
  wake    is silent most of the time, then has something large to send; and
          works by spells, on processor credits

The link is a modelled card (1 Gbit/s, a ring of 1,024) in front of a TAP into
a namespace that plays the outside world. Each tenant is a namespace with a TAP
of its own and the kernel's own TCP. With --vms each is a virtual machine with a
kernel of its own; the link is what they can fill, a sixteenth of it at most,
and all contracts are in proportion. All of it is gone when this ends.

Exit: 0 every contract was kept, 1 not, 2 wrong use, 3 could not measure (the
machine underneath took too much processor time away), 130 stopped by Ctrl-C.
"""
import argparse
import json
import os
import shlex
import signal
import sys
import time

from lab import world as lab
from lab.daemon import HEADGATE, Daemon
from lab.stage import LOADS, OUTSIDE, Guests, Namespaces
from lab.table import Screen, live_block, summary_lines
from lab.verdict import Phase

STOLEN_MAX = 0.05  # of the seconds asked for, if so many are missing in the end nothing was measured
LINK_USE_MIN = 0.97  # what the link should be used while the flood lasts
BETTER_MIN = 10.0  # how many times better a round trip should be at its p99
# Until every tenant has its first second: behind a full plain queue a first packet may be lost several times.
CONNECT_PATIENCE_S = 60
LONGEST = 3  # times the seconds asked for, where some were stolen and others are measured in their place
SETTLE_SECONDS = 3  # from the first connection until what is seen counts: TCP finds its rate
# Exit codes: kept, broken, wrong use, no measurement, interrupted (as shells count it).
KEPT, BROKEN, NOT_MEASURED, INTERRUPTED = 0, 1, 3, 130


def parse():
    parser = argparse.ArgumentParser(prog="./run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--seconds", type=int, default=30, metavar="N",
                        help="time with contracts on (default 30); the plain queue before it is "
                        "measured for a third of that")
    parser.add_argument("--json", metavar="FILE", help="write all that was measured to FILE")
    parser.add_argument("--keep", action="store_true",
                        help="afterwards leave it running, to play with, until Ctrl-C")
    parser.add_argument("--vms", action="store_true",
                        help="the tenants are virtual machines (QEMU, by KVM where it works)")
    parser.add_argument("--parse", action="store_true", help=argparse.SUPPRESS)  # says what is wrong here, and ends
    args = parser.parse_args()
    if not 3 <= args.seconds <= 86400:
        parser.error("--seconds takes a number from 3 to 86400")
    if args.json and not os.access(os.path.dirname(os.path.abspath(args.json)), os.W_OK):
        parser.error(f"--json {args.json}: no file can be written there")
    if args.parse:
        sys.exit(0)
    return args


class Demo:
    def __init__(self, world, args):
        self.world, self.args = world, args
        self.screen = Screen()
        # The host is a namespace, too: nothing of the machine itself is touched.
        self.daemon = Daemon(world, netns=world.netns("host"))
        self.stage = (Guests if args.vms else Namespaces)(world)
        self.config = world.path("contracts.yaml")
        self.plain = world.path("plain-queue.yaml")

    def build_world(self):
        print(f"starting: an outside world, three {self.stage.called}, headgated", flush=True)
        self.world.netns("out")
        self.stage.prepare()
        self.start_daemon()
        self.stage.start(self.screen)
        self.daemon.links_up()
        self.stage.serve()
        self.stage.try_out(self.daemon, self.screen)
        if self.stage.offered_bit_per_s is not None:
            print(self.link_text(), flush=True)
            # Machines stay; they are taken up again.
            self.daemon.stop()
            self.start_daemon()
            self.daemon.links_up()

    def start_daemon(self):
        for path, mode in ((self.config, "enforce"), (self.plain, "observe")):
            with open(path, "w", encoding="utf-8") as text:
                text.write(self.stage.config(mode))
        self.daemon.start(self.plain)
        self.world.address(self.world.name("out"), self.world.name("up"), OUTSIDE + "/24")

    def link_text(self):
        """How the link was chosen."""
        stage = self.stage
        text = f"flood's guest sends {stage.offered_bit_per_s / 1e6:.0f} Mbit/s on this machine"
        if stage.divisor == 1:
            return f"{text}: the link has 1 Gbit/s"
        text = (f"{text}, so the link has {stage.capacity_bit_per_s / 1e6:.0f} Mbit/s\n"
                f"instead of 1 Gbit/s, and every contract is 1/{stage.divisor} of what the README says")
        return text if stage.fills_a_link else (
            f"{text}\nThat is the slowest there is, and the guests cannot be expected to fill it: this\n"
            "machine is too slow, or too busy with other things.")

    def start_loads(self, seconds):
        return {name: self.stage.load(load, seconds) for name, load in LOADS.items()}

    def follow(self, phase, loads, seconds, longest=1):
        """Shows and books each second that the daemon closes, until there are enough that count, or longest times as
        many in all."""
        phase.n_wanted = seconds
        patience = time.monotonic() + 3.0 * seconds * longest + 20
        while phase.n_counted() < seconds and len(phase.seconds) < seconds * longest:
            status = lab.until(lambda: self.next_second(phase), 10, "headgated to close a second")
            for load in loads.values():
                load.check()
            phase.book(status, {name: load.last() for name, load in loads.items()}, self.credits())
            self.screen.show(live_block(phase, seconds))
            if time.monotonic() > patience:
                raise lab.LabError("the seconds take too long: this machine is too busy")

    def credits(self):
        """The processor credits of who has any; None: nobody."""
        return self.daemon.get("/v1/credits/wake") if self.stage.burner else None

    def next_second(self, phase):
        if self.daemon.process.poll() is not None:
            raise lab.LabError(f"headgated ended: {self.daemon.last_words()}")
        status = self.daemon.status()
        if phase.generation not in (None, status["host"]["generation"]):
            phase.change(status)
            if phase.seconds:
                self.screen.show(live_block(phase, phase.n_wanted))
        return status if status["host"]["seconds"] != phase.last_second else None

    def measure(self, title, config, seconds, longest=1):
        """One phase: the same load, from its first connection on, under one configuration."""
        self.daemon.apply(config)
        phase = Phase(title, self.stage.capacity_bit_per_s)
        loads = self.start_loads(86400)
        lab.until(lambda: all(load.seconds for load in loads.values()), CONNECT_PATIENCE_S,
                  "every tenant's first second")
        phase.begin(self.daemon.status())
        for _ in range(SETTLE_SECONDS):
            phase.begin(lab.until(lambda: self.next_second(phase), 10,
                                  "headgated to close a second"))
        waited, began = self.daemon.kept_waiting_s(), time.monotonic()
        self.follow(phase, loads, seconds, longest)
        phase.kept_waiting = ((self.daemon.kept_waiting_s() - waited) /
                              (time.monotonic() - began))
        phase.finish({name: load.finish() for name, load in loads.items()})
        return phase

    def play(self):
        """Leaves everything running until someone stops it."""
        print(f"""
Left running. From another terminal:

  . {self.write_function()}
  headgate show --watch                      who gets what, now; Ctrl-C ends it
  headgate explain flood                     why is it slow?
  headgate show uplink up0                   what is in the card's queue, and whose
  headgate instance add flood --out-max {300 // self.stage.divisor}Mbit
  headgate show                              changed, under traffic
  headgate diff {self.config}
  headgate apply {self.config}

The last takes the change back; edit the file to try another. KEPT counts from
the start: with the plain queue it was measured, and not enforced.
To stop: Ctrl-C here, or kill {os.getpid()}
""", flush=True)
        phase = Phase("with contracts", self.stage.capacity_bit_per_s)
        loads = self.start_loads(86400)
        phase.begin(self.daemon.status())
        self.follow(phase, loads, 10**9)

    def write_function(self):
        """A file for a shell to read: headgate, with the socket of this world. Not a script, for where
        /run holds no programs."""
        path = self.world.path("commands")
        with open(path, "w", encoding="utf-8") as text:
            text.write(f'headgate() {{ {shlex.quote(HEADGATE)} '
                       f'--socket {shlex.quote(self.daemon.socket)} "$@"; }}\n')
        return path

    def run(self):
        self.build_world()
        n_plain = max(3, self.args.seconds // 3)
        print(f"contracts off, a plain queue, the same load: {n_plain} s", flush=True)
        before = self.measure("contracts off: a plain queue", self.plain, n_plain)
        self.screen.leave()
        print(f"contracts on: {self.args.seconds} s", flush=True)
        after = self.measure("contracts on", self.config, self.args.seconds, LONGEST)
        self.screen.leave()
        code, result = self.judge(before, after)
        if self.args.json:
            with open(self.args.json, "w", encoding="utf-8") as out:
                json.dump(result, out, indent=1)
                out.write("\n")
        if self.args.keep:
            self.play()
        return code

    def judge(self, before, after):
        """Prints the summary; returns the exit code and all that was measured."""
        better = before.p99_us("rr") / max(after.p99_us("rr"), 0.1)
        result = {
            "kept": after.all_kept(), "seconds": len(after.seconds),
            "stolen_share": after.stolen_share(), "missing_share": after.missing_share(),
            "link_use": after.link_use(), "link_use_goal": LINK_USE_MIN,
            "link_idle_share": round(after.idle_share(), 5),
            "kept_waiting_share": round(after.kept_waiting, 5),
            "link_bit_per_s": self.stage.capacity_bit_per_s,
            "flood_alone_bit_per_s": self.stage.offered_bit_per_s,
            "guests_fill_link": self.stage.fills_a_link,
            "rr_p99_times_better": round(better, 4), "rr_p99_goal": BETTER_MIN,
            "plain_queue": before.record(), "contracts": after.record(),
        }
        if after.missing_share() > STOLEN_MAX:
            code = NOT_MEASURED
        else:
            code = KEPT if after.all_kept() else BROKEN
        result["exit"] = code
        for line in summary_lines(before, after, result, STOLEN_MAX):
            print(line)
        sys.stdout.flush()
        return code, result


def interrupted(number, _frame):
    raise KeyboardInterrupt(number)


def main():
    args = parse()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        with lab.World() as world:
            code = Demo(world, args).run()
    except KeyboardInterrupt:
        print("\nstopped; namespaces, devices and processes are gone", flush=True)
        code = INTERRUPTED
    except (lab.LabError, OSError) as error:
        print(f"./run: {error}", file=sys.stderr)
        code = BROKEN
    sys.exit(code)


if __name__ == "__main__":
    main()
