"""The tenants of ./run: who they are, what each does, what each is owed; as namespaces or as virtual machines."""
import time

from lab.burn import Burner, hierarchies
from lab.guest import Guest, GuestLoad, kvm_works, wait_up
from lab.image import Image
from lab.load import HGLOAD, Load
from lab.world import until

CONFIG = """\
# What ./run starts headgated with. Change a value and: headgate apply THIS-FILE
mode: {mode}
uplinks:
  - name: up0
    device: simnic(rate={r1000},ring=1024)+tap:{prefix}up
    netns: {prefix}out
    capacity: {r1000}
{depth}tenants:
  - name: flood
    contract:
      out: {{min: {r100}}}
      in: {{max: {r200}}}
    instances:
      - name: flood
        ports:
          - {{name: flood-0, {flood}}}
  - name: rr
    contract:
      out: {{min: {r200}}}
      in: {{min: {r100}}}
    instances:
      - name: rr
        ports:
          - {{name: rr-0, {rr}}}
  - name: wake
    contract:
      out: {{min: {r300}, max: {r600}}}
    instances:
      - name: wake
{cpu}        ports:
          - {{name: wake-0, {wake}}}
"""
# A day's credits in half a minute: the most is 3 s of a processor, and a second of rest earns 0.2 s.
CPU = "        cpu: {{cgroup: {group}, baseline: 20%, launch: 0.02, max: 0.05, glide: 500ms}}\n"
# Where machines and headgate share few processors, headgate waits for one for milliseconds at a time, and the link stands
# idle unless the card has something to send for so long: with 4, three full frames more, 1.9 ms on a link of 20 Mbit/s.
DEPTH = "    depth_scale: {scale}\n"
RATES_MBIT_PER_S = (100, 200, 300, 600, 1000)
BURST_BYTES = 8_000_000  # of wake
OUTSIDE = "10.77.0.1"
TENANTS = {"flood": "10.77.0.11", "rr": "10.77.0.12", "wake": "10.77.0.13"}
# name: (tenant, mode, port, options). Each has a server of its own, so that no server is the bottleneck. Who is light
# begins: behind the flood's full plain queue a connection may take many seconds to begin.
LOADS = {
    "rr": ("rr", "rr", 5003, ["--request-bytes", "128", "--response-bytes", "1024"]),
    "wake": ("wake", "wake", 5004, ["--idle-ms", "700"]),
    "flood": ("flood", "flood", 5001, ["--streams", "16"]),
    "download": ("flood", "flood", 5002, ["--streams", "2", "--reverse"]),
}


class Stage:
    """What both have in common. divisor: of all rates and of what wake has to send."""

    divisor = 1
    fills_a_link = True
    depth_scale = 1  # of the uplink
    offered_bit_per_s = None  # what tenants can send, where the link was chosen by it

    burner = None  # of who uses the processor too

    def __init__(self, world):
        self.world = world

    @property
    def capacity_bit_per_s(self):
        return 1_000_000_000 // self.divisor

    def config(self, mode):
        rates = {f"r{rate}": f"{rate // self.divisor}Mbit" for rate in RATES_MBIT_PER_S}
        ports = {name: self.port(name) for name in TENANTS}
        cpu = CPU.format(group=self.burner.group) if self.burner else ""
        depth = DEPTH.format(scale=self.depth_scale) if self.depth_scale > 1 else ""
        return CONFIG.format(mode=mode, prefix=self.world.prefix, cpu=cpu, depth=depth, **rates, **ports)

    def serve(self):
        """The servers in the outside world."""
        for _, _, port, _ in LOADS.values():
            Load(self.world, self.world.name("out"), "serve", f"{OUTSIDE}:{port}",
                 "--seconds", 86400).wait_listening()

    def load(self, load, seconds):
        tenant, mode, port, options = load
        if mode == "wake":
            options = options + ["--burst-bytes", BURST_BYTES // self.divisor]
        return self.start_load(tenant, mode, f"{OUTSIDE}:{port}", "--seconds", seconds, *options)


class Namespaces(Stage):
    called = "tenants"

    def port(self, name):
        """What a tenant's port is, in the configuration."""
        return f'device: "tap:{self.world.name(name)}", netns: {self.world.name(name)}'

    def prepare(self):
        """What has to be there before headgated."""
        for name in TENANTS:
            self.world.netns(name)
        if hierarchies():
            self.burner = Burner(self.world)

    def start(self, _screen):
        """The tenants, on the ports that headgated has."""
        if self.burner:
            self.burner.work()
        for name, address in TENANTS.items():
            self.world.address(self.world.name(name), self.world.name(name), address + "/24")

    def try_out(self, daemon, screen):
        """Namespaces fill 1 Gbit/s on any machine."""

    def start_load(self, tenant, *options):
        return Load(self.world, self.world.name(tenant), *options)


class Guests(Stage):
    """On a link that suits them: where the processors are emulated, and few carry all of this, guests send a small
    part of 1 Gbit/s, and contracts on a link that nobody fills show nothing."""

    called = "virtual machines"
    # So that every rate is a whole number of Mbit/s.
    DIVISORS = (1, 2, 5, 10, 20, 50, 100)
    # Of what flood sends where only its guest's processor limits it. With contracts on headgate and the other guests
    # want that processor, too: of 585 Mbit/s a link of 50 Mbit/s was used for 89 % and nothing waited, of 340 to 460 one
    # of 20 Mbit/s for 97.3 %.
    LINK_SHARE = 0.06
    TRIAL_SECONDS = 5
    # For so long a better time is waited for, while what they send would fill no link.
    TRIAL_PATIENCE_SECONDS = 40
    SHARED_DEPTH_SCALE = 4
    # Without wake: while it is silent flood must fill the link.
    TRIAL = ("flood", "download", "rr")

    def __init__(self, world):
        super().__init__(world)
        self.image = self.has_kvm = None
        self.guests = {}

    def port(self, name):
        return f'device: "vhost:{self.world.path(name)}.vhost", mac: "{self.mac(name)}"'

    @staticmethod
    def mac(name):
        return f"02:00:00:00:77:{TENANTS[name].rsplit('.', 1)[1]}"

    def prepare(self):
        self.image = Image(self.world, [HGLOAD])
        self.has_kvm = kvm_works(self.world, self.image)
        print("by KVM" if self.has_kvm else "by emulation, which is slow: KVM boots no guest on this machine",
              flush=True)

    def start(self, screen):
        began = time.monotonic()
        self.guests = {name: Guest(self.world, self.image, name, self.mac(name), self.has_kvm) for name in TENANTS}
        wait_up(self.guests.values(), show=lambda n_up: screen.show(
            [f"{n_up} of {len(self.guests)} guests up, {time.monotonic() - began:.0f} s"]))
        screen.leave()
        for name, guest in self.guests.items():
            guest.address(TENANTS[name] + "/24")

    def start_load(self, tenant, *options):
        return GuestLoad(self.guests[tenant], *options)

    def try_out(self, daemon, screen):
        """Chooses the link by what the guests can send."""
        loads = [self.load(LOADS[name], 86400) for name in self.TRIAL]
        until(lambda: all(load.seconds for load in loads), 30, "every guest's first second")
        seen, last = [], daemon.status()["host"]["seconds"]
        while len(seen) < self.TRIAL_SECONDS or (not self.fills_a_link and len(seen) < self.TRIAL_PATIENCE_SECONDS):
            status = until(lambda: self._after(daemon, last), 10, "headgated to close a second")
            last = status["host"]["seconds"]
            seen.append(status["uplinks"][0]["out_bytes_per_s"] * 8)
            screen.show([f"what can they send? {seen[-1] / 1e6:.0f} Mbit/s, second {len(seen)}"])
            self.offered_bit_per_s = sorted(seen[-self.TRIAL_SECONDS:])[len(seen[-self.TRIAL_SECONDS:]) // 2]
        screen.leave()
        for load in loads:
            load.finish()
        self.divisor = next((divisor for divisor in self.DIVISORS
                             if self._is_filled(divisor)), self.DIVISORS[-1])
        self.depth_scale = self.SHARED_DEPTH_SCALE if self.divisor > 1 else 1

    def _is_filled(self, divisor):
        return 1e9 / divisor <= self.LINK_SHARE * self.offered_bit_per_s

    @property
    def fills_a_link(self):
        """Whether guests can fill the slowest link, at least."""
        return self._is_filled(self.DIVISORS[-1])

    @staticmethod
    def _after(daemon, second):
        status = daemon.status()
        return status if status["host"]["seconds"] != second else None
