#include "drivers/cut.h"

#include "drivers/link.h"
#include "drivers/netns.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM_NAME "hg_cut"
/* "hg" in ASCII: rare enough as a priority, and checked together with the program's name. */
#define PRIORITY 0x6867u
/* The handle remembers, beyond our own life, whether the qdisc was there before us. */
#define HANDLE_QDISC_OURS 1u
#define HANDLE_QDISC_THEIRS 2u

/* libbpf's own messages on stderr would say, among others, that a qdisc exists already. */
static int be_silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int load_drop(void)
{
	/* return TC_ACT_SHOT */
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_SHOT},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, PROGRAM_NAME, "Dual BSD/GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
}

static bool is_our_program(uint32_t prog_id)
{
	struct bpf_prog_info info = {0};
	uint32_t n = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);
	bool is_ours = fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &n) == 0 &&
		       strcmp(info.name, PROGRAM_NAME) == 0;

	if (fd >= 0)
		close(fd);
	return is_ours;
}

/* The handle under which our classifier is there, or 0. */
static uint32_t find(int if_idx, enum bpf_tc_attach_point point)
{
	static const uint32_t handles[] = {HANDLE_QDISC_OURS, HANDLE_QDISC_THEIRS};
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = if_idx, .attach_point = point);

	for (unsigned i = 0; i < 2; i++) {
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handles[i], .priority = PRIORITY);

		if (bpf_tc_query(&hook, &opts) == 0 && is_our_program(opts.prog_id))
			return handles[i];
	}
	return 0;
}

static int attach(int if_idx, enum bpf_tc_attach_point point, uint32_t handle, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = if_idx, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = PRIORITY, .prog_fd = prog_fd);

	return bpf_tc_attach(&hook, &opts);
}

static void detach(int if_idx, enum bpf_tc_attach_point point, uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = if_idx, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = PRIORITY);

	if (handle != 0)
		bpf_tc_detach(&hook, &opts);
}

/* Returns the handle to use, which says whose the qdisc is, or -errno. */
static int make_qdisc(int if_idx)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = if_idx,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	uint32_t left_behind = find(if_idx, BPF_TC_INGRESS);
	int r;

	if (left_behind != 0)
		return (int)left_behind;
	r = bpf_tc_hook_create(&hook);
	if (r == -EEXIST)
		return HANDLE_QDISC_THEIRS;
	return r < 0 ? r : (int)HANDLE_QDISC_OURS;
}

int hg_cut_apply(int if_idx, const char *name, struct hg_error *reterr)
{
	int prog_fd, handle, r;

	libbpf_set_print(be_silent);
	prog_fd = load_drop();
	if (prog_fd < 0)
		return hg_errno_refuse(reterr, -prog_fd, "cannot load the filter for the interface",
				       name);
	handle = make_qdisc(if_idx);
	if (handle < 0) {
		close(prog_fd);
		return hg_errno_refuse(reterr, -handle, "cannot make the filter's place at", name);
	}
	r = find(if_idx, BPF_TC_INGRESS) != 0
		    ? 0
		    : attach(if_idx, BPF_TC_INGRESS, (uint32_t)handle, prog_fd);
	/* An "ingress" qdisc has no egress. */
	if (r == 0 && find(if_idx, BPF_TC_EGRESS) == 0 &&
	    attach(if_idx, BPF_TC_EGRESS, (uint32_t)handle, prog_fd) < 0 &&
	    handle == HANDLE_QDISC_OURS)
		r = -EIO;
	close(prog_fd);
	if (r < 0) {
		hg_cut_remove(if_idx);
		return hg_errno_refuse(reterr, -r, "cannot cut the stack off the interface", name);
	}
	return 0;
}

void hg_cut_remove(int if_idx)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = if_idx,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	uint32_t ingress, egress;

	libbpf_set_print(be_silent);
	ingress = find(if_idx, BPF_TC_INGRESS);
	egress = find(if_idx, BPF_TC_EGRESS);
	detach(if_idx, BPF_TC_INGRESS, ingress);
	detach(if_idx, BPF_TC_EGRESS, egress);
	if ((ingress == HANDLE_QDISC_OURS || egress == HANDLE_QDISC_OURS) &&
	    !hg_link_has_filters(if_idx))
		bpf_tc_hook_destroy(&hook);
}
