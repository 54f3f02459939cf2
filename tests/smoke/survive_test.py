#!/usr/bin/env python3
"""What outlives headgated: interfaces, connections, the state in force."""
import json
import subprocess
import sys

from smoke import HERE, Host, main, test, until

TRANSFER_BYTES = 120_000_000
PORT = 5010


def transfer(host, name, what, address):
    return host.world.start([sys.executable, f"{HERE}/transfer.py", what, address, str(PORT),
                             str(TRANSFER_BYTES)], host.world.name(name), stdout=subprocess.PIPE,
                            text=True)


@test
def transfer_survives_kill_9_and_a_new_start(world):
    host = Host(world)
    host.tenant("acme", {"out": {"max": "400Mbit"}}, ["a", "b"])
    host.start()
    receiver = transfer(host, "b", "receive", host.addresses["b"])
    receiver.stdout.readline()
    sender = transfer(host, "a", "send", host.addresses["b"])
    until(lambda: host.daemon.port("b-0")["tx_bytes"] > TRANSFER_BYTES // 5, 20,
          "a fifth of the transfer")
    host.daemon.kill()
    assert sender.poll() is None, "the transfer was over before the crash"
    host.daemon.start(host.config_path)
    host.daemon.links_up()
    sent = json.loads(sender.communicate(timeout=60)[0])
    received = json.loads(receiver.communicate(timeout=60)[0])
    assert sent["digest"] == received["digest"] and sent["bytes"] == TRANSFER_BYTES, (sent, received)


@test
def interfaces_keep_their_addresses_over_a_restart(world):
    host = Host(world)
    host.tenant("acme", None, ["a", "b"])
    host.start()
    host.serve("b")
    host.daemon.stop()
    host.daemon.start(host.config_path)
    host.daemon.links_up()
    assert host.reaches("a", host.addresses["b"], timeout=5)


if __name__ == "__main__":
    main()
