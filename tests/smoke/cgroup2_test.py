#!/usr/bin/env python3
"""Control groups of version 2 by a kernel that has no others in use: Debian's, in a guest (host/cgroup2_test.c)."""
import os
import shutil

from smoke import LabError, ROOT, Skip, main, test
from lab.guest import Guest, QEMU, kvm_works, wait_up
from lab.image import BUSYBOX, Image

PROGRAM = os.path.join(ROOT, "build", "host", "host_cgroup2_test")
N_TESTS = 5


@test
def s6_5_version_2_by_a_real_kernel(world):
    if not shutil.which(QEMU) or not os.path.exists(BUSYBOX):
        raise Skip("needs QEMU and busybox: tools/setup.sh vms")
    image = Image(world, [PROGRAM])
    guest = Guest(world, image, "groups", has_kvm=kvm_works(world, image))
    wait_up([guest])
    guest.run("mount", "-t", "cgroup2", "none", "/sys/fs/cgroup")
    # No controller is bound to version 1 where nothing of it is mounted.
    assert "cpu" in guest.run("cat", "/sys/fs/cgroup/cgroup.controllers")[0].split()
    tests = guest.start(os.path.basename(PROGRAM))
    try:
        tests.wait(60)
    except LabError as failed:
        raise AssertionError("\n".join(tests.lines)) from failed
    print("\n".join(f"    {line}" for line in tests.lines))
    assert tests.lines[-1] == f"{N_TESTS} passed, 0 failed, 0 skipped", tests.lines


if __name__ == "__main__":
    main()
