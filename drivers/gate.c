#include "drivers/gate.h"

#include "drivers/netns.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* In the words of the kernel's own macros: what to do, to and from which register, at or by how much, with what. */
#define INSN(code, to, from, at, value) ((struct bpf_insn){(code), (to), (from), (at), (value)})

static int load(int map_fd)
{
	const struct bpf_insn insns[] = {
		/* if (*word == 0) pass */
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_VALUE, 0, map_fd),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_2, 0, 0),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_2, 0, 4, 0),
		/* if (frame->len <= HG_GATE_PASS_BYTES) pass */
		INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1,
		     offsetof(struct __sk_buff, len), 0),
		INSN(BPF_JMP | BPF_JLE | BPF_K, BPF_REG_2, 0, 2, HG_GATE_PASS_BYTES),
		/* refuse: keep 0 bytes of it */
		INSN(BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		/* pass: keep all of it */
		INSN(BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, -1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "hg_gate", "Dual BSD/GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
}

/* The filter holds its program, that its map, and the mapping that as well. */
static int attach(int tap_fd, int map_fd)
{
	int prog_fd = load(map_fd);
	int r;

	if (prog_fd < 0)
		return prog_fd;
	r = ioctl(tap_fd, TUNSETFILTEREBPF, &prog_fd) < 0 ? -errno : 0;
	close(prog_fd);
	return r;
}

int hg_gate_make(int tap_fd, struct hg_gate *ret_gate, struct hg_error *reterr)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	size_t n_bytes = (size_t)sysconf(_SC_PAGESIZE);
	int map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hg_gate", sizeof(uint32_t),
				    sizeof(uint32_t), 1, &opts);
	void *page = MAP_FAILED;
	int r = map_fd;

	ret_gate->page = NULL;
	if (map_fd < 0)
		return hg_errno_refuse(reterr, -map_fd, "cannot make the gate of", "a TAP");
	page = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	r = page == MAP_FAILED ? -errno : attach(tap_fd, map_fd);
	close(map_fd);
	if (r < 0) {
		if (page != MAP_FAILED)
			munmap(page, n_bytes);
		return hg_errno_refuse(reterr, -r, "cannot make the gate of", "a TAP");
	}
	ret_gate->page = page;
	return 0;
}

void hg_gate_clear(int tap_fd)
{
	int none = -1;

	ioctl(tap_fd, TUNSETFILTEREBPF, &none); /* a kernel that does not know it has none */
}

void hg_gate_end(struct hg_gate *gate)
{
	if (gate->page == NULL)
		return;
	hg_gate_set(gate, false);
	munmap(gate->page, (size_t)sysconf(_SC_PAGESIZE));
	gate->page = NULL;
}
