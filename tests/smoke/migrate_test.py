#!/usr/bin/env python3
"""An instance saved on one host and restored on another: two daemons, a bridge that plays the network
between and behind them, and a guest whose kernel stays the same, as a machine's memory does."""
import json
import subprocess
import sys
import time

from smoke import Daemon, ip, main, test, until

GUEST_MAC, SECOND_MAC = "02:00:00:00:0a:11", "02:00:00:00:0a:12"
WRONG_MAC = "02:de:ad:00:00:01"
OUT_ADDRESS, GUEST_ADDRESS, GUEST_ADDRESS6 = "10.78.0.1", "10.78.0.11", "fd78::11"
RATE = 12_500  # bytes a second, 100 Kbit/s: tokens hardly grow while the test works
BURST = 1_000_000
PORT = 5001


class Network:
    """Hosts a and b, each with an uplink into the bridge of one outside world; one guest for both."""

    def __init__(self, world, capacity_b="1Gbit"):
        self.world = world
        self.out, self.guest = world.netns("out"), world.netns("guest")
        # No kernel that speaks by itself: what is sent is what the test or headgate sends.
        for netns in (self.out, self.guest):
            subprocess.run(["ip", "netns", "exec", netns, "sysctl", "-qw",
                            "net.ipv6.conf.default.disable_ipv6=1"], check=True)
        self.bridge = world.name("br")
        ip("link", "add", self.bridge, "type", "bridge", netns=self.out)
        world.address(self.out, self.bridge, OUT_ADDRESS + "/24")
        subprocess.run(["ip", "netns", "exec", self.out, "sysctl", "-qw",
                        f"net.ipv6.conf.{self.bridge}.disable_ipv6=0"], check=True)
        ip("address", "add", "fd78::1/64", "dev", self.bridge, "nodad", netns=self.out)
        self.a = self._host("a", "1Gbit", [self._guest()])
        self.b = self._host("b", capacity_b, [])

    def _guest(self):
        return {"name": "g", "contract": {"out": {"min": "50Kbit", "max": "100Kbit",
                                                  "burst": "1000000B"}},
                "ports": [
                    {"name": "g-0", "device": f"tap:{self.world.name('g')}", "netns": self.guest,
                     "mac": GUEST_MAC, "addresses": [GUEST_ADDRESS, GUEST_ADDRESS6]},
                    {"name": "g-1", "device": f"tap:{self.world.name('h')}", "netns": self.guest}]}

    def _host(self, name, capacity, instances):
        uplink = self.uplink(name)
        config = {"uplinks": [{"name": "up0", "device": f"tap:{uplink}", "netns": self.out,
                               "capacity": capacity}],
                  "tenants": [{"name": "acme", "instances": instances}]}
        path = self.world.path(f"{name}.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump(config, out)
        daemon = Daemon(self.world, name, netns=self.world.netns(f"h{name}"))
        daemon.start(path)
        until(lambda: ip("-o", "link", "show", "dev", uplink, netns=self.out, check=False), 10,
              uplink)
        ip("link", "set", uplink, "master", self.bridge, "up", netns=self.out)
        return daemon

    def uplink(self, name):
        return self.world.name(f"up{name}")

    def dress(self, device, mac, address):
        """What a machine's own kernel keeps over the move."""
        name = self.world.name(device)
        until(lambda: ip("-o", "link", "show", "dev", name, netns=self.guest, check=False), 10,
              name)
        ip("link", "set", name, "address", mac, netns=self.guest)
        ip("address", "replace", address, "dev", name, netns=self.guest)
        ip("link", "set", name, "up", netns=self.guest)

    def dress_guest(self):
        self.dress("g", GUEST_MAC, GUEST_ADDRESS + "/24")

    def neighbour(self, address):
        """The MAC address that the outside world has for an address; None: none."""
        for one in json.loads(ip("-j", "neigh", "show", address, netns=self.out) or "[]"):
            return one.get("lladdr")
        return None

    def bridge_port(self, mac):
        """Behind which port the bridge has an address; None: it does not know."""
        done = subprocess.run(["ip", "netns", "exec", self.out, "bridge", "-j", "fdb", "show", "br",
                               self.bridge], capture_output=True, text=True, check=True)
        return next((one["ifname"] for one in json.loads(done.stdout) if one["mac"] == mac), None)

    def in_guest(self, code):
        return subprocess.run(["ip", "netns", "exec", self.guest, sys.executable, "-c", code],
                              capture_output=True, text=True, check=False, timeout=60)

    def spend(self, n_bytes, address=OUT_ADDRESS):
        """The guest sends so much, in datagrams that nobody waits for."""
        done = self.in_guest("import socket\n"
                             "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                             f"for _ in range({n_bytes} // 1400):\n"
                             f"    s.sendto(bytes(1400), ('{address}', 9))\n")
        assert done.returncode == 0, done.stderr

    def state(self, daemon):
        return daemon.get("/v1/instances/g/state")

    def ready(self):
        """The guest is up on host a, known to the world, and has spent half of its burst."""
        self.a.links_up()
        self.dress_guest()
        self.dress("h", SECOND_MAC, "10.79.0.11/24")
        before = self.sent(self.a)
        until(lambda: self.spend(BURST // 20) or self.sent(self.a) - before >= BURST // 2, 20,
              "half of the burst to be sent")
        self.spend(1400, "10.79.0.1")  # asks who that is
        until(lambda: self.learned(self.a) == [SECOND_MAC], 10, "the second address to be learned")
        return self

    def sent(self, daemon):
        return self.state(daemon).get("totals", {}).get("out", {}).get("sent_bytes", 0)

    def learned(self, daemon):
        return [one["mac"] for one in self.state(daemon)["state"].get("learned", [])]

    def save(self, *options):
        path = self.world.path("g.saved")
        done = self.a.headgate("instance", "save", "g", "-o", path, *options)
        assert done.returncode == 0 and done.stdout == "", (done.stdout, done.stderr)
        with open(path, encoding="utf-8") as document:
            return path, json.load(document)


@test
def s5_1_save_restore_moves_a_guest_between_hosts(world):
    net = Network(world).ready()
    assert net.bridge_port(GUEST_MAC) == net.uplink("a")

    # Saving alone changes nothing.
    net.save()
    assert net.a.port("g-0")["link"] == "up"

    began = time.monotonic()
    path, saved = net.save("--detach")
    assert saved["headgate"] == {"kind": "instance", "version": 1}, saved
    assert net.a.ask("GET", "/v1/instances/g")[0] == 404
    assert net.a.ask("GET", "/v1/ports/g-0")[0] == 404
    assert [one["mac"] for one in saved["state"]["learned"]] == [SECOND_MAC], saved["state"]
    tokens = saved["state"]["out"]["max"]["tokens"]
    assert tokens <= BURST - BURST // 2 + RATE * 60, tokens

    # The world has it all wrong, and the guest, whose interfaces have no addresses yet, says nothing.
    for address in (GUEST_ADDRESS, GUEST_ADDRESS6):
        ip("neigh", "replace", address, "lladdr", WRONG_MAC, "dev", net.bridge, "nud", "stale",
           netns=net.out)
    done = net.b.headgate("instance", "restore", path)
    assert done.returncode == 0, done.stderr
    assert "+ instance g (tenant acme)" in done.stdout, done.stdout
    until(lambda: net.neighbour(GUEST_ADDRESS) == GUEST_MAC, 5, "ARP to follow")
    until(lambda: net.neighbour(GUEST_ADDRESS6) == GUEST_MAC, 5, "neighbour discovery to follow")
    until(lambda: net.bridge_port(GUEST_MAC) == net.uplink("b"), 5, "the bridge to follow")
    # Of the other port no more is known than its address: reverse ARP tells switches.
    until(lambda: net.bridge_port(SECOND_MAC) == net.uplink("b"), 5, "the bridge to follow")

    # Tokens, addresses and totals are there; nobody was charged for the announcements.
    state = net.state(net.b)
    grown = state["state"]["out"]["max"]["tokens"] - tokens
    assert 0 <= grown <= RATE * (time.monotonic() - began) + 1, (tokens, grown)
    assert [one["mac"] for one in state["state"]["learned"]] == [SECOND_MAC]
    assert state["instance"] == saved["instance"]
    assert state["totals"]["out"]["sent_bytes"] == saved["totals"]["out"]["sent_bytes"]
    assert state["totals"]["age_ns"] >= saved["totals"]["age_ns"]

    # And the guest goes on there.
    net.dress_guest()
    server = world.start([sys.executable, "-c",
                          "import socket\n"
                          f"s = socket.create_server(('{GUEST_ADDRESS}', {PORT}))\n"
                          "print('listening', flush=True)\n"
                          "s.settimeout(30); c, _ = s.accept(); c.sendall(b'here'); c.close()\n"],
                         net.guest, stdout=subprocess.PIPE, text=True)
    server.stdout.readline()
    done = subprocess.run(["ip", "netns", "exec", net.out, sys.executable, "-c",
                           "import socket\n"
                           f"s = socket.create_connection(('{GUEST_ADDRESS}', {PORT}), 10)\n"
                           "s.settimeout(10); print(s.recv(9).decode())"],
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "here\n", done.stderr
    assert net.sent(net.b) > saved["totals"]["out"]["sent_bytes"]


@test
def s5_1_save_restore_is_refused_with_the_owner(world):
    net = Network(world).ready()
    path, saved = net.save()
    # It has not left.
    done = net.a.headgate("instance", "restore", path)
    assert done.returncode != 0 and "g is here already, of tenant acme" in done.stderr, done.stderr
    # Another instance with its address.
    saved["instance"]["name"] = "g2"
    saved["instance"]["ports"] = [{"name": "g2-0", "device": "tap:none",
                                   "addresses": [GUEST_ADDRESS]}]
    saved["state"].pop("learned")
    status, answer = net.a.ask("PUT", "/v1/instances/g2/state", json.dumps(saved))
    assert status == 409 and "port g-0 of instance g of tenant acme" in answer["error"]["text"]
    # A tenant that is not there; one that is made.
    done = net.b.headgate("instance", "restore", path, "--tenant", "nobody", "--dry-run")
    assert done.returncode == 3 and "there is acme" in done.stderr, done.stderr
    done = net.b.headgate("instance", "restore", path, "--tenant", "new", "--uplink", "up0",
                          "--device", "g-0=tap:x,g-1=tap:y", "--dry-run")
    assert done.returncode == 0 and "+ tenant new" in done.stdout, (done.stdout, done.stderr)
    assert net.b.ask("GET", "/v1/instances/g")[0] == 404


@test
def s5_1_save_restore_is_refused_where_it_does_not_fit(world):
    net = Network(world, capacity_b="40Kbit").ready()
    path, _ = net.save("--detach")
    done = net.b.headgate("instance", "restore", path)
    assert done.returncode == 4 and "50kbit" in done.stderr.lower(), (done.returncode, done.stderr)
    # Nothing is lost: it goes back to where it came from.
    done = net.a.headgate("instance", "restore", path)
    assert done.returncode == 0, done.stderr
    assert net.learned(net.a) == [SECOND_MAC]


@test
def s5_1_port_is_announced_when_asked(world):
    net = Network(world).ready()
    ip("neigh", "replace", GUEST_ADDRESS, "lladdr", WRONG_MAC, "dev", net.bridge, "nud", "stale",
       netns=net.out)
    done = net.a.headgate("port", "announce", "g-0")
    assert done.returncode == 0 and "2 addresses announced" in done.stdout, done
    until(lambda: net.neighbour(GUEST_ADDRESS) == GUEST_MAC, 5, "ARP to follow")
    done = net.a.headgate("port", "announce", "g-9")
    assert done.returncode == 3, done


@test
def a_document_that_cannot_be_written_is_not_asked_for(world):
    net = Network(world)
    done = net.a.headgate("instance", "save", "g", "--detach", "-o", world.path("none/g.saved"))
    assert done.returncode == 1 and "cannot write" in done.stderr, done
    assert net.a.ask("GET", "/v1/instances/g")[0] == 200


if __name__ == "__main__":
    main()
