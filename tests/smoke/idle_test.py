#!/usr/bin/env python3
"""A host on which nothing happens costs nothing."""
import os
import time

from smoke import Host, main, test

WINDOW_S = 5.0
N_INSTANCES = 20


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        name, fields = stat.read().rsplit(")", 1)
    assert name.endswith("(headgated"), name
    fields = fields.split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@test
def idle_host_uses_less_than_one_percent_of_a_processor(world):
    host = Host(world)
    for number in range(N_INSTANCES):
        host.tenant(f"t{number}", {"out": {"min": "10Mbit"}})
    host.start()
    host.next_second()
    # The window is the measurement itself: nothing is waited for.
    before, began = cpu_seconds(host.daemon.process.pid), time.monotonic()
    time.sleep(WINDOW_S)
    used = cpu_seconds(host.daemon.process.pid) - before
    share = used / (time.monotonic() - began)
    print(f"idle: {100 * share:.2f} % of one processor")
    assert share < 0.01, share


if __name__ == "__main__":
    main()
