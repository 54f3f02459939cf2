#!/bin/bash
# setup: what headgate needs from the system, and how it gets there.
#
# Use: tools/setup.sh [run] [vms] [test] [bench]      (no word: run)
# On Debian 12 as root it installs with apt what is missing. Anywhere else it says what is missing and
# ends with 1. When everything is there it says nothing and needs no network, so that a second start
# is quick.
set -u
export PATH="$PATH:/usr/sbin:/sbin"

# for     probe               Debian package          why
needs='
run       cmd:gcc             gcc                     compiles it
run       hdr:stdio.h         libc6-dev               the C library
run       hdr:linux/if_tun.h  linux-libc-dev          the kernel interface: TAP, AF_PACKET, AF_XDP
run       cmd:meson           meson                   describes the build
run       cmd:ninja           ninja-build             runs the build
run       cmd:pkg-config      pkgconf                 finds the libraries
run       cmd:python3         python3                 the layer check, ./run and ./test
run       pc:libdpdk          libdpdk-dev             packet buffers, memory and workers
run       pc:libxdp           libxdp-dev              AF_XDP ports
run       pc:libbpf           libbpf-dev              loads the AF_XDP program
run       pc:yaml-0.1         libyaml-dev             reads the configuration
run       pc:jansson          libjansson-dev          reads and writes JSON
run       pc:libmicrohttpd    libmicrohttpd-dev       serves the interface for operators
run       pc:sqlite3          libsqlite3-dev          balances of credits outlive the daemon
run       pc:libcurl          libcurl4-openssl-dev    the command speaks to the daemon with it
run       pc:libpcap          libpcap-dev             compiles and runs the filters of captures
run       pc:libsystemd       libsystemd-dev          the event loop, readiness and watchdog
run       cmd:scdoc           scdoc                   the manual pages
run       cmd:ip              iproute2                network namespaces and devices
vms       cmd:qemu-system-x86_64  qemu-system-x86     the machines of ./run --vms
vms       cmd:busybox         busybox-static          what runs in them
test      cmd:git             git                     finds the sources to check
test      cmd:clang           clang                   fuzzing, and a second compiler
test      cmd:clang-format    clang-format            the house format
test      fuzzer              libclang-rt-14-dev      the fuzzer and the sanitizers of clang
test      cmd:ethtool         ethtool                 reads and sets the offloads of interfaces
test      cmd:sysctl          procps                  sets what the kernel does in a namespace
test      cmd:systemd-analyze systemd                 runs the unit, in a world of its own
bench     cmd:iperf3          iperf3                  moves TCP in bulk
bench     cmd:qemu-system-x86_64  qemu-system-x86     the machines of vms
bench     cmd:busybox         busybox-static          what runs in them
bench     cmd:sockperf        sockperf                measures request and response
bench     cmd:dpdk-testpmd    dpdk-dev                the rival that only forwards
bench     cmd:ovs-vsctl       openvswitch-switch-dpdk the rival that switches
bench     cmd:ethtool         ethtool                 reads and sets the offloads of interfaces
bench     cmd:sysctl          procps                  sets what the kernel does in a namespace
bench     cmd:ping            iputils-ping            lets two sides find each other
bench     cmd:git             git                     says what was measured
'

has()
{
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	hdr:*) [ -e "/usr/include/${1#hdr:}" ] ;;
	fuzzer) compgen -G '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer*' >/dev/null ;;
	esac
}

# Sets missing (packages) and prints nothing.
look()
{
	missing=()
	local group probe package why
	while read -r group probe package why; do
		[ -n "$group" ] && [[ " $wanted " == *" $group "* ]] || continue
		has "$probe" || missing+=("$package")
	done <<<"$needs"
	# More than one probe may lead to one package.
	[ ${#missing[@]} -eq 0 ] || mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
}

# One line for each missing package, with what it is for.
tell()
{
	local package
	for package in "${missing[@]}"; do
		awk -v p="$package" '$3 == p { $1 = $2 = $3 = ""; sub(/^ +/, "");
			printf "  %-24s %s\n", p, $0; exit }' <<<"$needs" >&2
	done
}

install_missing()
{
	local log
	log=$(mktemp)
	echo "installing with apt, a minute or two:" >&2
	tell
	export DEBIAN_FRONTEND=noninteractive
	if ! { apt-get update -q &&
		apt-get install -qy --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "headgate: apt could not install all of this (the whole log: $log)" >&2
		exit 1
	fi
	rm -f "$log"
	hash -r
}

wanted="${*:-run}"
look
[ ${#missing[@]} -eq 0 ] && exit 0

distribution=$(. /etc/os-release 2>/dev/null; echo "${ID:-unknown} ${VERSION_ID:-}")
if [ "$distribution" != "debian 12" ]; then
	echo "headgate: installs what it needs on Debian 12 only; this is $distribution." >&2
	echo "Missing here (names of the Debian packages):" >&2
	tell
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "headgate: not root, so nothing can be installed. Missing:" >&2
	tell
	echo "As root: apt-get install ${missing[*]}" >&2
	exit 1
fi
install_missing
look
if [ ${#missing[@]} -ne 0 ]; then
	echo "headgate: still missing after apt:" >&2
	tell
	exit 1
fi
