"""A reader of pcapng files, as strict as the format: every block whole, every option known."""
import struct

SECTION_HEADER, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
OUT, IN = "out", "in"


class Packet:
    def __init__(self, at_ns, frame, total, options):
        self.at_ns, self.frame, self.total = at_ns, frame, total
        flags = struct.unpack("<I", options[2])[0]
        self.direction = {1: IN, 2: OUT}[flags & 3]
        self.comment = options.get(1, b"").decode()


class File:
    """packets; name, device and snaplen of the interface; end: what the statistics say, or None."""

    def __init__(self, data):
        self.packets, self.end, self.name = [], None, None
        at = 0
        while at < len(data):
            kind, size = struct.unpack_from("<II", data, at)
            assert size % 4 == 0 and size >= 12 and at + size <= len(data), (at, size, len(data))
            assert struct.unpack_from("<I", data, at + size - 4)[0] == size, "lengths differ"
            assert (kind == SECTION_HEADER) == (at == 0), "a section header, and only in front"
            assert self.end is None, "a block behind the statistics"
            self._block(kind, data[at + 8:at + size - 4])
            at += size

    def _block(self, kind, body):
        if kind == SECTION_HEADER:
            magic, major, minor, length = struct.unpack_from("<IHHq", body)
            assert (magic, major, minor, length) == (0x1A2B3C4D, 1, 0, -1), body
            self.maker = options(body[16:])[4].decode()
        elif kind == INTERFACE:
            link, _, self.snaplen = struct.unpack_from("<HHI", body)
            assert link == 1 and self.name is None
            found = options(body[8:])
            self.name, self.device = found[2].decode(), found[3].decode()
            assert found[9] == b"\x09", "nanoseconds"
        elif kind == PACKET:
            interface, high, low, kept, total = struct.unpack_from("<IIIII", body)
            assert interface == 0 and kept <= total and kept <= self.snaplen
            padded = (kept + 3) // 4 * 4
            self.packets.append(Packet(high << 32 | low, body[20:20 + kept], total,
                                       options(body[20 + padded:])))
        else:
            assert kind == STATISTICS, kind
            found = options(body[12:])
            counts = {key: struct.unpack("<Q", found[code])[0]
                      for key, code in (("missed", 5), ("passed", 6), ("written", 8))}
            self.end = {"why": found[1].decode(), **counts}


def options(data):
    found, at = {}, 0
    while at < len(data):
        code, size = struct.unpack_from("<HH", data, at)
        if code == 0:
            assert at + 4 == len(data), "something behind the last option"
            return found
        found[code] = data[at + 4:at + 4 + size]
        at += 4 + (size + 3) // 4 * 4
    assert not data, "no end of the options"
    return found


def read(path):
    with open(path, "rb") as file:
        return File(file.read())
