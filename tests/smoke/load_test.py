#!/usr/bin/env python3
"""A load that is told when to work (hgload --slice-ms): nothing is sent but in its slices, and each ends what it began."""
from smoke import Load, main, test

SERVER = "127.0.0.1:5001"
LONG_BYTES = 200_000_000  # takes many times the slice and what its seconds are rounded by


def begin(world, *options):
    netns = world.netns("load")
    Load(world, netns, "serve", SERVER, "--seconds", 60).wait_listening()
    return Load(world, netns, "rr", SERVER, *options).wait_ready()


@test
def each_signal_is_one_slice_and_one_total(world):
    load = begin(world, "--slice-ms", 50)
    totals = [load.slice(20) for _ in range(3)]
    assert [total["second"] for total in totals] == [0, 1, 2], totals
    for total in totals:
        assert total["count"] > 0 and total["p50_us"] > 0 and total["seconds"] >= 0.05, total
    assert load.code() is None and load.n_totals == 3
    load.end()


@test
def what_is_begun_in_a_slice_ends_in_it(world):
    load = begin(world, "--slice-ms", 1, "--request-bytes", LONG_BYTES, "--response-bytes", 1)
    for _ in range(3):
        total = load.slice(20)
        # Whole exchanges and nothing else were sent in that time, at that rate.
        seconds = total["count"] * LONG_BYTES * 8e-6 / total["sent_mbit_per_s"]
        assert total["count"] == 1 and abs(seconds - total["seconds"]) < 0.002 + 0.01 * seconds, total
    load.end()


@test
def only_exchanges_can_be_told_when(world):
    load = Load(world, world.netns("load"), "flood", SERVER, "--slice-ms", 50)
    load.process.wait(20)
    assert load.code() == 2, load.code()


if __name__ == "__main__":
    main()
