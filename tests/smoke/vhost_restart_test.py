#!/usr/bin/env python3
"""Virtual machines over a crash: rings go on, what they carried is what was sent."""
import json
import mmap
import os
import signal
import socket
import struct
import subprocess
import threading
import time

from smoke import Host, main, test, until
from lab.daemon import BUILD

GUEST_PAIR = os.path.join(BUILD, "tests", "guest", "guest_pair")
BURST, EVERY_MS, MAXIMUM = 50, 33, "20Mbit"
BACK_MS = 1500
# What may be lost in a crash: what pushing ports leave in the hold queue (128 KiB), what is on its way in a turn of the worker.
LOST_MAX = 160 * 1024 // 1424 + 64


class Machines:
    """A host with two vhost ports, and the machines behind them."""

    def __init__(self, world):
        self.host = Host(world)
        self.host.daemon.is_real_time = True
        self.paths = [world.path("a.vhost"), world.path("b.vhost")]
        self.host.config["tenants"] = [{"name": "acme", "instances": [
            {"name": name, "contract": {"out": {"max": MAXIMUM, "burst": "16KiB"}} if name == "a"
             else {}, "ports": [{"name": f"{name}-0", "device": f"vhost:{path}",
                                 "mac": f"02:00:00:00:00:0{name}"}]}
            for name, path in zip("ab", self.paths)]}]
        self.pair = world.start([GUEST_PAIR, *self.paths, str(BURST), str(EVERY_MS)],
                                nice=-15, stdout=subprocess.PIPE, text=True)
        self.host.start()
        self.pair.stdout.readline()

    def finish(self):
        self.pair.send_signal(signal.SIGTERM)
        got = json.loads(self.pair.communicate(timeout=20)[0])
        got["drops"] = [self.host.daemon.instance("a")["out"]["drops"],
                        self.host.daemon.port("b-0")["drops"]]
        assert got["why"] == "" and got["wrong"] == 0 and got["twice"] == 0, got
        assert got["order"] == 0 and got["unreturned"] == 0, got
        return got


@test
def s7_11_machines_are_back_after_kill_9_without_help(world):
    machines = Machines(world)
    for _ in range(3):
        time.sleep(0.5)
        machines.host.daemon.kill()
        machines.host.daemon.start(machines.host.config_path)
        until(lambda: machines.host.daemon.port("b-0")["tx_pkts"] > 0, 10, "frames to flow")
    assert machines.host.daemon.get("/v1/restart")["previous_run"] == "lost"
    time.sleep(0.3)
    got = machines.finish()
    print(f"         {got['sent']} frames, {got['missing']} lost in three crashes; back after "
          f"{got['silence_ms']:.0f} ms at most", flush=True)
    assert got["missing"] <= 3 * LOST_MAX and got["sent"] > 1000, got
    assert got["connected"] == [4, 4], got
    assert 50 < got["silence_ms"] < BACK_MS, got


# vhost-user, as its front end speaks it.
GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE, SET_NUM, SET_ADDR, SET_BASE, _, SET_KICK, SET_CALL = \
    1, 2, 3, 5, 8, 9, 10, 11, 12, 13
VERSION_1, N_DESCRIPTORS, MEMORY_BYTES, GPA = 1 << 32, 256, 1 << 20, 1 << 30


def say(connection, request, payload=b"", fds=()):
    message = struct.pack("=III", request, 1, len(payload)) + payload
    socket.send_fds(connection, [message], list(fds))


def says_nothing(connection):
    connection.recv(1)


def stops_in_mid_message(connection):
    connection.sendall(struct.pack("=III", SET_MEM_TABLE, 1, 40) + b"half")
    connection.recv(4096)


def floods(connection):
    while True:
        say(connection, GET_FEATURES)


def leaves(_):
    pass


def has_broken_its_ring(connection):
    """Two rings that are started, of which the one to send claims more descriptors than it has."""
    memory = os.memfd_create("guest")
    os.ftruncate(memory, MEMORY_BYTES)
    view = mmap.mmap(memory, MEMORY_BYTES)
    say(connection, GET_FEATURES)
    connection.recv(20, socket.MSG_WAITALL)
    say(connection, SET_FEATURES, struct.pack("=Q", VERSION_1))
    say(connection, SET_OWNER)
    say(connection, SET_MEM_TABLE, struct.pack("=IIQQQQ", 1, 0, GPA, MEMORY_BYTES, GPA, 0), [memory])
    for ring in (0, 1):
        at = GPA + ring * 65536
        event = os.eventfd(0)
        view[ring * 65536 + 8192 + 2:ring * 65536 + 8192 + 4] = struct.pack("=H", ring * 3 * N_DESCRIPTORS)
        say(connection, SET_CALL, struct.pack("=Q", ring), [event])
        say(connection, SET_NUM, struct.pack("=II", ring, N_DESCRIPTORS))
        say(connection, SET_BASE, struct.pack("=II", ring, 0))
        say(connection, SET_ADDR, struct.pack("=IIQQQQ", ring, 0, at, at + 16384, at + 8192, 0))
        say(connection, SET_KICK, struct.pack("=Q", ring), [event])
        os.close(event)
    os.close(memory)
    connection.recv(1)


class Neighbour:
    """A machine that does one thing to whoever connects, each time."""

    def __init__(self, path, act):
        self.act = act
        self.n_connected = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection, _ = self.listener.accept()
            self.n_connected += 1
            try:
                with connection:
                    self.act(connection)
            except OSError:
                pass  # it was sent away


BAD = [says_nothing, stops_in_mid_message, floods, leaves, has_broken_its_ring]


@test
def s7_11_machines_lose_nothing_over_planned_restarts_beside_bad_ones(world):
    machines = Machines(world)
    daemon = machines.host.daemon
    neighbours = []
    for i, act in enumerate(BAD):
        path = world.path(f"bad{i}.vhost")
        neighbours.append(Neighbour(path, act))
        machines.host.config["tenants"].append({"name": f"t{i}", "instances": [
            {"name": f"i{i}", "ports": [{"name": f"bad{i}", "device": f"vhost:{path}"}]}]})
    machines.host.apply()
    answers = []
    for _ in range(4):
        before = [n.n_connected for n in neighbours]
        until(lambda: "more descriptors than it has" in daemon.port("bad4")["reason"], 10, "the fault to be found")
        answers.append(daemon.restart())
        until(lambda: all(n.n_connected > b for n, b in zip(neighbours, before)), 10, "all to be connected again")
        taken = daemon.port("b-0")["tx_pkts"]
        until(lambda: daemon.port("b-0")["tx_pkts"] >= taken + 200, 10, "frames to flow")
    got = machines.finish()
    gaps = ", ".join(f"{answer['gap_ns'] / 1e6:.0f}" for answer in answers)
    print(f"         {got['sent']} frames over {len(answers)} planned restarts; gaps {gaps} ms, silence at most "
          f"{got['silence_ms']:.0f} ms", flush=True)
    assert got["missing"] == 0 and got["sent"] > 500, got
    assert got["connected"] == [5, 5], got
    assert all(answer["lost_pkts"] == 0 for answer in answers), answers


def take(path):
    """What a guest's side can do while nobody has its socket: a file of its own there."""
    if os.path.exists(path):
        os.unlink(path)
    with open(path, "w", encoding="utf-8"):
        pass


@test
def s7_11_a_socket_that_was_taken_while_it_was_away_harms_one_port_alone(world):
    host = Host(world)
    host.tenant("good", None, ["a"])
    path = world.path("c.vhost")
    attach = ("port", "attach", "c-0", "--instance", "c", "--device", f"vhost(listen=on):{path}")
    host.config["tenants"].append({"name": "evil", "instances": [{"name": "c"}]})
    host.start()
    daemon = host.daemon
    done = daemon.headgate(*attach)
    assert done.returncode == 0 and f"port c-0 is down: waiting for the guest at {path}" in done.stdout, done
    host.serve("a")

    # A crash.
    daemon.kill()
    take(path)
    daemon.start(host.config_path)
    until(lambda: host.reaches("out", host.addresses["a"]), 15, "the outside to reach a")
    port = daemon.port("c-0")
    assert port["link"] == "missing" and "is not a socket" in port["reason"], port
    os.unlink(path)
    until(lambda: daemon.port("c-0")["link"] == "down", 10, "the port to be opened")

    # A change that nobody confirms.
    done = daemon.headgate("port", "detach", "c-0", "--confirm", "1s")
    assert done.returncode == 0, done.stderr
    take(path)
    until(lambda: daemon.ask("GET", "/v1/ports/c-0")[0] == 200, 10, "the change to be taken back")
    until(lambda: "is not a socket" in daemon.port("c-0")["reason"], 10, "the reason to be told")
    assert host.reaches("out", host.addresses["a"])

    # Who asks for it is told, and nothing is changed.
    assert daemon.headgate("port", "detach", "c-0").returncode == 0
    done = daemon.headgate(*attach)
    assert done.returncode == 1 and f"{path} is there already and is not a socket" in done.stderr, done


if __name__ == "__main__":
    main()
