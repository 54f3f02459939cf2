#!/usr/bin/env python3
"""Writes docs/conformance.md: each requirement, the file that does it, the test that shows it.

The source is docs/conformance.d/*.txt, one line for each claim:
    S1.5 | core/bucket.h | core/bucket_test.c: s1_5_burst_never_exceeded
Several files or tests are divided by commas; "path: name, name" gives several tests of one file. What
stands in round brackets is a remark.

tools/conformance.py           writes docs/conformance.md
tools/conformance.py --check   fails when a file or a test does not exist, a requirement has no line, or
                               docs/conformance.md is not what would be written
"""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.path.join(ROOT, "docs", "conformance.md")
# Those that must have a test; the sentences say in short what each demands.
REQUIREMENTS = {
    "S1.1": "A contract has minimum, maximum, packet rate, weight, burst and idle reserve for sending "
            "and receiving, for the tenant and for each instance",
    "S1.2": "Each instance has a token bucket; a full one passes any packet and goes negative",
    "S1.3": "Who finds too few tokens is held, not dropped; held queues are bounded in bytes and time, "
            "marked, and only then dropped",
    "S1.4": "An instance is active while it uses tokens, idle after the contract's idle time",
    "S1.5": "A reload follows the policies; a bucket never exceeds its burst",
    "S1.6": "On going idle the tokens become the idle reserve; the share goes to the active ones at once",
    "S1.7": "The first packet after idleness spends the reserve without waiting; the guarantee holds "
            "from then on",
    "S1.8": "Guarantees hold under any load; the rest is shared by weight; nothing is left idle; maxima "
            "bind on an idle link too",
    "S1.9": "A tenant's contract binds the sum of its instances, which share it by their own contracts",
    "S1.10": "Guarantees beyond the capacity are refused, with the sum, the capacity and the contracts",
    "S1.11": "A change is one transaction, in force within 10 ms, keeps tokens, loses no packet",
    "S1.12": "A receive guarantee covers what reached the card, and `show` says so; receive maxima hold "
             "always",
    "S1.13": "In observe mode all is measured and explained, and nothing is enforced",
    "S2.1": "Every packet handed to a card is accounted to its instance: bytes and time",
    "S2.2": "The release of its buffer is intercepted and taken as the sign that it was sent; the "
            "operator switches that on and off",
    "S2.3": "Outstanding packets and bytes, time in the card and rates, by instance and card queue; how "
            "full the card's queue is and with whose packets",
    "S2.4": "The least depth that keeps the link at its rate is found and followed, in bytes and packets; "
            "it can be pinned and scaled",
    "S2.5": "The depth is divided by weight among the active; the total never exceeds it by more than "
            "one packet; who wakes finds room",
    "S2.6": "Two priorities at least for what exceeds the guarantees; the low one is let through after a "
            "timeout",
    "S2.7": "Classes inside an instance by DSCP and PCP, in strict order or by weight",
    "S2.8": "Limits follow behaviour: relaxed inside the contract, tightened step by step outside it, "
            "never below the guarantee",
    "S2.9": "Who was held back, how long and by which limit is seen",
    "S2.10": "A hook that stops reporting is noticed; nothing stalls, and the operator is told",
    "S2.11": "Shares are divided anew when an instance comes, goes, wakes or changes weight",
    "S2.12": "A card queue found full in steady state is counted and explained",
    "S2.13": "A buffer that cannot carry a tag is tracked by its address",
    "S2.14": "Samples of releases are kept for the store; the depth can be computed from them again",
    "S2.15": "A segment that would occupy the link or its contract for too long is cut before it is "
             "scheduled",
    "S5.1": "The switch joins instances with one another and with uplinks: MAC tables, VLAN, isolation of tenants, "
            "no spoofed addresses, limits on floods, jumbo frames, offloads, mirrors",
    "S6.1": "A baseline is guaranteed; credits are earned at a fixed rate, roll over up to a maximum and an "
            "age, oldest spent first",
    "S6.2": "Credits raise the allocation and are spent as used, to the nanosecond; while they last the "
            "door is open",
    "S6.3": "Without credits the allocation glides down to the baseline, which is kept whatever the "
            "neighbours do",
    "S6.4": "Launch credits: given at start, spent first, outside the maximum",
    "S6.5": "Carried out by control groups, version 1 and 2",
    "S6.6": "If bursts ask for more than the host has, baselines come first, the rest by weight; what was "
            "not served costs nothing",
    "S6.7": "Balances survive restarts, a changed clock and migration; use while the daemon was away is "
            "booked",
    "S6.9": "Unlimited mode: surplus is booked, repaid by later earnings, charged beyond a limit",
    "S6.10": "Pools shared by a tenant's instances",
    "S6.11": "Transfers between instances",
    "S6.12": "Alarms at thresholds, and a forecast of when the balance runs out",
}
# Of these a part is served; who claims one says which tests show it.
IN_PART = {
    "S7.1": "A daemon on each host",
    "S7.2": "An interface for operators with validation and admission",
    "S7.6": "A live table and metrics",
    "S7.7": "Proof: for each contract and second, whether it was kept",
    "S7.8": "Every hold carries the limit that decided it; held times add up to the wait",
    "S7.10": "Attaching to what exists; a change that cuts the operator off rolls itself back",
    "S7.11": "Interfaces and connections survive a restart or a crash",
}


def claims():
    """Yields (where, number, files, [(test file, test name)])."""
    for path in sorted(glob.glob(os.path.join(ROOT, "docs", "conformance.d", "*.txt"))):
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            where = f"{os.path.relpath(path, ROOT)}:{number}"
            line = re.sub(r"\([^)]*\)", "", line)  # remarks
            parts = [part.strip() for part in line.split("|")]
            if len(parts) != 3:
                yield where, None, [], []
                continue
            files = [name.strip() for name in re.split(r"[,;]", parts[1]) if name.strip()]
            tests, test_file = [], ""
            for word in re.split(r"[,;]", parts[2]):
                word = word.strip()
                if ":" in word:
                    test_file, word = (piece.strip() for piece in word.split(":", 1))
                if word:
                    tests.append((test_file, word))
            yield where, parts[0], files, tests


def problems(all_claims):
    for where, number, files, tests in all_claims:
        if number is None:
            yield f"{where}: write NUMBER | FILES | TEST FILE: TESTS"
            continue
        if number not in REQUIREMENTS and number not in IN_PART:
            yield f"{where}: {number} is not a requirement that is served"
        for name in files:
            if not os.path.exists(os.path.join(ROOT, name)):
                yield f"{where}: there is no {name}"
        if not tests:
            yield f"{where}: names no test"
        for test_file, test in tests:
            path = os.path.join(ROOT, test_file)
            if not test_file or not os.path.isfile(path):
                yield f"{where}: there is no test file {test_file or '(none named)'}"
            elif not re.search(rf"\b{re.escape(test)}\b", open(path, encoding="utf-8").read()):
                yield f"{where}: {test_file} has no test {test}"
    for number in REQUIREMENTS:
        if not any(claim[1] == number for claim in all_claims):
            yield f"{number} has no line in docs/conformance.d"


def render(all_claims):
    lines = ["# Conformance", "",
             "Each requirement, the files that do it, and the tests that show it through public",
             "interfaces. Written by `tools/conformance.py` from `docs/conformance.d/`; `./test`",
             "checks that every file and every test named here exists.", ""]
    for number, sentence in {**REQUIREMENTS, **IN_PART}.items():
        if number in IN_PART and not any(claim[1] == number for claim in all_claims):
            continue
        lines += [f"## {number}", "", sentence + ".", ""]
        files, tests = {}, {}
        for _, claimed, claimed_files, claimed_tests in all_claims:
            if claimed == number:
                files.update(dict.fromkeys(claimed_files))
                for test_file, test in claimed_tests:
                    tests.setdefault(test_file, {})[test] = None
        if not tests:
            lines += ["No test shows it.", ""]
            continue
        lines += [f"- done in: {', '.join(f'`{name}`' for name in files)}"]
        lines += [f"- shown by `{test_file}`: {', '.join(f'`{name}`' for name in names)}"
                  for test_file, names in tests.items()] + [""]
    return "\n".join(lines)


def main():
    all_claims = list(claims())
    text = render(all_claims)
    if sys.argv[1:] == ["--check"]:
        found = list(problems(all_claims))
        if not os.path.exists(TARGET) or open(TARGET, encoding="utf-8").read() != text:
            found.append("docs/conformance.md is not up to date: run tools/conformance.py")
        for line in found:
            print(line)
        sys.exit(1 if found else 0)
    if sys.argv[1:]:
        sys.exit(__doc__)
    with open(TARGET, "w", encoding="utf-8") as out:
        out.write(text)
    for line in problems(all_claims):
        print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
