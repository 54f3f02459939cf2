#!/usr/bin/env python3
"""Changes while traffic flows: nothing is lost, all is soon in force, and what cuts one off comes back."""
import json
import subprocess
import time

from smoke import IS_LONG, Host, LabError, Load, ip, main, tenant_row, test, until

N_CHANGES = 10_000 if IS_LONG else 1000


@test
def s1_11_a_thousand_changes_under_load_lose_no_packet(world):
    host = Host(world)
    counted = host.tenant("count", {"out": {"min": "100Mbit"}})
    flood = host.tenant("flood", {"out": {"min": "100Mbit"}})
    host.start()
    host.serve("out")
    host.load("flood", "flood", "out", 5001, "--seconds", 600, "--streams", 4)
    receiver = Load(world, world.name("out"), "seq-recv", f"{host.addresses['out']}:5020",
                    "--seconds", 600).wait_listening()
    # What is sent before that waits in its own kernel, where some 200 find room.
    until(lambda: host.reaches("count", host.addresses["out"]), 15, "the way to be known")
    sender = host.load("count", "seq-send", "out", 5020, "--seconds", 600, "--pkts-per-s", 5000,
                       "--request-bytes", 500)
    until(lambda: tenant_row(host.daemon.status(), "flood")["out"]["second"]["sent_bytes_per_s"]
          > 50e6, 15, "the flood to fill the link")
    before = host.daemon.status()["host"]["generation"]
    for number in range(N_CHANGES):
        counted["contract"]["out"]["min"] = f"{60 + number % 40}Mbit"
        flood["contract"]["out"] = {"min": "100Mbit", "max": f"{500 + number % 300}Mbit",
                                    "weight": 1 + number % 9}
        status, answer = host.daemon.ask("PUT", "/v1/config", json.dumps(host.config))
        assert status == 200, answer
    generation = host.daemon.status()["host"]["generation"]
    assert generation == before + N_CHANGES, (before, generation)
    assert sender.finish()["sent"] > N_CHANGES
    total = receiver.wait(20)
    assert total["missing"] == 0 and total["twice"] == 0, total


@test
def the_counter_of_loss_sees_loss(world):
    """The broken twin of the test above: a queue that drops behind the sender's back, at a bridge on the way."""
    near, far, way = world.netns("near"), world.netns("far"), world.netns("way")
    ip("link", "add", "br0", "type", "bridge", netns=way)
    for netns, port, address in ((near, "near", "10.78.0.1/24"), (far, "far", "10.78.0.2/24")):
        ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", netns, netns=way)
        ip("link", "set", port, "master", "br0", netns=way)
        ip("link", "set", port, "up", netns=way)
        world.address(netns, "eth0", address)
    ip("link", "set", "br0", "up", netns=way)
    receiver = Load(world, far, "seq-recv", "10.78.0.2:5020").wait_listening()
    code = subprocess.call(["tc", "-n", way, "qdisc", "add", "dev", "far", "root", "tbf", "rate",
                            "2mbit", "burst", "3000", "limit", "3000"])
    assert code == 0
    Load(world, near, "seq-send", "10.78.0.2:5020", "--seconds", 2, "--pkts-per-s", 5000,
         "--request-bytes", 500).wait(10)
    total = receiver.wait(20)
    assert total["missing"] > 0 and total["complete"], total


@test
def s1_11_a_change_shows_within_a_second(world):
    host = Host(world)
    flood = host.tenant("flood")
    host.start()
    host.serve("out")
    host.load("flood", "flood", "out", 5001, "--seconds", 600, "--streams", 4)
    until(lambda: tenant_row(host.daemon.status(), "flood")["out"]["second"]["sent_bytes_per_s"]
          > 100e6, 15, "the flood to fill the link")
    flood["contract"] = {"out": {"max": "200Mbit"}}
    began = time.monotonic()
    host.apply()
    row = tenant_row(host.daemon.status(), "flood")["out"]
    assert row["contract"]["max_bytes_per_s"] == 25_000_000, row["contract"]
    assert time.monotonic() - began < 1.0
    second = tenant_row(host.next_second(), "flood")["out"]["second"]
    assert second["sent_bytes_per_s"] < 25e6 * 1.02 + 300e3, second


@test
def s1_11_an_unconfirmed_change_is_taken_back(world):
    host = Host(world)
    acme = host.tenant("acme", {"out": {"max": "300Mbit"}})
    host.start()

    def maximum():
        return tenant_row(host.daemon.status(), "acme")["out"]["contract"]["max_bytes_per_s"]
    acme["contract"]["out"]["max"] = "1Mbit"
    host.apply("--confirm", "2s")
    assert maximum() == 125_000
    until(lambda: maximum() == 37_500_000, 6, "the previous contract to come back")
    host.apply("--confirm", "30s")
    status, answer = host.daemon.ask("POST", "/v1/config/confirm")
    assert status == 200, answer
    assert host.daemon.status()["host"]["confirm_within_ns"] == 0
    assert maximum() == 125_000


@test
def s1_10_too_much_is_refused_and_nothing_changes(world):
    host = Host(world)
    acme = host.tenant("acme", {"out": {"min": "300Mbit"}})
    host.tenant("other", {"out": {"min": "300Mbit"}})
    host.start()
    before = host.daemon.status()["host"]["generation"]
    acme["contract"]["out"]["min"] = "800Mbit"
    done = host.daemon.headgate("apply", host.write())
    said = done.stdout + done.stderr
    assert done.returncode == 4, (done.returncode, said)
    for word in ("1.1Gbit", "acme", "other"):
        assert word in said, said
    assert host.daemon.status()["host"]["generation"] == before


@test
def s1_13_observe_measures_and_holds_nothing(world):
    host = Host(world)
    host.config["mode"] = "observe"
    host.tenant("flood", {"out": {"max": "50Mbit"}})
    host.start()
    host.serve("out")
    host.load("flood", "flood", "out", 5001, "--seconds", 600, "--streams", 4)

    def rate():
        return tenant_row(host.daemon.status(), "flood")["out"]["second"]["sent_bytes_per_s"]
    until(lambda: rate() > 60e6, 15, "more than the maximum to pass")
    host.config["mode"] = "enforce"
    host.apply()
    second = tenant_row(host.next_second(), "flood")["out"]["second"]
    assert second["sent_bytes_per_s"] < 6.25e6 * 1.02 + 300e3, second


@test
def s1_12_receive_maxima_hold_and_show_says_what_a_guarantee_covers(world):
    """From the outside and from a neighbour: the maximum binds the sum."""
    host = Host(world)
    acme = host.tenant("acme", None, ["a", "b"])
    acme["instances"][0]["contract"] = {"in": {"min": "10Mbit", "max": "100Mbit"}}
    acme["contract"] = {"in": {"min": "10Mbit"}}
    host.start()
    host.serve("a")
    for sender in ("out", "b"):
        host.load(sender, "flood", "a", 5001, "--seconds", 600, "--streams", 2)

    def second(status):
        return tenant_row(status, "acme")["instances"][0]["in"]["second"]
    until(lambda: second(host.daemon.status())["held_ns"]["max"] > 0, 15, "the maximum to hold something")
    row = second(host.next_second())
    assert row["sent_bytes_per_s"] * row["for_ns"] / 1e9 < 12.5e6 + 200e3, row
    done = host.daemon.headgate("show")
    assert "what reached the card" in done.stdout, done.stdout
    done = host.daemon.headgate("explain", "a")
    assert "what reached this host's card" in done.stdout, done.stdout


@test
def instance_steps_are_idempotent(world):
    host = Host(world)
    host.tenant("acme", None, ["a"])
    host.start()
    body = json.dumps({"tenant": "acme", "contract": {"out": {"max": "10Mbit"}}})
    changed = []
    for _ in range(2):
        status, answer = host.daemon.ask("PUT", "/v1/instances/extra", body)
        assert status == 200, answer
        changed.append(answer["changed"])
    for _ in range(2):
        status, answer = host.daemon.ask("DELETE", "/v1/instances/extra")
        assert status == 200, answer
        changed.append(answer["changed"])
    assert changed == [True, False, True, False], changed
    try:
        host.daemon.instance("extra")
    except LabError:
        return
    raise AssertionError("the instance is still there")


if __name__ == "__main__":
    main()
