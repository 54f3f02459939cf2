"""The harness of the smoke tests: the real daemon, namespaces, kernel TCP.

A test is a function that takes a fresh World and is marked with @test; a failed assertion or a LabError
fails it; Skip skips it with a reason. Output and exit codes are those of tests/harness.h. Names of tests
as arguments run only these.
"""
import ctypes
import json
import os
import signal
import socket
import sys
import threading
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from lab.daemon import HEADGATE, Daemon  # noqa: E402,F401
from lab.load import Load  # noqa: E402
from lab.world import LabError, World, ip, until  # noqa: E402,F401

IS_LONG = bool(os.environ.get("HEADGATE_LONG"))
CLONE_NEWNET = 0x40000000
_tests = []


class Skip(Exception):
    """The reason why a test cannot run here."""


def test(function):
    _tests.append(function)
    return function


def main():
    # Who was started in the background of a script has Ctrl-C ignored, and would hand that down to what is tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    wanted = sys.argv[1:]
    passed = failed = skipped = 0
    for function in _tests:
        if wanted and function.__name__ not in wanted:
            continue
        try:
            with World() as world:
                try:
                    function(world)
                except (AssertionError, LabError):
                    tell_logs(world)
                    raise
        except Skip as reason:
            skipped += 1
            print(f"skipped  {function.__name__}: {reason}", flush=True)
        except Exception:  # whatever it was, the next test still runs
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"FAILED   {function.__name__}", flush=True)
        else:
            passed += 1
            print(f"ok       {function.__name__}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 77 if skipped and not passed else 0)


def tell_logs(world):
    """The ends of all, and the whole of what was written about a guest that kept us waiting (lab/witness.py)."""
    for name in sorted(os.listdir(world.folder)):
        if name.endswith(".log"):
            with open(world.path(name), encoding="utf-8", errors="replace") as log:
                lines = log.readlines()
            is_whole = name.endswith(".witness.log")
            print(f"-- {'' if is_whole else 'end of '}{name}:\n{''.join(lines if is_whole else lines[-15:])}")


# ---- words of the tests -------------------------------------------------------------------------

SUBNET = "10.78.0."


class Host:
    """An uplink into a namespace that plays the outside world, and tenants as they are added.

    The host itself is a namespace, too, so that interfaces of "other managers" meet nothing real.
    Build the configuration with tenant(), then start(). Every instance gets a namespace, a TAP of the
    same name in it, and the next address of SUBNET; the outside world is SUBNET.1.
    """

    def __init__(self, world, capacity="1Gbit", card="simnic(rate=1Gbit,ring=1024)+"):
        self.world = world
        self.netns = world.netns("host")
        self.daemon = Daemon(world, netns=self.netns)
        self.config_path = world.path("config.yaml")
        self.config = {"mode": "enforce", "tenants": [], "uplinks": [
            {"name": "up0", "device": f"{card}tap:{world.name('up')}", "netns": world.name("out"),
             "capacity": capacity}]}
        self.addresses = {"out": SUBNET + "1"}
        world.netns("out")

    def tenant(self, name, contract=None, instances=None):
        """instances: names of at most five letters (default: one of the tenant's own name)."""
        tenant = {"name": name, "contract": contract or {}, "instances": []}
        for instance in instances or [name]:
            self.world.netns(instance)
            self.addresses[instance] = f"{SUBNET}{len(self.addresses) + 10}"
            tenant["instances"].append({"name": instance, "ports": [
                {"name": f"{instance}-0", "device": f"tap:{self.world.name(instance)}",
                 "netns": self.world.name(instance)}]})
        self.config["tenants"].append(tenant)
        return tenant

    def write(self):
        """JSON is YAML, too."""
        with open(self.config_path, "w", encoding="utf-8") as out:
            json.dump(self.config, out, indent=1)
        return self.config_path

    def start(self):
        self.daemon.start(self.write())
        self.world.address(self.world.name("out"), self.world.name("up"),
                           self.addresses["out"] + "/24")
        for name, address in self.addresses.items():
            if name != "out":
                self.world.address(self.world.name(name), self.world.name(name), address + "/24")
        self.daemon.links_up()
        return self

    def apply(self, *options):
        return self.daemon.apply(self.write(), *options)

    def serve(self, name, port=5001):
        return Load(self.world, self.world.name(name), "serve", f"{self.addresses[name]}:{port}",
                    "--seconds", 600).wait_listening()

    def load(self, name, mode, to, port=5001, *options):
        return Load(self.world, self.world.name(name), mode, f"{self.addresses[to]}:{port}",
                    *options)

    def reaches(self, name, address, port=5001, timeout=2.0):
        return reaches(self.world.name(name), address, port, timeout)

    def next_second(self):
        """Waits until a second closes that began after now; returns the status then."""
        at = self.daemon.status()["host"]["seconds"]

        def closed():
            status = self.daemon.status()
            return status if status["host"]["seconds"] >= at + 2 else None
        return until(closed, 10, "a second to close")


def tenant_row(status, name):
    return next(t for t in status["tenants"] if t["name"] == name)


def reaches(netns, address, port, timeout=2.0):
    """Whether a TCP connection can be opened from a namespace within the time."""
    found = []

    def connect():
        with open(f"/run/netns/{netns}", "rb") as space:
            if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET) != 0:
                found.append(OSError(ctypes.get_errno(), f"cannot enter {netns}"))
                return
        try:
            socket.create_connection((address, port), timeout).close()
        except OSError:
            return
        found.append(None)

    # A namespace is a thread's own; to start an interpreter for it took seconds on a busy machine.
    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    if found and found[0]:
        raise found[0]
    return bool(found)
