#!/usr/bin/env python3
"""What cannot be: one clear sentence and a non-zero exit, never a trace and never silence."""
import os
import re
import subprocess
import textwrap

from smoke import ROOT, Host, Skip, main, tenant_row, test
from lab.daemon import HEADGATE, HEADGATED  # found by way of smoke

GOOD = """\
uplinks:
  - {{name: up0, device: "tap:{0}up", netns: {0}out, capacity: 1Gbit}}
tenants:
  - name: acme
    contract:
      out: {{min: 100Mbit}}
    instances:
      - name: a
"""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30,
                          **options)
    return done.returncode, (done.stdout + done.stderr).strip()


def says(text, *words):
    """One or two lines for a person, with these words, and no trace of the inside."""
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"
    for bad in ("Sanitizer", "Segmentation", "assert", "EAL:"):
        assert bad not in text, text
    assert 0 < len(text.splitlines()) <= 4, text


def write(world, text, name="bad.yaml"):
    path = world.path(name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


@test
def check_accepts_what_is_right(world):
    path = write(world, GOOD.format(world.prefix))
    code, text = run(HEADGATED, "--check", path)
    assert code == 0, text


@test
def check_names_file_line_column_path_and_nearest_match(world):
    path = write(world, GOOD.format(world.prefix).replace("min: 100Mbit", "mim: 100Mbit"))
    code, text = run(HEADGATED, "--check", path)
    assert code != 0
    says(text, f"{path}:6:", "contract.out", "mim", "min")


@test
def check_refuses_units_that_mislead(world):
    for bad in ("100", "100Mbps", "100MB/s"):
        path = write(world, GOOD.format(world.prefix).replace("100Mbit", bad))
        code, text = run(HEADGATED, "--check", path)
        assert code != 0, bad
        says(text, f"{path}:6:", "min", "bit")


@test
def check_refuses_keys_not_served_by_name(world):
    good = GOOD.format(world.prefix)
    for key, line in (("disk", "        disk: {iops: 2}\n"),
                      ("credits", "        contract: {credits: {}}\n")):
        path = write(world, good + line)
        code, text = run(HEADGATED, "--check", path)
        assert code != 0, key
        says(text, f"{path}:9:", key)


@test
def check_refuses_depths_that_cannot_be(world):
    """No packet at all, less than one packet, absurdly much: each with the range."""
    good = GOOD.format(world.prefix)
    for line, *words in (("depth: 0B", "0B", "1.6KB to 64MiB"),
                         ("depth: 1B", "1B", "1.6KB to 64MiB"),
                         ("depth: 1GiB", "1GiB", "1.6KB to 64MiB"),
                         ("depth: 5KB, mtu: 9000", "5KB", "9042B to 64MiB"),
                         ("depth_scale: 0", "1 to 16"), ("depth_scale: 100", "1 to 16"),
                         ("cut: 1ns", "1us to 1s"), ("inflight: maybe", "on, off")):
        path = write(world, good.replace("1Gbit}", f"1Gbit, {line}}}"))
        code, text = run(HEADGATED, "--check", path)
        assert code != 0, line
        says(text, f"{path}:2:", "uplinks[0]." + line.split(":")[0], *words)


@test
def check_refuses_a_priority_of_a_tenant(world):
    path = write(world, GOOD.format(world.prefix).replace("min: 100Mbit", "priority: high"))
    code, text = run(HEADGATED, "--check", path)
    assert code != 0
    says(text, f"{path}:6:", "tenants[0].contract.out.priority", "each instance")


@test
def check_refuses_what_does_not_fit_the_link(world):
    path = write(world, GOOD.format(world.prefix).replace("100Mbit", "2Gbit"))
    code, text = run(HEADGATED, "--check", path)
    assert code != 0
    says(text, "2Gbit", "1Gbit", "acme")


@test
def check_accepts_what_the_documents_show(world):
    """The first contract of the README, and the example that is installed."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as readme:
        contract = re.search(r"headgated\.yaml`:\n\n((?:    .*\n)+)", readme.read()).group(1)
    for path in (write(world, textwrap.dedent(contract), "readme.yaml"),
                 os.path.join(ROOT, "packaging", "headgated.example.yaml")):
        code, text = run(HEADGATED, "--check", path)
        assert code == 0, text


@test
def check_refuses_a_port_without_mac_behind_a_shared_uplink(world):
    """The host's card cannot be listened to for whoever may be behind it."""
    port = GOOD.format(world.prefix) + '        ports: [{name: a-0, device: "tap:a-0"}]\n'
    for device, wanted in ((f"tap:{world.prefix}up", 0), ("xdp:eth1", 1),
                           ("simnic(rate=1Gbit,ring=64)+xdp:eth1", 1)):
        text = port.replace(f"tap:{world.prefix}up", device)
        code, said = run(HEADGATED, "--check", write(world, text))
        assert code == wanted, (device, said)
        if wanted:
            says(said, "a-0", "up0", device, "mac")


@test
def check_refuses_a_missing_file(world):
    code, text = run(HEADGATED, "--check", world.path("none.yaml"))
    assert code != 0
    says(text, "none.yaml")


@test
def start_refuses_a_socket_in_use(world):
    host = Host(world)
    host.start()
    code, text = run(*host.daemon.command(host.config_path))
    assert code != 0
    says(text, host.daemon.socket, "use")
    assert host.daemon.status()["host"]["mode"] == "enforce", "the first one was harmed"


@test
def start_refuses_a_folder_that_is_not_there(world):
    path = write(world, GOOD.format(world.prefix))
    world.netns("out")
    code, text = run(HEADGATED, "--config", path, "--socket", "/nonexistent/x.sock", "--state",
                     world.path("state"))
    assert code != 0
    says(text, "/nonexistent/x.sock")


@test
def start_refuses_missing_rights(world):
    """As a user who may make neither a TAP nor a namespace."""
    path = write(world, GOOD.format(world.prefix))
    os.chmod(path, 0o644)
    folder = world.path("nobody")
    os.mkdir(folder)
    os.chown(folder, 65534, 65534)
    code, text = run(HEADGATED, "--config", path, "--socket", f"{folder}/x.sock", "--state",
                     f"{folder}/state", user=65534, group=65534, extra_groups=[])
    if "ermission denied" in text and HEADGATED in text:
        raise Skip("another user may not read the build folder")
    assert code != 0
    lines = text.splitlines()
    assert any("right" in line or "permi" in line or "root" in line or "CAP_" in line
               for line in lines), text


@test
def full_disk_refuses_the_change_and_keeps_the_state(world):
    """The state file lies on a file system that is full: the change is taken back, and said so."""
    small = world.path("small")
    os.mkdir(small)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small],
                             check=False).returncode == 0
    if not mounted:
        raise Skip("a small tmpfs cannot be mounted here")
    try:
        host = Host(world)
        host.daemon.state = os.path.join(small, "state")
        acme = host.tenant("acme", {"out": {"max": "300Mbit"}})
        host.start()
        with open(os.path.join(small, "filler"), "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass
        # More than the file system can hold in any case, and a changed contract.
        acme["contract"]["out"]["max"] = "200Mbit"
        acme["instances"] += [{"name": f"extra-instance-number-{n}"} for n in range(2000)]
        done = host.daemon.headgate("apply", host.write())
        assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
        says(done.stderr.strip(), "space")
        row = tenant_row(host.daemon.status(), "acme")["out"]
        assert row["contract"]["max_bytes_per_s"] == 37_500_000, row["contract"]
        host.daemon.stop()
    finally:
        subprocess.run(["umount", "-l", small], check=False)


@test
def command_says_when_the_daemon_is_not_there(world):
    code, text = run(HEADGATE, "--socket", world.path("none.sock"), "show")
    assert code == 5, (code, text)
    says(text, "none.sock")


@test
def command_exit_codes(world):
    host = Host(world)
    host.tenant("acme")
    host.start()
    for code, words in ((0, ["show"]), (0, ["-j", "show"]), (2, ["frobnicate"]),
                        (3, ["instance", "show", "nobody"]), (3, ["explain", "nobody"]),
                        (0, ["explain", "acme"]), (0, ["tenant", "list"]),
                        (0, ["instance", "show", "acme"]), (0, ["port", "list"]),
                        (0, ["show", "uplink"]), (0, ["show", "uplink", "up0"]),
                        (3, ["show", "uplink", "up9"]), (0, ["-j", "uplink", "show", "up0"]),
                        (2, ["uplink", "set", "up0"]), (3, ["uplink", "set", "up9", "--mtu", "1500"]),
                        (1, ["uplink", "set", "up0", "--depth", "0B"]),
                        (0, ["uplink", "set", "up0", "--inflight", "off"]),
                        (0, ["uplink", "depth", "up0"]), (3, ["uplink", "depth", "up9"]),
                        (1, ["uplink", "depth", "up0", "--since", "x"]),
                        (0, ["export"]), (1, ["diff", world.path("none.yaml")])):
        done = host.daemon.headgate(*words)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)


if __name__ == "__main__":
    main()
