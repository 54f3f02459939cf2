"""What the figures have to be: one line for each goal, and how a run is judged by them."""
import collections

# bench and figure as they are printed; sense: "least" or "most"; goal: what it has to be; aim: what is hoped for, or
# None; sentence: what it says, for somebody who does not know the name. no_worse: None, or the goal is to be as good as
# the other, which no figure of two that are equal is above half of the time: then its 95 % interval has to reach the
# goal and to begin at no less than this. So it is met by what is shown to be no worse by more than that, and not by
# noise: an interval too wide to say so shows nothing.
Goal = collections.namedtuple("Goal", "bench figure sense goal aim sentence no_worse", defaults=[None])

# Of ratios of two equal sides: what is smaller nobody notices, and an hour's figures differ by as much.
NO_WORSE = 0.95

GOALS = tuple(Goal(*words) for words in (
    ("path", "over_ovs_1", "least", 1.2, 2, "one flow, by OVS with its egress policer"),
    ("path", "over_ovs_100000", "least", 2, 6, "100,000 flows, by OVS with its egress policer"),
    ("sched", "speedup_4096", "least", 4, None, "a packet through the scheduler, 4,096 instances, by rte_sched"),
    ("sched", "growth_1048576", "most", 6, None, "cost at 1,048,576 instances by that at 64"),
    ("sched", "bucket_over_srtcm", "most", 0.5, None, "a lone bucket decision by rte_meter_srtcm"),
    ("containers", "bulk_over_bridge", "least", 0.9, 1.1, "bulk TCP by the Linux bridge with HTB"),
    ("containers", "bulk_over_ovs", "least", 1.5, None, "bulk TCP by OVS with DPDK"),
    ("rate", "real_time_error_percent", "most", 1, None, "a maximum is missed in real time, in percent"),
    ("contract", "goodput_error_percent", "most", 1, None, "TCP and UDP miss their maximum, in percent"),
    ("contract", "policer_over_headgate", "least", 10, None, "times fewer TCP retransmissions than a policer"),
    ("hook", "hook_ns", "most", 1.5, None, "accounting for a packet in flight, in ns"),
    ("isolation", "sim_p999_over_limit", "most", 1.5, 1.25, "wait beside heavy neighbours, p99.9, by one packet's limit"),
    ("isolation", "sim_gain_10g", "least", 100, 200, "times shorter than in a plain card queue, 10 Gbit/s"),
    ("isolation", "sim_link_use_percent", "least", 99.5, 99.9, "of the link that is used meanwhile, in percent"),
    ("isolation", "real_p99_over_htb", "most", 1, None, "in real time, p99 of the wait by that with HTB"),
    ("depth", "settle_ms", "most", 10, None, "until MAX follows a card whose delay changes, in ms"),
    ("vhost", "over_testpmd", "least", 0.7, 0.85, "between two vhost ports, by testpmd that only forwards"),
    ("vhost", "over_ovs", "least", 1.2, 2, "between two vhost ports, by OVS with its egress policer"),
    ("vms", "tcp_over_ovs", "least", 1, None, "TCP between guests, by OVS with DPDK", NO_WORSE),
    ("vms", "rr_over_ovs", "least", 1, None, "round trips between guests, by OVS with DPDK", NO_WORSE),
    ("churn", "leaked_bytes", "most", 0, None, "memory that 1,000 attachments leave behind"),
    ("churn", "leaked_buffers", "most", 0, None, "buffers that they leave behind"),
    ("churn", "leaked_descriptors", "most", 0, None, "descriptors that they leave behind"),
    ("churn", "worst_stall_us", "most", 1000, None, "the longest that another port was kept waiting, in us"),
    ("credits", "worst_error_percent", "most", 0.5, 0.1, "processor time used against entitled, in percent"),
    ("credits", "stolen_percent", "most", 0.1, 0.01, "processor time that thieves were not charged for, in percent"),
    ("credit-loop", "processor_percent", "most", 1, 0.5, "the loop for 1,000 groups, of one processor, in percent"),
    ("credit-loop", "writes_fewer", "least", 50, None, "times fewer quotas written than one for each tick"),
    ("burst", "p999_over_unlimited", "most", 1.1, None, "p99.9 of a service on credits by that without limit"),
))


def in_order(names):
    """Benchmarks in the order of their goals, then those without any."""
    order = {}
    for goal in GOALS:
        order.setdefault(goal.bench, len(order))
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


# (bench, figure): what was tried where a goal is missed, for the report.
TRIED = {
    ("contract", "goodput_error_percent"): "Marks on each packet that stood for 2 ms (ECN) left 64 TCP flows 12 to 18 % short at 1 Gbit/s; "
                                           "spaced in time as CoDel's (core/codel) they are 0.2 to 0.4 % short, with before and after in turn. All of "
                                           "1, 16 and 64 at 100 Mbit/s and 1 Gbit/s: 0.51 % at worst, one undisturbed slice each; 64 at 2.5 Gbit/s, half of what the "
                                           "machine sends without a limit: 17.8 to 2.8 %. At 5 Gbit/s "
                                           "they were 8.1 % short in one run, with one segment sent again; TBF and HTB exact, with 11,843 and "
                                           "21,650. There the kernel that sends was refused (half of the hold queue stood) some 500 times in a slice of a second and few packets "
                                           "were marked: with room for twice as much before that, 4.6 to 2.9 % short (medians of 8 and 7 slices of 2 s in which the worker did not wait "
                                           "for its processor; it took 0.8 to 0.9 of one); 2.5 Gbit/s 14.3 to 8.5 % (medians of 11 pairs beside other work, nine of them better), "
                                           "p99 of the wait 7.3 to 8.4 or 10.5 ms, 8 to 34 segments sent again. With four times the room and refused at three quarters of it: 2.6 %, not taken, "
                                           "since as much of a flood of UDP stands there. A target of 4 ms or an interval of 10 ms: no difference told, while the machine sent half of it. "
                                           "256 flows: 866 to 985 Mbit/s on the wire. One flow at 10 Mbit/s was up to 88 % short now and then. Since two packets stand for longer "
                                           "than 2 ms there it was marked on and on, left with a window of 2 to 8 packets, and something waited in 29 to 71 % of the time. Queues of less "
                                           "than eight packets are not marked now: 71 to 100 %, and where 30 % of each processor were taken away 0.5 % short at worst (nine slices of 3 s), "
                                           "2.9 % before. Where the worker waits for its processor for a third of the time and longer it was 24 to 99 % short and may be so still. "
                                           "Where 30 % of each processor are taken away (--take): 64 flows 32 to "
                                           "20 % short, two slices each; of one and 16 flows nothing can be said, slices differ by more.",
    ("containers", "bulk_over_bridge"): "On another machine, whose processors are cores of their own, 0.73 (no pair undisturbed). "
                                        "Two copies more than a bridge, and what comes with a second way through the kernel: a "
                                        "loop that only reads from one TAP and writes to the other (--floor) moved 0.64 of "
                                        "the bridge's bytes for each processor second, headgate 0.97 of the loop's (8 pairs, on "
                                        "a machine with other work). Segments in 5 buffers instead of 33, as many reads as there are "
                                        "frames, header and frame in one write: 0.95 of the worker's time. TAPs without a "
                                        "queue of the stack's in front: as before. Looking for 5 us before going to sleep, "
                                        "not 15: 1.12 of the rate and 0.88 of the worker's time for a segment; 1 us: 1.06 and "
                                        "0.90; 40 us: 1.06 and 1.16 (9 pairs by hand, beside other work), round trips as before; "
                                        "not changed, since what it does to round trips of an idle machine is not measured. "
                                        "Where the machine's idle processors halted instead of polling: 0.58 of the bridge.",
    ("containers", "bulk_over_ovs"): "OVS's TAPs carry segments whole, too, so that both pay for the same copies and the same "
                                     "TCP behind them. The loop that does nothing else (--floor) moved 1.10 times what OVS does "
                                     "for each processor second, headgate 1.05 (8 pairs, beside other work): over TAPs 1.5 "
                                     "is out of reach, and the kernel of the measuring machine has no vhost-net. Of the "
                                     "worker's time 40 % are the two copies, 15 % the TCP of both containers, which runs in "
                                     "its writes, 9 % going to sleep and waking. Its sender spends 10 % on waking it. "
                                     "io_uring, one call for 32 writes and reads, takes 1.01 of the time of read and write for a "
                                     "segment (bench/run ways): with 64 KiB a call is little beside its copy.",
    ("vhost", "over_ovs"): "What counts most is how far apart the host keeps the two processors, which changes every few seconds: until "
                           "one sees what the other stored takes 25 to 35 ns, or 150 to 170. Far apart the machines are the limit, and it "
                           "counts which lines a switch takes from their cache. Writing the header of each frame that they receive took two "
                           "trips of a line a frame: not writing what is there already made 64 bytes 1.20 times as fast (0.74 to 0.88 of "
                           "testpmd's, in 158 interleaved slices of 15 ms, those whose processors' speed changed left in). Fetching no line more than a frame fills made "
                           "that 0.94, and not writing used entries that are there already 1.03 (43 slices of each); bursts are 32 frames "
                           "with each switch. Whether idle processors poll or halt is no cause, since neither of the two is ever "
                           "idle. Not asking for the available ring beyond what is known to be there: 1.01 (0.94 to 1.07). Near 64 bytes are "
                           "1.42 to 1.58; far, in whole runs of one code, 1.20 (1.17 to 1.24), 1.10 (1.04 to 1.14), 1.19 (1.13 to 1.24) and 1.02 "
                           "(0.97 to 1.07), where testpmd is 1.00 to 1.2 of OVS: each run another neighbour.",
    ("vms", "tcp_over_ovs"): "Guests differ from boot to boot: 0.912 (0.892 to 0.957) with one set, 1.010 (0.936 to 1.082) with the next, 0.940 "
                             "(0.914 to 0.994) over three, all of one day. By emulation, in slices of 16 MB with no other work: 1.004 (0.980 to 1.067, 60 undisturbed pairs of 111). A "
                             "guest has 15 to 17 interrupts for each MB it sends and 7 to 9 for each it receives, with either "
                             "switch; headgate's worker sleeps up to 11 times for it, OVS's never. Not sleeping (looks for 4 ms): "
                             "1.02 (1.00 to 1.06, 227 pairs with the disturbed). Telling a guest up to half a millisecond later that "
                             "its short frames were sent (core/coalesce, where it is a millisecond now): 1.07 (1.01 to 1.12) of "
                             "what it was (139 rounds of the same guests, of two runs), with 12 and 4 interrupts. A look in vain that "
                             "costs 4 timely answers and not 16 (core/linger): 1.08 (1.04 to 1.11, 88 pairs of two runs), 1.06 with the "
                             "disturbed 117, and round trips 0.99 (0.96 to 1.00) of what they are; with that in place 1.01 (0.98 to 1.05, "
                             "the same rounds), so that it is not there: where the worker and who answers share a processor one look in five "
                             "would then be in vain.",
    ("vms", "rr_over_ovs"): "By emulation, in slices of 150 ms with no other work: 0.980 (0.954 to 1.033, 54 undisturbed pairs of 131), and "
                            "p99 0.92 (0.81 to 1.05). Both guests share a processor, which a round trip keeps busy for nine tenths of its "
                            "time: what the switch takes for it is hardly seen. 1.2 to 1.4 interrupts in each guest with either "
                            "switch. Telling a guest up to half a millisecond later that its frames were taken (core/coalesce): 1.1 "
                            "instead of 1.8 interrupts, and a round "
                            "trip 1.10 times shorter (1.03 to 1.20, 139 rounds of the same guests, of two runs); by OVS, since then: 1.10 "
                            "(1.04 to 1.22, 90 undisturbed pairs, two sets of guests), 0.970 (0.939 to 1.000, 80, two other sets), 0.983 (0.952 to "
                            "1.010, 160, eight sets) and 0.960 (0.941 to 0.979, 160, eight other sets); up to a millisecond, which is there now, 1.000 "
                            "(0.979 to 1.030) and 0.984 (0.962 to 1.017; 160 and eight sets each), with p99 1.04 (0.96 to 1.14) and 1.09 (1.00 to 1.17): the median of a set of guests is 0.91 to 1.16. Without the look for an answer (core/linger) a round trip was 1.10 times longer. "
                            "A look of up to 4 ms instead of 1 made it 1.10 times shorter (1.03 to 1.15, 227 pairs with the disturbed; 1.06, "
                            "1.00 to 1.15, in the 65 others): where guests take turns on a processor one answer in twenty is late. "
                            "Not there: machines that answer after 1.5 ms then have 92 % of the worker's processor "
                            "and not 3 %, for a round trip that is 2 % shorter, and their p99 without the thinking is 3.7 ms and not 0.44 "
                            "(6 pairs, beside other work): what else the machine does goes to the guests' processor while the "
                            "worker looks. That is why p99 was better without any look, with two processors.",
    ("path", "over_ovs_1"): "Maxima asked once a decision instead of once a packet, packets queued and handed over by "
                            "the run, and a turn that receives no more than it serves: 65 to 55 ns. What is left is "
                            "spread over receiving, parsing, the check of addresses, and the hook. A run passes the "
                            "scheduler of an idle link without standing in it, as local traffic does: 84 to 49 ns.",
    ("path", "over_ovs_100000"): "As with one flow; OVS has one megaflow for all of them, so that only its cache of exact "
                                 "matches suffers, which is switched off there.",
    ("sched", "speedup_4096"): "2.3 to 2.9, where 15 ns a packet would be needed. Lines asked for before they are needed, up to "
                               "four visits and two decisions ahead; no branch on who has nothing queued or begins a chunk, "
                               "nor in the calendars; packets that nobody has to ask for taken by the chunk: 8 % less "
                               "without rates, 15 % with minima. What bounds it: who wakes goes first, so that the load here "
                               "makes 5.5 packets a decision and 1.8 visits of tenants a call of 32, and a decision is a chain "
                               "of five dependent lines (tenant, slot, instance, queue, packets), each from the second-level "
                               "cache at best; a packet in writes two random lines, 2 to 4 ns each. Storing a packet with "
                               "no branch at all (both ends of a chunk by masks) takes two fifths more instructions and is "
                               "no faster; with minima active a decision still goes through two wheels. A packet takes "
                               "about 220 instructions without rates and 240 with minima, and 1.1 to 1.5 guesses fail "
                               "(callgrind). A seventh to two fifths of the time is gone where the caller does not touch its "
                               "packets between the calls: their lines push the scheduler's out of the second-level cache. "
                               "So the first packets of a queue in its own line were 7 to 8 % slower than four queues in a "
                               "line and chunks used again the hottest first; 4 KiB pages were no slower than huge ones. The "
                               "load itself moves: queues spread while it runs, from 12 packets a decision to 4, and a "
                               "longer run is slower. One question for a packet's place, and decisions that take all copied "
                               "out unseen: 4 to 10 % less. Of a turn of 32, with 4,096 instances and no rates, a decision with the waking that "
                               "belongs to it is some 66 ns, and the rest some 580 (two runs, of 3 and of 7.3 decisions): with a cache "
                               "that all fits into (64 instances) a packet is still 21 to 25 ns. A compiler that may use a newer "
                               "processor's instructions, a profile, and fewer instructions and guesses a decision: at most 3 % less. "
                               "Slots first in, first out: 10 % less, 3 % with minima (docs/speed.md). rte_sched brings "
                               "a packet's first line along, ours does not: by the whole turn it is 1.8 to 2.1.",
}

# From best to worst.
VERDICTS = ("aim", "met", "not shown", "disturbed", "missed", "no figure")


def reaches(sense, value, bound):
    return value >= bound if sense == "least" else value <= bound


def of_interval(goal, interval):
    """The verdict on a figure that is to be no worse than another."""
    low, high = interval
    if high < goal.goal:
        return "missed"
    return "met" if low >= goal.no_worse else "not shown"


def verdict(goal, bench):
    """One of VERDICTS. A figure from pairs that were disturbed is shown and not counted, whatever it is."""
    value = (bench or {}).get("figures", {}).get(goal.figure)
    if value is None:
        return "no figure"
    if goal.figure in bench["disturbed"]:
        return "disturbed"
    if goal.no_worse is not None:
        return of_interval(goal, bench["spread"][goal.figure])
    if not reaches(goal.sense, value, goal.goal):
        return "missed"
    return "aim" if goal.aim is not None and reaches(goal.sense, value, goal.aim) else "met"


def judge(benches):
    """All goals with what was measured: a list of objects for the result."""
    found = []
    for goal in GOALS:
        bench = benches.get(goal.bench)
        found.append(dict(goal._asdict(), value=(bench or {}).get("figures", {}).get(goal.figure),
                          interval=(bench or {}).get("spread", {}).get(goal.figure), verdict=verdict(goal, bench)))
    return found


def line(judged):
    """A goal as one line of text."""
    value = "-" if judged["value"] is None else f"{judged['value']:.4g}"
    if judged["no_worse"] is not None and judged["interval"]:
        value += f" [{judged['interval'][0]:.4g}, {judged['interval'][1]:.4g}]"
    return (f"{judged['verdict']:12} {judged['bench']}.{judged['figure']}: {value}, at {judged['sense']} "
            f"{judged['goal']:g}" + (f" (aim {judged['aim']:g})" if judged["aim"] is not None else "")
            + (f", or no worse: from {judged['no_worse']:g} on" if judged["no_worse"] is not None else ""))
