#!/usr/bin/env python3
"""The unit of packaging/ under a real systemd: what it forbids is nothing that headgated needs."""
import contextlib
import os
import subprocess

from manager import Manager
from smoke import main, test, until

CONFIG = """\
uplinks:
  - {name: up0, device: "packet:eth1", capacity: 1Gbit}
tenants:
  - name: acme
    instances:
      - {name: tap, ports: [{name: tap-0, device: "tap:tap-0", netns: one}]}
      - {name: theirs, ports: [{name: theirs-0, device: "tap:theirs-0", netns: "/proc/PID/ns/net"}]}
      - {name: packet, ports: [{name: packet-0, device: "packet:veth7"}]}
      - {name: xdp, ports: [{name: xdp-0, device: "xdp:veth8"}]}
      - {name: a, ports: [{name: a-0, device: "vhost:a.sock", mac: "02:00:00:00:00:0a"}]}
      - {name: b, ports: [{name: b-0, device: "vhost:b.sock", mac: "02:00:00:00:00:0b"}]}
      - {name: own, ports: [{name: own-0, device: "vhost(listen=on):own.sock"}]}
"""
WRONG = CONFIG.replace("1Gbit", "1000")
NEEDS_NOBODY = {"tap-0", "theirs-0", "packet-0", "xdp-0"}
MACHINES = {"a-0", "b-0"}


@contextlib.contextmanager
def managed(world, **options):
    manager = Manager(world, CONFIG, **options)
    try:
        manager.run("ip", "netns", "add", "one")
        for name in ("eth1", "veth7", "veth8"):
            manager.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p")
            manager.run("ip", "link", "set", name, "up")
            manager.run("ip", "link", "set", f"{name}p", "up")
        # Who may do less than headgated and has another user: a container's process.
        theirs = world.start(manager.command("unshare", "-n", "setpriv", "--reuid=65534", "--clear-groups", "sh", "-c",
                                             "echo $$ >&2; exec sleep 600"), stderr=open(world.path("theirs"), "w"))
        pid = until(lambda: open(world.path("theirs"), encoding="ascii").read().strip(), 10, "a container")
        assert theirs.poll() is None
        manager.config = CONFIG.replace("PID", pid)
        manager.configure(manager.config)
        yield manager
    finally:
        manager.end()


def up(manager):
    return {port["name"] for port in manager.daemon.get("/v1/ports")["ports"] if port["link"] == "up"}


def machines(world, manager):
    """Two, whose sockets are where they are by default; they send to one another."""
    pair = world.start(manager.command("guest_pair", "/run/headgate/a.sock", "/run/headgate/b.sock", "5", "33"),
                       stdout=subprocess.PIPE, text=True)
    until(lambda: MACHINES <= up(manager), 10, "the machines to be up")
    return pair


def groups_can_be_written(manager):
    """By headgated, as limits of processor credits are; in this world no group has the controller."""
    with open(f"/proc/{manager.first}/root/proc/{manager.show('MainPID')}/mountinfo", encoding="utf-8") as mounts:
        fields = [line.split() for line in mounts]
    options = [f[5].split(",") for f in fields if f[4] == "/sys/fs/cgroup"]
    assert options, fields
    return "rw" in options[-1]


@test
def s7_11_under_systemd_it_starts_and_goes_on(world):
    with managed(world) as manager:
        code, said = manager.run("systemd-analyze", "verify", "--man=no", "headgated.service", check=False)
        assert code == 0 and not said, said
        manager.run("systemctl", "start", "headgated")
        assert NEEDS_NOBODY <= up(manager), manager.log()
        assert groups_can_be_written(manager)
        pair = machines(world, manager)

        first = manager.show("MainPID")
        manager.run("systemctl", "reload", "headgated")
        second = manager.show("MainPID")
        assert second not in ("0", first) and manager.show("SubState") == "running", manager.log()
        assert manager.daemon.get("/v1/restart")["lost_pkts"] == 0
        assert "not our child" not in manager.log(), manager.log()

        # A stop is waited for, although another process was the first: what it does at its end is done.
        manager.run("systemctl", "restart", "headgated")
        assert manager.show("Result") == "success", manager.log()
        assert manager.daemon.get("/v1/restart")["previous_run"] == "none", manager.log()
        assert "SIGKILL" not in manager.log(), manager.log()

        manager.run("systemctl", "stop", "headgated")
        assert os.path.exists(f"/proc/{manager.first}/root/run/headgate/a.sock")
        manager.run("systemctl", "start", "headgated")
        until(lambda: MACHINES | NEEDS_NOBODY <= up(manager), 10, "all to be up again")
        assert pair.poll() is None


@test
def s7_11_systemd_starts_it_again_and_leaves_alone_what_is_wrong(world):
    with managed(world) as manager:
        manager.run("systemctl", "start", "headgated")
        # More often than systemd allows if it is not told otherwise.
        for crashes in range(1, 8):
            manager.run("systemctl", "kill", "--signal=KILL", "headgated")
            until(lambda: manager.show("NRestarts") == str(crashes) and manager.show("SubState") == "running", 20,
                  "a new start")
        assert manager.daemon.get("/v1/restart")["previous_run"] == "lost"
        at = manager.show("MainPID")
        manager.configure(WRONG)
        code, _ = manager.run("systemctl", "reload", "headgated", check=False)
        assert code != 0 and manager.show("MainPID") == at and manager.show("SubState") == "running", manager.log()
        assert NEEDS_NOBODY <= up(manager)
        code, _ = manager.run("systemctl", "restart", "headgated", check=False)
        assert code != 0 and manager.show("SubState") == "failed", manager.log()
        assert manager.show("ExecMainStatus") == "2" and "is no rate" in manager.log(), manager.log()
        manager.configure(manager.config)
        manager.run("systemctl", "start", "headgated")
        assert NEEDS_NOBODY <= up(manager)


@test
def broken_a_unit_that_forbids_too_much_is_noticed(world):
    def change(unit):
        return unit.replace("CAP_SYS_PTRACE ", "").replace("[Install]", "ProtectControlGroups=yes\n[Install]")
    with managed(world, change=change) as manager:
        manager.run("systemctl", "start", "headgated")
        assert NEEDS_NOBODY - up(manager) == {"theirs-0"}, manager.log()
        assert not groups_can_be_written(manager)


if __name__ == "__main__":
    main()
