"""Whether a contract was kept: the rule of measure, applied to each second again, beside the daemon.

Over a window of T seconds, in W of which something was waiting to be sent,
  a guarantee is kept when  sent >= min(guarantee * W, waiting before + offered) - burst - one packet
  a maximum is kept when    sent <= maximum * T + burst + one packet
W is T for whoever always has something to send. What arrives at the end of the window is not owed before
it arrived, and who never waits was given all that was asked for. The daemon judges by the same rule. Here it is computed from the published figures, so that the verdict
does not rest on the word of the one who is judged.
"""

# The largest packet: a segment of 65,535 bytes in 46 wire packets, headers and 24 bytes each.
ONE_PACKET_BYTES = 65536 + 46 * (54 + 24)
DIRECTIONS = ("out", "in")


def is_kept(contract, second, waiting_before):
    """(minimum kept, maximum kept) for one direction and one second."""
    seconds = second["for_ns"] / 1e9
    slack = contract["burst_bytes"] + ONE_PACKET_BYTES
    on_link = second["link_sent_bytes_per_s"] * seconds
    offered = second["link_offered_bytes_per_s"] * seconds + waiting_before
    owed = min(contract["min_bytes_per_s"] * second["wait_ns"] / 1e9, offered)
    maximum = contract["max_bytes_per_s"]
    sent = second["sent_bytes_per_s"] * seconds
    return on_link >= owed - slack, not maximum or sent <= maximum * seconds + slack


class Line:
    """One direction of one tenant's contract over a phase."""

    def __init__(self, tenant, direction, contract):
        self.tenant, self.direction, self.contract = tenant, direction, contract
        self.kept = self.missed = 0
        self.sent = self.offered = 0.0  # bytes
        self.time = 0.0  # seconds counted
        self.last = None  # the daemon's second
        self.missed_at = []
        self.says_missed = 0  # by the daemon
        self.wait_p99_us = self.card_p99_us = 0.0
        self.is_promise = bool(contract["min_bytes_per_s"] or contract["max_bytes_per_s"])

    def book(self, at, second, p99_ns, is_stolen):
        before = self.last["waiting_bytes"] if self.last else 0
        self.last = second
        self.wait_p99_us, self.card_p99_us = p99_ns[0] / 1e3, p99_ns[1] / 1e3
        if is_stolen:
            return
        seconds = second["for_ns"] / 1e9
        self.time += seconds
        self.sent += second["sent_bytes_per_s"] * seconds
        self.offered += second["offered_bytes_per_s"] * seconds
        if all(is_kept(self.contract, second, before)):
            self.kept += 1
        else:
            self.missed += 1
            self.missed_at.append(at)

    def mean(self, what):
        return getattr(self, what) / self.time if self.time else 0.0


class Phase:
    """One configuration under load: its seconds, its lines, and how its tenants felt."""

    def __init__(self, title, capacity_bit_per_s):
        self.title = title
        self.capacity = capacity_bit_per_s / 8
        self.lines = {}
        self.seconds = []
        self.n_wanted = 0  # seconds; for the title of the table
        self.last_second = self.generation = None
        self.n_stolen = 0
        self.kept_waiting = 0.0  # share of the time in which headgated was ready and had no processor
        self.totals = {}
        self._link = []
        self._wire = {}  # what headgate says of the link while work waited, before
        self.dry = {}  # the parts of that time in which the wire was dry, by why
        self._idle = []  # of each second the part in which the link was unused while somebody had something waiting
        self._stolen_before = 0
        self._missed_before = {}

    def begin(self, status):
        """Notes where the counters stand before the first second that counts."""
        self.last_second = status["host"]["seconds"]
        self.generation = status["host"]["generation"]
        self._stolen_before = status["host"]["stolen_seconds"]
        self._wire = self._wire_now(status)
        for tenant, direction, row, _ in self._rows(status):
            line = Line(tenant, direction, row["contract"])
            line.last = row["second"]
            self.lines[tenant, direction] = line
            self._missed_before[tenant, direction] = row["proof"]["missed"]

    @staticmethod
    def _rows(status):
        """Of each contract (tenant, direction, row, (p99 in headgate, p99 in the card)), the longest of
        its instances."""
        for tenant in status["tenants"]:
            for direction in DIRECTIONS:
                seconds = [i[direction]["second"] for i in tenant["instances"]]
                p99_ns = tuple(max((second[key] for second in seconds), default=0)
                               for key in ("wait_p99_ns", "card_p99_ns"))
                yield tenant["name"], direction, tenant[direction], p99_ns

    @staticmethod
    def _card(status):
        """The queue of the uplink's card: by headgate's count, or, where it does not count, by its own."""
        uplink = status["uplinks"][0]
        inflight = uplink["inflight"]
        counts = inflight["outstanding_pkts"] > 0
        return {"bytes": inflight["outstanding_bytes"] if counts else uplink["card_bytes"],
                "pkts": inflight["outstanding_pkts"] if counts else uplink["card_pkts"],
                "state": inflight["state"], "max_bytes": inflight["max_bytes"],
                "p50_ns": inflight["second"]["card_p50_ns"],
                "p99_ns": inflight["second"]["card_p99_ns"],
                "refused_pkts": inflight["second"]["refused_pkts"], "away_lead_ns": inflight["away_lead_ns"],
                "by_tenant": {tenant["name"]: sum(i["out"]["card"]["outstanding_bytes"]
                                                  for i in tenant["instances"])
                              for tenant in status["tenants"]}}

    @staticmethod
    def _wire_now(status):
        total = status["uplinks"][0]["inflight"]["total"]
        return {key: total[key] for key in ("work_bytes", "dry_late_bytes", "dry_beyond_bytes", "dry_full_bytes")}

    @classmethod
    def _waited(cls, status):
        """The part of the second in which something waited to be sent, by who waited longest: at least so much."""
        seconds = [row["second"] for _, direction, row, _ in cls._rows(status) if direction == "out"]
        return min(1.0, max(second["wait_ns"] / second["for_ns"] for second in seconds))

    def change(self, status):
        """Takes over the contracts of a new state; what changed begins anew."""
        self.generation = status["host"]["generation"]
        for tenant, direction, row, _ in self._rows(status):
            key = tenant, direction
            if key not in self.lines or self.lines[key].contract != row["contract"]:
                self.lines[key] = Line(tenant, direction, row["contract"])
                self.lines[key].last = row["second"]
                self._missed_before[key] = 0

    def book(self, status, felt, credits=None):
        """Takes one closed second; felt: what the tenants' own programs measured meanwhile; credits: the
        processor credits of who has any."""
        host = status["host"]
        is_stolen = host["stolen_seconds"] > self._stolen_before
        self._stolen_before = host["stolen_seconds"]
        self.last_second = host["seconds"]
        self.n_stolen += is_stolen
        wire = {key: value - self._wire[key] for key, value in self._wire_now(status).items()}
        whole = max(1, wire["work_bytes"] + wire["dry_late_bytes"] + wire["dry_full_bytes"])
        self.dry = {key: round(wire[f"dry_{key}_bytes"] / whole, 5) for key in ("late", "beyond", "full")}
        uplink = status["uplinks"][0]
        use = uplink["out_bytes_per_s"] / self.capacity
        if not is_stolen:
            self._link.append(use)
            self._idle.append(max(0.0, self._waited(status) - use))
        for tenant, direction, row, wait in self._rows(status):
            line = self.lines[tenant, direction]
            line.book(len(self.seconds) + 1, row["second"], wait, is_stolen)
            line.says_missed = row["proof"]["missed"] - self._missed_before[tenant, direction]
        self.seconds.append({
            "second": len(self.seconds) + 1, "stolen": is_stolen, "link_use": round(use, 5),
            "mode": host["mode"], "felt": felt, "card": self._card(status),
            "credits": credits,
            "contracts": {f"{t} {d}": row["second"] for t, d, row, _ in self._rows(status)}})

    def finish(self, totals):
        self.totals = totals

    def promises(self):
        return [line for line in self.lines.values() if line.is_promise]

    def all_kept(self):
        return bool(self._link) and all(not line.missed and line.says_missed <= 0
                                        for line in self.promises())

    def n_counted(self):
        return len(self.seconds) - self.n_stolen

    def missing_share(self):
        """Of the seconds that were to count, how many did not, though others were measured in their place."""
        return max(0.0, 1.0 - self.n_counted() / self.n_wanted) if self.n_wanted else 1.0

    def stolen_share(self):
        return self.n_stolen / len(self.seconds) if self.seconds else 1.0

    def link_use(self):
        return sum(self._link) / len(self._link) if self._link else 0.0

    def idle_share(self):
        """Of the time, in which the link was unused although something waited. The rest of what is unused is time in
        which nobody had anything to send, if no two took turns in waiting."""
        return sum(self._idle) / len(self._idle) if self._idle else 0.0

    def card(self, what):
        """What the card's queue had in the middle one of the seconds."""
        values = sorted(at["card"][what] for at in self.seconds if not at["stolen"])
        return values[len(values) // 2] if values else 0

    def credits(self, what):
        """Of each second."""
        return [at["credits"][what] for at in self.seconds if at["credits"]]

    def p99_us(self, name):
        return self.totals.get(name, {}).get("p99_us", 0.0)

    def record(self):
        """For --json."""
        return {
            "title": self.title, "link_use": round(self.link_use(), 5),
            "stolen_seconds": self.n_stolen, "felt": self.totals,
            "dry": self.dry,
            "card": {what: self.card(what) for what in ("p50_ns", "p99_ns", "bytes", "pkts",
                                                        "max_bytes", "away_lead_ns")},
            "contracts": [{
                "tenant": line.tenant, "direction": line.direction, "contract": line.contract,
                "kept_seconds": line.kept, "missed_seconds": line.missed,
                "missed_at": line.missed_at, "missed_by_daemon": line.says_missed,
                "offered_bytes_per_s": round(line.mean("offered")),
                "sent_bytes_per_s": round(line.mean("sent"))} for line in self.lines.values()],
            "seconds": self.seconds}
