#!/usr/bin/env python3
"""Processor credits: a real process in a real control group of version 1, and the real daemon."""
import os
import signal
import sys

from smoke import Host, Skip, main, test, until

CPU, ACCOUNT = "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpuacct"
NS_PER_CREDIT = 60_000_000_000
BASELINE, LAUNCH_CREDITS, GRANTED_CREDITS = 0.2, 0.03, 100
HELD_S = 60  # to use 1.8 s of a processor, however busy the machine


class Group:
    """A control group of the test's own, and what the kernel says of it."""

    def __init__(self, world):
        self.name = world.name("cpu")
        for controller in (CPU, ACCOUNT):
            if not os.path.exists(f"{controller}/cgroup.procs"):
                raise Skip(f"there is no control group of version 1 at {controller}")
        for controller in (CPU, ACCOUNT):
            os.makedirs(f"{controller}/{self.name}", exist_ok=True)

    def add(self, pid):
        for controller in (CPU, ACCOUNT):
            with open(f"{controller}/{self.name}/cgroup.procs", "w", encoding="ascii") as procs:
                procs.write(str(pid))

    def read(self, controller, file):
        with open(f"{controller}/{self.name}/{file}", encoding="ascii") as text:
            return int(text.read())

    def used_ns(self):
        return self.read(ACCOUNT, "cpuacct.usage")

    def limit(self):
        """In processors; None: it is open."""
        quota = self.read(CPU, "cpu.cfs_quota_us")
        return None if quota < 0 else quota / self.read(CPU, "cpu.cfs_period_us")

    def is_about_baseline(self):
        """What is granted is within 2 % above and 5 % below, and written again when it differs by 2 %."""
        limit = self.limit()
        return limit is not None and 0.93 * BASELINE <= limit <= 1.045 * BASELINE

    def remove(self):
        def is_gone():
            for controller in (CPU, ACCOUNT):
                try:
                    os.rmdir(f"{controller}/{self.name}")
                except FileNotFoundError:
                    pass
                except OSError:
                    return False  # the kernel has not let go of its process yet
            return True
        until(is_gone, 10, "the control group to be empty")


def host_of(world, group):
    host = Host(world)
    # It earns nothing, so that it spends whatever others leave it of the machine.
    host.config["tenants"] = [{"name": "acme", "instances": [
        {"name": "web1", "cpu": {"cgroup": group.name, "vcpus": 1, "baseline": "20%",
                                 "launch": LAUNCH_CREDITS, "earn": 0, "glide": "0.5s"}}]}]
    return host


def row_of(host):
    return host.daemon.get("/v1/credits/web1")


def said(host, *args):
    done = host.daemon.headgate(*args)
    assert done.returncode == 0, (args, done.stdout, done.stderr)
    return done.stdout


def expect_held(host, group):
    """Who spends more than it earns is held at its baseline, and it is said since when."""
    until(lambda: row_of(host)["state"] == "baseline", HELD_S, "the credits to end")
    assert group.is_about_baseline(), group.limit()
    text = " ".join(said(host, "explain", "web1").split())
    assert "processors: held at baseline since " in text, text
    assert "earns 0 credits an hour" in text, text
    assert " baseline " in said(host, "credit", "list"), said(host, "credit", "list")
    assert "credits, uses" in said(host, "show")


def expect_open_by_grant(host, group):
    words = said(host, "credit", "grant", "web1", str(GRANTED_CREDITS))
    assert words.startswith(f"web1: {GRANTED_CREDITS} credits granted, balance "), words
    until(lambda: group.limit() is None, 10, "the door to open")
    until(lambda: row_of(host)["state"] == "open", 10, "the open door to be shown")


def expect_kept_over_kill(host, group):
    """Gifts are in the store before they are answered; what was used since it was written is in the
    group's own counter."""
    before = row_of(host)["total"]
    host.daemon.kill()
    at_least_ns = group.used_ns()
    host.daemon.start(host.config_path)
    until(lambda: row_of(host)["total"]["used_cpu_ns"] >= at_least_ns, 20,
          "use while nobody looked to be booked")
    row = row_of(host)
    total = row["total"]
    assert total["gift_cpu_ns"] == before["gift_cpu_ns"] > GRANTED_CREDITS * NS_PER_CREDIT
    assert total["used_cpu_ns"] <= group.used_ns(), "more was booked than was used"
    assert row["balance_cpu_ns"] == (total["gift_cpu_ns"] + total["earned_cpu_ns"] -
                                     total["used_cpu_ns"] + total["charged_cpu_ns"]), row


def expect_errors(host):
    for args, code in ((("credit", "grant", "web1", "0"), 1), (("credit", "show", "wbe1"), 3),
                       (("credit", "grant", "web1"), 2),
                       (("credit", "history", "web1", "--since", "1s"), 1)):
        done = host.daemon.headgate(*args)
        assert done.returncode == code and done.stderr, (args, done)


@test
def s6_7_spent_held_granted_and_kept(world):
    group = Group(world)
    host = host_of(world, group)
    busy = None
    try:
        host.start()
        until(lambda: row_of(host)["cgroup"] != "", 10, "the control group to be found")
        assert group.limit() is None, group.limit()
        busy = world.start([sys.executable, "-c", "while True: pass"])
        group.add(busy.pid)
        expect_held(host, group)
        expect_open_by_grant(host, group)
        expect_kept_over_kill(host, group)
        expect_errors(host)
        host.daemon.process.send_signal(signal.SIGTERM)
        host.daemon.process.wait(timeout=20)
        assert abs(group.limit() - BASELINE) < 0.001, group.limit()
        assert "web1 is left at its baseline" in host.daemon.last_words(20)
    finally:
        if busy is not None:
            world.end(busy)
        group.remove()


if __name__ == "__main__":
    main()
