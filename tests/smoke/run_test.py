#!/usr/bin/env python3
"""./run itself: its verdict, its output on 80 columns, and that nothing is left behind."""
import json
import os
import signal
import subprocess
import sys

from smoke import IS_LONG, ROOT, LabError, Skip, ip, main, test, until

SECONDS = 120 if IS_LONG else 8


def run(world, *options):
    """./run without the set-up and the build, which have happened; in a session of its own."""
    return world.start([sys.executable, os.path.join(ROOT, "tools", "demo.py"), *options],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def nothing_left(pid):
    assert f"hg{pid}-" not in ip("netns", "list")
    assert not [n for n in os.listdir("/sys/class/net") if n.startswith(f"hg{pid}-")]
    assert not os.path.exists(f"/run/headgate-lab/{pid}")


@test
def s1_8_every_contract_is_kept_in_each_second(world):
    path = world.path("run.json")
    child = run(world, "--seconds", str(SECONDS), "--json", path)
    text = child.communicate(timeout=4 * SECONDS + 120)[0]
    nothing_left(child.pid)
    if child.returncode == 3:
        raise Skip("the machine underneath took too much processor time away")
    assert child.returncode == 0, text
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert "EVERY CONTRACT WAS KEPT" in text, text
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    print(f"link used {result['link_use']:.4f}, rr's p99 {result['rr_p99_times_better']} times "
          "better")
    assert result["kept"] and result["seconds"] == SECONDS, text
    assert result["link_use"] >= 0.97, text
    assert result["rr_p99_times_better"] >= 10, text


@test
def interrupting_it_leaves_nothing_behind(world):
    child = run(world, "--seconds", "60")
    for line in child.stdout:
        if "second" in line:  # the first block of the table
            break
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == 130, child.returncode
    nothing_left(child.pid)


@test
def what_a_killed_run_left_is_cleaned_by_the_next(world):
    child = run(world, "--seconds", "60")
    for line in child.stdout:
        if "second" in line:
            break
    child.kill()
    child.wait()
    assert f"hg{child.pid}-" in ip("netns", "list"), "nothing was left, so nothing is shown"
    following = run(world, "--seconds", "60")
    until(lambda: not os.path.exists(f"/run/headgate-lab/{child.pid}"), 30,
          "the next run to clean up")
    following.send_signal(signal.SIGTERM)
    following.communicate(timeout=30)
    nothing_left(child.pid)
    nothing_left(following.pid)


@test
def two_at_once_do_not_collide(world):
    children = [run(world, "--seconds", "60") for _ in range(2)]
    for child in children:
        for line in child.stdout:
            if "second" in line:
                break
        if child.poll() is not None:
            raise LabError("one of the two ended")
    for child in children:
        child.send_signal(signal.SIGTERM)
    for child in children:
        child.communicate(timeout=30)
        nothing_left(child.pid)


if __name__ == "__main__":
    main()
