/* thief: takes the processors away as a busy host does from a virtual machine, and the same way each time.
 * Usage: bench_thief PERCENT SECONDS [SEED]
 *
 * Why        What a theft does to a contract cannot be compared between sides, or before and after a change, when it is the
 *            host's: it comes and goes as it likes.
 * Model      An event of the kernel's clock on each processor runs an eBPF program, in the interrupt. When a slice of that
 *            processor has begun it looks at the clock until the slice is over. Meanwhile nothing else happens there: no
 *            program whatever its priority, no timer, no interrupt, no packet; and nothing that waits there is taken over
 *            by another processor that has work, as when a host stops a virtual one. (A real-time thread would be
 *            kinder: timers and packets go on under it.)
 *            Slices of SLICE_LEAST_NS to SLICE_MOST_NS, their logarithm uniform, and pauses between them whose length is
 *            exponential, so that PERCENT of each processor is taken; each processor by itself, from SEED (1).
 * Promise    No slice is longer than SLICE_MOST_NS, whatever becomes of the clock: the loop has a bound. It ends with the
 *            program, however that ends, and after SECONDS. At least PAUSE_LEAST_NS between two slices.
 *            The kernel does not know it for stolen (/proc/stat has none of it): it counts as interrupts.
 * Ends       by itself, or by a signal. Says "ready" when it begins, at the end figures: what it took of each processor.
 * Errors     a sentence: no right to it, a kernel without BPF in events or bpf_loop (Linux 5.17).
 * Used by    bench/contract.py.
 */
#include "bench/clock.h"
#include "bench/figures.h"
#include "sim/random.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_LEAST_NS (HG_NS_PER_MS / 2)
#define SLICE_MOST_NS (20 * HG_NS_PER_MS)
#define PAUSE_LEAST_NS (1 * HG_NS_PER_MS)
/* How often it is looked whether a slice has begun. */
#define LOOK_NS (500 * HG_NS_PER_US)
#define SECONDS_MAX 600u
#define PERCENT_MAX 80u
/* Looks at the clock in a slice, at most: a hundred ms if one takes 25 ns. */
#define LOOKS_MAX (1 << 22)

struct slice {
	uint64_t from_ns, until_ns; /* CLOCK_MONOTONIC */
};

/* Of a processor. */
struct state {
	uint64_t first, n; /* of its slices in the map */
	uint64_t taken_ns;
};

static void fail(const char *what)
{
	fprintf(stderr, "bench_thief: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- what it takes ------------------------------------------------------------------------------- */

static double uniform(uint64_t *seed)
{
	return ((double)(hg_random(seed) >> 11) + 0.5) / 0x1p53;
}

/* The slices of one processor until end_ns, NULL: only how many. */
static uint64_t plan(struct slice *slices, uint64_t seed, double part, hg_ns begin_ns, hg_ns end_ns)
{
	const double least = (double)SLICE_LEAST_NS, most = (double)SLICE_MOST_NS;
	double mean = (most - least) / log(most / least);
	double pause = mean * (1 - part) / part - (double)PAUSE_LEAST_NS;
	double at = (double)begin_ns;
	uint64_t n = 0;

	for (;;) {
		double length;

		at += (double)PAUSE_LEAST_NS - log(uniform(&seed)) * pause;
		length = least * pow(most / least, uniform(&seed));
		if (at + length > (double)end_ns)
			return n;
		if (slices != NULL)
			slices[n] = (struct slice){(uint64_t)at, (uint64_t)(at + length)};
		at += length;
		n++;
	}
}

/* ---- the kernel's side --------------------------------------------------------------------------- */

static int make_map(const char *name, size_t value_bytes, uint64_t n, void **ret_values)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), (uint32_t)value_bytes,
				(uint32_t)n, &opts);

	if (fd < 0)
		fail("a map of BPF");
	*ret_values =
		mmap(NULL, (size_t)n * value_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*ret_values == MAP_FAILED)
		fail("a map of BPF");
	return fd;
}

/* The verifier wants to know of the loop's body that it is a function of its own. */
static int describe(uint32_t *ret_main, uint32_t *ret_body)
{
	struct btf *btf = btf__new_empty();
	const void *raw;
	uint32_t n_bytes;
	int number, proto, fd;

	if (btf == NULL)
		fail("BTF");
	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	proto = btf__add_func_proto(btf, number);
	if (number < 0 || proto < 0 || btf__add_func_param(btf, "a", number) < 0 ||
	    btf__add_func_param(btf, "b", number) < 0)
		fail("BTF");
	*ret_main = (uint32_t)btf__add_func(btf, "hg_thief", BTF_FUNC_STATIC, proto);
	*ret_body = (uint32_t)btf__add_func(btf, "hg_look", BTF_FUNC_STATIC, proto);
	raw = btf__raw_data(btf, &n_bytes);
	fd = raw == NULL ? -1 : bpf_btf_load(raw, n_bytes, NULL);
	if (fd < 0)
		fail("BTF");
	btf__free(btf);
	return fd;
}

/* In the words of the kernel's own macros: what to do, to and from which register, at or by how much, with what. */
#define INSN(code, to, from, at, value) ((struct bpf_insn){(code), (to), (from), (at), (value)})
#define MOV(to, from) INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define SET(to, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define ADD(to, value) INSN(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value)
#define LOAD(to, from, at) INSN(BPF_LDX | BPF_MEM | BPF_DW, to, from, at, 0)
#define STORE(size, to, at, from) INSN(BPF_STX | BPF_MEM | (size), to, from, at, 0)
#define LOAD_MAP(to, fd) \
	INSN(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)
/* r0 = where the map has what is numbered at fp - 4; `by` further on if it has nothing. Six of them. */
#define LOOK_UP(fd, by)                                                          \
	LOAD_MAP(BPF_REG_1, fd), MOV(BPF_REG_2, BPF_REG_10), ADD(BPF_REG_2, -4), \
		CALL(map_lookup_elem), IF_ZERO(BPF_REG_0, by)
#define CALL(function) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##function)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define IF(what, a, b, by) INSN(BPF_JMP | (what) | BPF_X, a, b, by, 0)
#define IF_ZERO(a, by) INSN(BPF_JMP | BPF_JEQ | BPF_K, a, 0, by, 0)

/* A program and, from insns[body] on, the body of its loop. */
static int verify(const struct bpf_insn *insns, size_t n, uint32_t body)
{
	struct bpf_func_info functions[2] = {{0}, {.insn_off = body}};
	int btf_fd = describe(&functions[0].type_id, &functions[1].type_id);
	char why[8192] = "";
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_btf_fd = (uint32_t)btf_fd,
		    .func_info = functions, .func_info_cnt = 2,
		    .func_info_rec_size = sizeof(functions[0]), .log_level = 1, .log_buf = why,
		    .log_size = sizeof(why));
	int fd = bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "hg_thief", "Dual BSD/GPL", insns, n,
			       &opts);

	if (fd < 0) {
		fprintf(stderr, "%s", why);
		fail("the program of BPF");
	}
	return fd;
}

static int load(int states_fd, int slices_fd)
{
	enum { OUT = 44, BODY = 46 };
	const struct bpf_insn insns[] = {
		/* 0: r7 = the state of this processor, at fp - 4 its number */
		CALL(get_smp_processor_id),
		STORE(BPF_W, BPF_REG_10, -4, BPF_REG_0),
		LOOK_UP(states_fd, OUT - 8),
		MOV(BPF_REG_7, BPF_REG_0),
		/* 9: r8 = its next slice, if there is one */
		LOAD(BPF_REG_1, BPF_REG_7, offsetof(struct state, n)),
		IF_ZERO(BPF_REG_1, OUT - 11),
		LOAD(BPF_REG_1, BPF_REG_7, offsetof(struct state, first)),
		STORE(BPF_W, BPF_REG_10, -4, BPF_REG_1),
		LOOK_UP(slices_fd, OUT - 19),
		MOV(BPF_REG_8, BPF_REG_0),
		/* 20: if (now < from) out */
		CALL(ktime_get_ns),
		MOV(BPF_REG_9, BPF_REG_0),
		LOAD(BPF_REG_1, BPF_REG_8, offsetof(struct slice, from_ns)),
		IF(BPF_JLT, BPF_REG_9, BPF_REG_1, OUT - 24),
		/* 24: it is the next one's turn */
		LOAD(BPF_REG_1, BPF_REG_7, offsetof(struct state, first)),
		ADD(BPF_REG_1, 1),
		STORE(BPF_DW, BPF_REG_7, offsetof(struct state, first), BPF_REG_1),
		LOAD(BPF_REG_1, BPF_REG_7, offsetof(struct state, n)),
		ADD(BPF_REG_1, -1),
		STORE(BPF_DW, BPF_REG_7, offsetof(struct state, n), BPF_REG_1),
		/* 30: loop(LOOKS_MAX, body, &until) */
		LOAD(BPF_REG_1, BPF_REG_8, offsetof(struct slice, until_ns)),
		STORE(BPF_DW, BPF_REG_10, -16, BPF_REG_1),
		SET(BPF_REG_1, LOOKS_MAX),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_FUNC, 0, BODY - 34),
		INSN(0, 0, 0, 0, 0),
		MOV(BPF_REG_3, BPF_REG_10),
		ADD(BPF_REG_3, -16),
		SET(BPF_REG_4, 0),
		CALL(loop),
		/* 39: taken += now - r9 */
		CALL(ktime_get_ns),
		INSN(BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_0, BPF_REG_9, 0, 0),
		LOAD(BPF_REG_1, BPF_REG_7, offsetof(struct state, taken_ns)),
		INSN(BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_1, BPF_REG_0, 0, 0),
		STORE(BPF_DW, BPF_REG_7, offsetof(struct state, taken_ns), BPF_REG_1),
		/* OUT: */
		SET(BPF_REG_0, 0),
		EXIT(),
		/* BODY: return now >= until */
		LOAD(BPF_REG_6, BPF_REG_2, 0),
		CALL(ktime_get_ns),
		SET(BPF_REG_1, 0),
		IF(BPF_JLT, BPF_REG_0, BPF_REG_6, 1),
		SET(BPF_REG_1, 1),
		MOV(BPF_REG_0, BPF_REG_1),
		EXIT(),
	};
	return verify(insns, sizeof(insns) / sizeof(insns[0]), BODY);
}

/* At the clock of each processor, for as long as the program lives. */
static void attach(int prog_fd, unsigned n_processors)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_CPU_CLOCK,
				       .sample_period = LOOK_NS};

	for (unsigned i = 0; i < n_processors; i++) {
		int fd = (int)syscall(SYS_perf_event_open, &attr, -1, (int)i, -1,
				      PERF_FLAG_FD_CLOEXEC);

		if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog_fd) < 0)
			fail("an event of a processor's clock");
	}
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static volatile sig_atomic_t is_over;

static void stop(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

static unsigned number(const char *text, unsigned lo, unsigned hi)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value < lo || value > hi) {
		fprintf(stderr, "bench_thief: %s is not a number in [%u, %u]\n", text, lo, hi);
		exit(2);
	}
	return (unsigned)value;
}

int main(int argc, char **argv)
{
	unsigned n_processors = (unsigned)sysconf(_SC_NPROCESSORS_CONF);
	struct state *states;
	struct slice *slices;
	uint64_t seed, n = 0;
	hg_ns begin_ns, end_ns;
	void *values;
	double part;
	int states_fd;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: bench_thief PERCENT SECONDS [SEED]\n");
		return 2;
	}
	part = number(argv[1], 1, PERCENT_MAX) / 100.0;
	begin_ns = bench_clock_ns(CLOCK_MONOTONIC) + 100 * HG_NS_PER_MS;
	end_ns = begin_ns + (hg_ns)number(argv[2], 1, SECONDS_MAX) * HG_NS_PER_S;
	seed = argc > 3 ? number(argv[3], 0, UINT32_MAX) : 1;

	states_fd = make_map("hg_states", sizeof(struct state), n_processors, &values);
	states = values;
	for (unsigned i = 0; i < n_processors; i++) {
		states[i].first = n;
		n += plan(NULL, seed + i, part, begin_ns, end_ns);
	}
	attach(load(states_fd, make_map("hg_slices", sizeof(struct slice), n + 1, &values)),
	       n_processors);
	slices = values;
	for (unsigned i = 0; i < n_processors; i++)
		states[i].n = plan(slices + states[i].first, seed + i, part, begin_ns, end_ns);

	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	puts("ready");
	fflush(stdout);
	while (!is_over && bench_clock_ns(CLOCK_MONOTONIC) < end_ns)
		bench_rest(10 * HG_NS_PER_MS);
	end_ns = bench_clock_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n_processors; i++) {
		char name[32];

		snprintf(name, sizeof(name), "taken_percent_%u", i);
		hg_figure(name, 100.0 * (double)states[i].taken_ns / (double)(end_ns - begin_ns));
	}
	return 0;
}
