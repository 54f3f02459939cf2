#!/usr/bin/env python3
"""A load that is told when to work (hgload --slice-ms): nothing is sent but in its slices, and each ends what it began."""
from smoke import Load, main, test

SERVER = "127.0.0.1:5001"
LONG_BYTES = 4_000_000


def sent_bytes(total):
    return round(total["sent_mbit_per_s"] * total["seconds"] * 1e6 / 8)


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
        sent = sent_bytes(total)
        # With the headers of the exchanges, and what three decimals of a second leave out.
        assert total["count"] >= 1 and abs(sent / total["count"] / LONG_BYTES - 1) < 0.2, total
    load.end()


@test
def only_exchanges_can_be_told_when(world):
    load = Load(world, world.netns("load"), "flood", SERVER, "--slice-ms", 50)
    load.process.wait(20)
    assert load.code() == 2, load.code()


if __name__ == "__main__":
    main()
