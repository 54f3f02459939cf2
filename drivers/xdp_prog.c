#include "drivers/xdp_prog.h"

#include "drivers/netns.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Receive queues of a card that the kernel's number may name; only the first is served. */
#define QUEUES_MAX 64u

/* The few instructions that the program is made of, by the names of the kernel's own macros. */
#define MOV_REG(to, from) \
	((struct bpf_insn){BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_##to, BPF_REG_##from, 0, 0})
#define MOV_IMM(to, value) \
	((struct bpf_insn){BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_##to, 0, 0, value})
#define ADD_IMM(to, value) \
	((struct bpf_insn){BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_##to, 0, 0, value})
#define LOAD(size, to, from, at) \
	((struct bpf_insn){BPF_LDX | BPF_MEM | (size), BPF_REG_##to, BPF_REG_##from, at, 0})
#define STORE(size, to, at, from) \
	((struct bpf_insn){BPF_STX | BPF_MEM | (size), BPF_REG_##to, BPF_REG_##from, at, 0})
#define LOAD_MAP(to, fd)                                                                        \
	((struct bpf_insn){BPF_LD | BPF_DW | BPF_IMM, BPF_REG_##to, BPF_PSEUDO_MAP_FD, 0, fd}), \
		((struct bpf_insn){0})
#define JUMP_IF_GREATER(a, b, by) \
	((struct bpf_insn){BPF_JMP | BPF_JGT | BPF_X, BPF_REG_##a, BPF_REG_##b, by, 0})
#define JUMP_IF_ZERO(a, by) ((struct bpf_insn){BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_##a, 0, by, 0})
#define CALL(function) ((struct bpf_insn){BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##function})
#define EXIT() ((struct bpf_insn){BPF_JMP | BPF_EXIT, 0, 0, 0, 0})

/* As the map's key: the address and two zero bytes. */
struct mac_key {
	uint8_t bytes[8];
};

static int load(const struct hg_xdp_prog *prog, bool takes_all)
{
	const struct bpf_insn insns[] = {
		/* r6 = context, r2 = data, r3 = data_end */
		MOV_REG(6, 1),
		LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, data)),
		LOAD(BPF_W, 3, 1, offsetof(struct xdp_md, data_end)),
		/* if (data + 14 > data_end) pass */
		MOV_REG(4, 2),
		ADD_IMM(4, 14),
		JUMP_IF_GREATER(4, 3, 16),
		/* key = the six bytes at data, and two of zero, on the stack */
		LOAD(BPF_W, 1, 2, 0),
		STORE(BPF_W, 10, -8, 1),
		LOAD(BPF_H, 1, 2, 4),
		STORE(BPF_W, 10, -4, 1),
		/* if (map_lookup_elem(macs, &key) == NULL) pass */
		MOV_REG(2, 10),
		ADD_IMM(2, -8),
		LOAD_MAP(1, prog->macs_fd),
		CALL(map_lookup_elem),
		JUMP_IF_ZERO(0, 6),
		/* return redirect_map(xsks, rx_queue_index, what if there is none: pass) */
		LOAD(BPF_W, 2, 6, offsetof(struct xdp_md, rx_queue_index)),
		LOAD_MAP(1, prog->xsks_fd),
		MOV_IMM(3, XDP_PASS),
		CALL(redirect_map),
		EXIT(),
		/* pass: */
		MOV_IMM(0, XDP_PASS),
		EXIT(),
	};
	const struct bpf_insn all[] = {
		LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, rx_queue_index)),
		LOAD_MAP(1, prog->xsks_fd),
		MOV_IMM(3, XDP_PASS),
		CALL(redirect_map),
		EXIT(),
	};

	if (takes_all)
		return bpf_prog_load(BPF_PROG_TYPE_XDP, "hg_xdp_all", "Dual BSD/GPL", all,
				     sizeof(all) / sizeof(all[0]), NULL);
	return bpf_prog_load(BPF_PROG_TYPE_XDP, "hg_xdp_macs", "Dual BSD/GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
}

int hg_xdp_prog_open(struct hg_xdp_prog *ret_prog, bool takes_all, struct hg_error *reterr)
{
	/* Room is taken as addresses come: a full table would be 1 MiB for every card. */
	LIBBPF_OPTS(bpf_map_create_opts, lazily, .map_flags = BPF_F_NO_PREALLOC);
	struct hg_xdp_prog prog = {-1, -1, -1, -1, false};
	int r;

	prog.macs_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "hg_macs", sizeof(struct mac_key), 1,
				      HG_XDP_MACS_MAX, &lazily);
	prog.xsks_fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "hg_xsks", sizeof(int), sizeof(int),
				      QUEUES_MAX, NULL);
	if (prog.macs_fd >= 0 && prog.xsks_fd >= 0)
		prog.prog_fd = load(&prog, takes_all);
	if (prog.prog_fd >= 0) {
		*ret_prog = prog;
		return 0;
	}
	r = hg_errno_refuse(reterr, errno, "cannot load", "the XDP program");
	hg_xdp_prog_close(&prog);
	return r;
}

static int attach(const struct hg_xdp_prog *prog, int if_idx, uint32_t mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode);

	return bpf_link_create(prog->prog_fd, if_idx, BPF_XDP, &opts);
}

int hg_xdp_prog_attach(struct hg_xdp_prog *prog, int if_idx, const char *name, int xsk_fd,
		       struct hg_error *reterr)
{
	const int queue = 0;

	if (bpf_map_update_elem(prog->xsks_fd, &queue, &xsk_fd, BPF_ANY) < 0)
		return hg_errno_refuse(reterr, errno, "cannot set up the XDP program for", name);
	prog->link_fd = attach(prog, if_idx, XDP_FLAGS_DRV_MODE);
	prog->is_native = prog->link_fd >= 0;
	if (prog->link_fd < 0 && prog->link_fd != -EBUSY && prog->link_fd != -EPERM)
		prog->link_fd = attach(prog, if_idx, XDP_FLAGS_SKB_MODE);
	if (prog->link_fd == -EBUSY || prog->link_fd == -EEXIST)
		return hg_error_set(reterr, -HG_EBUSY, "the interface ", name,
				    " has an XDP program of somebody else", NULL);
	if (prog->link_fd < 0)
		return hg_errno_refuse(reterr, -prog->link_fd, "cannot attach the XDP program to",
				       name);
	return 0;
}

static bool is_in(const struct mac_key *key, const uint8_t (*macs)[HG_MAC_BYTES], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (memcmp(key->bytes, macs[i], HG_MAC_BYTES) == 0)
			return true;
	return false;
}

/* Takes away those that are not in the list. The key after one that was deleted is asked for before. */
static void remove_others(int macs_fd, const uint8_t (*macs)[HG_MAC_BYTES], unsigned n)
{
	struct mac_key key, next;
	bool has_key = bpf_map_get_next_key(macs_fd, NULL, &key) == 0;

	while (has_key) {
		bool has_next = bpf_map_get_next_key(macs_fd, &key, &next) == 0;

		if (!is_in(&key, macs, n))
			bpf_map_delete_elem(macs_fd, &key);
		key = next;
		has_key = has_next;
	}
}

int hg_xdp_prog_set_macs(struct hg_xdp_prog *prog, const uint8_t (*macs)[HG_MAC_BYTES], unsigned n,
			 struct hg_error *reterr)
{
	if (n > HG_XDP_MACS_MAX / 2u)
		return hg_error_set(reterr, -HG_ENOSPC,
				    "more than 8,192 addresses behind one XDP uplink", NULL);
	/* First the new, so that no address that stays is ever missing. */
	for (unsigned i = 0; i < n; i++) {
		struct mac_key key = {{0}};
		uint8_t one = 1;

		memcpy(key.bytes, macs[i], HG_MAC_BYTES);
		if (bpf_map_update_elem(prog->macs_fd, &key, &one, BPF_ANY) < 0)
			return hg_errno_refuse(reterr, errno, "cannot add an address to",
					       "the XDP program");
	}
	remove_others(prog->macs_fd, macs, n);
	return 0;
}

void hg_xdp_prog_close(struct hg_xdp_prog *prog)
{
	int *const fds[] = {&prog->link_fd, &prog->prog_fd, &prog->xsks_fd, &prog->macs_fd};

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}
