#!/usr/bin/env python3
"""Looking at ports: headgate capture, and mirrors."""
import ctypes
import os
import signal
import subprocess
import sys
import time

import pcapng
from smoke import HEADGATE, Host, main, test, until

PORT = 7777
# Sends numbered datagrams from a namespace to address:port.
SEND = ("import socket, sys\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for i in range(int(sys.argv[3])):\n"
        "    s.sendto(b'number %06d ' % i + b'x' * int(sys.argv[4]), (sys.argv[1], int(sys.argv[2])))\n")


def start(world):
    host = Host(world)
    host.tenant("acme", None, ["a", "b"])
    host.tenant("big", None, ["c"])
    host.start()
    send(host, "a", "b", 1, 9)  # addresses are known from now on
    return host


def send(host, from_name, to_name, n, port=PORT, n_bytes=20):
    subprocess.run(["ip", "netns", "exec", host.world.name(from_name), sys.executable, "-c", SEND,
                    host.addresses[to_name], str(port), str(n), str(n_bytes)], check=True, timeout=30)


class Capture:
    """headgate capture, under way: it has answered with the beginning of the file."""

    def __init__(self, host, port, *options):
        self.path = host.world.path(f"{port}-{time.monotonic_ns()}.pcapng")
        self.process = host.world.start([HEADGATE, "--socket", host.daemon.socket, "capture", port,
                                         "-w", self.path, *options], stderr=subprocess.PIPE,
                                        text=True)
        until(self.has_begun, 10, "the capture to begin")

    def has_begun(self):
        return os.path.exists(self.path) and os.path.getsize(self.path) > 0

    def end(self, timeout=20):
        """What it wrote, once it has ended by itself, and what it said."""
        said = self.process.communicate(timeout=timeout)[1]
        assert self.process.returncode == 0, (self.process.returncode, said)
        return pcapng.read(self.path), said


def numbers(packets):
    return [int(p.frame.split(b"number ")[1][:6]) for p in packets]


def lengths_by_libpcap(path):
    """The frames of a file as libpcap reads it: what tcpdump would see."""
    class Header(ctypes.Structure):
        _fields_ = [("s", ctypes.c_long), ("us", ctypes.c_long), ("kept", ctypes.c_uint32),
                    ("total", ctypes.c_uint32)]
    pcap = ctypes.CDLL("libpcap.so.0.8")
    pcap.pcap_open_offline.restype = ctypes.c_void_p
    why = ctypes.create_string_buffer(256)
    file = ctypes.c_void_p(pcap.pcap_open_offline(path.encode(), why))
    assert file.value, why.value
    header, data, lengths = ctypes.POINTER(Header)(), ctypes.c_void_p(), []
    while (code := pcap.pcap_next_ex(file, ctypes.byref(header), ctypes.byref(data))) == 1:
        lengths.append(header.contents.total)
    assert code == -2, "not read to its end"
    pcap.pcap_close(file)
    return lengths


@test
def s5_1_capture_is_a_file_that_readers_of_packets_take(world):
    host = start(world)
    before = time.time_ns()
    receiver = Capture(host, "b-0", "--filter", f"udp port {PORT}", "--count", "30")
    sender = Capture(host, "a-0", "--filter", f"udp dst port {PORT}", "--count", "30",
                     "--snaplen", "60")
    send(host, "a", "b", 3, 8888)
    send(host, "a", "b", 30)
    got, said = receiver.end()
    assert numbers(got.packets) == list(range(30))
    assert {p.direction for p in got.packets} == {pcapng.IN}
    assert all(before < p.at_ns < time.time_ns() for p in got.packets), "not real time"
    assert [p.at_ns for p in got.packets] == sorted(p.at_ns for p in got.packets)
    assert all(p.frame.endswith(b"x" * 20) and p.total == len(p.frame) for p in got.packets)
    assert got.name == "b-0" and got.device == f"tap:{world.name('b')}", (got.name, got.device)
    assert got.maker.startswith("headgate "), got.maker
    assert got.end == {"why": "the number of packets is reached", "missed": 0, "passed": 30,
                       "written": 30}, got.end
    assert said == "30 packets; ended: the number of packets is reached\n", said
    got, _ = sender.end()
    assert {p.direction for p in got.packets} == {pcapng.OUT}
    assert {(len(p.frame), p.total) for p in got.packets} == {(60, 14 + 20 + 8 + 14 + 20)}
    assert got.snaplen == 60
    assert lengths_by_libpcap(receiver.path) == [76] * 30


@test
def s5_1_capture_shows_segments_as_they_travel(world):
    host = start(world)
    host.serve("b")
    capture = Capture(host, "b-0", "--direction", "in", "--filter", "tcp", "--snaplen", "100")
    host.load("a", "flood", "b", 5001, "--seconds", 1).process.wait(timeout=30)
    capture.process.send_signal(signal.SIGINT)
    got, said = capture.end()
    assert "the reader ended it" in said, said
    assert max(p.total for p in got.packets) > 10000, "no segment is longer than a packet"
    assert any("to be split" in p.comment for p in got.packets)
    assert got.end["written"] == len(got.packets)
    assert got.end["written"] + got.end["missed"] >= got.end["passed"], got.end


@test
def s5_1_capture_ends_at_each_of_its_limits(world):
    host = start(world)
    timed = Capture(host, "b-0", "--seconds", "1")
    small = Capture(host, "b-0", "--bytes", "5000", "--filter", f"udp port {PORT}")
    send(host, "a", "b", 100, PORT, 500)
    assert "its time is over" in timed.end()[1]
    got, said = small.end()
    assert "the file is as large as it may be" in said, said
    assert 4000 < os.path.getsize(small.path) <= 5000, os.path.getsize(small.path)
    assert numbers(got.packets) == list(range(len(got.packets)))
    # Busy all the time, it ends in time all the same.
    busy = Capture(host, "b-0", "--seconds", "1", "--snaplen", "64")
    host.serve("b")
    load = host.load("a", "flood", "b", 5001, "--seconds", 4)
    assert "its time is over" in busy.end(timeout=4)[1]
    load.process.wait(timeout=30)


@test
def s5_1_capture_goes_to_a_pipe_and_to_a_terminal_for_people(world):
    host = start(world)
    base = [HEADGATE, "--socket", host.daemon.socket, "capture", "b-0", "--filter",
            f"udp port {PORT}", "--count", "5"]
    piped = world.start([*base, "-w", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    lines = world.start(base, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def both_have_enough():
        send(host, "a", "b", 5)
        return piped.poll() is not None and lines.poll() is not None
    until(both_have_enough, 20, "both to see five packets")
    assert len(pcapng.File(piped.communicate(timeout=10)[0]).packets) == 5
    said = lines.communicate(timeout=10)[0].splitlines()
    assert len(said) == 5, said
    words = said[0].split()
    assert words[1] == "in" and words[3] == ">" and words[5] == "udp", words
    assert words[2].startswith(host.addresses["a"] + ":"), words
    assert words[4] == f"{host.addresses['b']}:{PORT}" and words[6] == "76", words


@test
def s5_1_capture_of_an_uplink_sees_both_ways(world):
    host = start(world)
    capture = Capture(host, "up0", "--uplink", "--filter", f"udp port {PORT}", "--count", "20")
    send(host, "a", "out", 10)
    send(host, "out", "a", 10)
    got, _ = capture.end()
    assert [p.direction for p in got.packets] == [pcapng.OUT] * 10 + [pcapng.IN] * 10


@test
def s5_1_capture_says_what_is_wrong(world):
    host = start(world)
    path = world.path("x.pcapng")

    def refused(code, *args):
        done = host.daemon.headgate("capture", *args)
        assert done.returncode == code, (done.returncode, done.stderr)
        assert not os.path.exists(path) or not os.path.getsize(path), "a file was written"
        return done.stderr
    assert "there is no port named b-1; did you mean b-0?" in refused(3, "b-1")
    assert "up0 is an uplink" in refused(3, "up0")
    assert "there is no uplink named b-0" in refused(3, "b-0", "--uplink")
    said = refused(2, "b-0", "--filter", "tcp prot 80", "-w", path)
    assert "the filter 'tcp prot 80' is wrong: " in said and "syntax error" in said, said
    assert "the filter has a loop" in refused(1, "b-0", "--filter", "ip protochain 6")
    assert "/nowhere/x: No such file or directory" in refused(1, "b-0", "-w", "/nowhere/x")
    assert "count is a number in [1, 1000000000000], not \"0\"" in refused(1, "b-0", "--count", "0")
    assert "direction is both, out or in, not \"up\"" in refused(1, "b-0", "--direction", "up")
    full = host.daemon.headgate("capture", "b-0", "-w", "/dev/full", "--seconds", "1")
    assert full.returncode == 1 and "/dev/full: No space left on device" in full.stderr, full.stderr


@test
def s5_1_captures_are_few_and_given_back(world):
    host = start(world)
    running = [Capture(host, port) for port in ("a-0", "b-0", "b-0", "c-0")]
    done = host.daemon.headgate("capture", "a-0", "--count", "1")
    assert done.returncode == 1, done.stdout
    for port, capture in zip(("a-0", "b-0", "b-0", "c-0"), running):
        assert f"{port} by process {capture.process.pid} of user 0" in done.stderr, done.stderr
    # Killed, it leaves room for another, and a file that can be read.
    running[0].process.send_signal(signal.SIGKILL)
    running[0].process.wait()
    until(lambda: host.daemon.headgate("capture", "a-0", "--seconds", "1").returncode == 0, 10,
          "room for another capture")
    pcapng.read(running[0].path)
    # Its port goes, and only its.
    done = host.daemon.headgate("port", "detach", "c-0")
    assert done.returncode == 0, done.stderr
    got, said = running[3].end()
    assert "ended: the port was removed" in said and got.end, said
    assert running[1].process.poll() is None
    # The daemon goes.
    host.daemon.stop()
    for capture in running[1:3]:
        said = capture.process.communicate(timeout=10)[1]
        assert capture.process.returncode == 1 and "headgated went away" in said, said
        pcapng.read(capture.path)


@test
def s5_1_mirror_of_a_tap_reaches_another(world):
    host = start(world)
    host.tenant("spies", None, ["spy"])
    spied = host.config["tenants"][0]["instances"][0]["ports"][0]
    spied["mirror"] = {"to": "spy-0", "direction": "out"}
    refused = host.daemon.headgate("apply", host.write())
    assert refused.returncode == 1, refused.stdout
    assert "port spy-0 is of tenant spies, who would read what tenant acme sends" in refused.stderr
    spied["mirror"]["across_tenants"] = "on"
    host.apply()
    host.daemon.links_up()
    assert host.daemon.port("a-0")["mirror"] == {"to": "spy-0", "direction": "out"}
    # What the spy's TAP gets is what its port's capture shows, and so does the kernel behind it.
    capture = Capture(host, "spy-0", "--filter", f"udp port {PORT}", "--count", "50")
    kernel = f"/sys/class/net/{world.name('spy')}/statistics/rx_packets"
    count = ["ip", "netns", "exec", world.name("spy"), "cat", kernel]
    before = int(subprocess.run(count, capture_output=True, check=True).stdout)
    send(host, "a", "b", 50)
    got, _ = capture.end()
    assert numbers(got.packets) == list(range(50))
    until(lambda: int(subprocess.run(count, capture_output=True, check=True).stdout) >= before + 50, 10,
          "the kernel to count the copies")


if __name__ == "__main__":
    main()
