#!/bin/sh
# manager: systemd as the first process of namespaces of its own, on this machine's programs and an /etc of its own.
#
# Use: manager.sh ROOT NAME    ROOT: a folder with etc/, units/ and opt/; NAME: of its control group
# Nothing of the machine is written to but its control groups of version 2, below NAME.
set -e
root=$1 name=$2
if [ -z "$3" ]; then
	mkdir -p "$root/sys/fs/cgroup"
	mount -t cgroup2 none "$root/sys/fs/cgroup"
	mkdir "$root/sys/fs/cgroup/$name"
	echo $$ >"$root/sys/fs/cgroup/$name/cgroup.procs"
	umount "$root/sys/fs/cgroup"
	exec unshare --cgroup --pid --fork --kill-child --net --uts --ipc "$0" "$root" "$name" inside
fi
mount --bind "$root" "$root"
cd "$root"
mkdir -p proc sys dev run tmp usr var/lib var/log root home
for folder in bin sbin lib lib32 lib64; do
	[ ! -L "/$folder" ] || cp -P "/$folder" .
done
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 none sys/fs/cgroup
# What the kernel has once for all stays as it is.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind /usr usr
mount -o remount,bind,ro usr
mount --bind units usr/lib/systemd/system
mkdir generators
mount --bind generators usr/lib/systemd/system-generators
mount -t tmpfs -o mode=755 dev dev
for device in null zero full random urandom tty net/tun; do
	mkdir -p "dev/$(dirname $device)"
	mknod -m 666 dev/$device c $(stat -c '0x%t 0x%T' /dev/$device)
done
mkdir dev/shm dev/pts
mount -t tmpfs shm dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=755 run run
mount -t tmpfs tmp tmp
mkdir run/machine
pivot_root . run/machine
cd /
mount --make-rshared /
umount -l /run/machine
exec env -i container=headgate-test PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --log-target=journal --show-status=no
