/* guard: what it costs to judge whether a port speaks for itself.
 *
 * Model      64 parsed packets of one kind, their headers in the cache as they are behind hg_parse(), judged
 *            again and again. `off` is a port with nothing configured: the look that finds that out, and what
 *            the loop itself takes, which all others contain. The kinds in turn, so that the machine's
 *            moods meet each of them.
 * Figures    for a packet: KIND_ns, the median of the rounds; _least and _largest over them.
 * Use        bench_guard ROUNDS
 */
#include "bench/figures.h"
#include "tests/frames.h"
#include "vswitch/guard.h"
#include "vswitch/parse.h"
#include "vswitch/pool.h"

#include <stdlib.h>
#include <time.h>

#define N_PKTS 64u
#define N_TURNS 2000u
#define ROUNDS_MAX 1000u

enum kind { OFF, MAC, TCP4, TCP6, ARP, ADVERT, N_KINDS };

static const char *const names[N_KINDS] = {"off", "mac", "tcp4", "tcp6", "arp", "advert"};
/* The address that is spoken from comes last of its family. */
static const struct hg_address addresses[] = {{.bytes = {10, 0, 0, 99}, .len = 4},
					      {.bytes = {10, 0, 0, 1}, .len = 4},
					      {.bytes = {0xfd, [15] = 99}, .len = 16},
					      {.bytes = {0xfd, [15] = 1}, .len = 16}};
static const struct hg_switch_port nothing = {0};
static const struct hg_switch_port mac_only = {.mac = {2, 0, 0, 0, 0, 1}, .has_mac = true};
static const struct hg_switch_port full = {
	.mac = {2, 0, 0, 0, 0, 1}, .has_mac = true, .addresses = addresses, .n_addresses = 4};
static struct hg_arena_pool arena;
static struct frame frame;
static struct hg_pkt *pkts[N_KINDS][N_PKTS];
static double ns[N_KINDS][ROUNDS_MAX];

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void make_frame(enum kind kind)
{
	static const uint8_t to[6] = {2, 0, 0, 0, 0, 2}, from[6] = {2, 0, 0, 0, 0, 1};

	frame_eth(&frame, to, from);
	switch (kind) {
	case TCP6:
		frame_ip6(&frame, HG_IP_TCP);
		frame_tcp(&frame, 0, 0);
		break;
	case ARP:
		frame_arp(&frame, 2, 0x0a000002);
		hg_bytes_put32(frame.bytes + frame.l3 + 14, 0x0a000001);
		break;
	case ADVERT:
		frame_ip6(&frame, HG_IP_ICMP6);
		frame_nd(&frame, HG_ND_ADVERT, addresses[3].bytes);
		frame.bytes[frame.n] = HG_ND_OPTION_TARGET;
		frame.bytes[frame.n + 1] = 1;
		memcpy(frame.bytes + frame.n + 2, from, 6);
		frame.n += 8;
		break;
	default:
		frame_ip4(&frame, HG_IP_TCP, 0);
		frame_tcp(&frame, 0, 0);
	}
	frame_finish(&frame);
}

static void make_all(void)
{
	enum hg_drop reason;

	for (unsigned kind = 0; kind < N_KINDS; kind++) {
		make_frame((enum kind)kind);
		for (unsigned i = 0; i < N_PKTS; i++) {
			pkts[kind][i] = frame_pkt(&frame, &arena.pool);
			if (pkts[kind][i] == NULL || !hg_parse(pkts[kind][i], &reason))
				abort();
		}
	}
}

static double time_kind(enum kind kind)
{
	const struct hg_switch_port *port = kind == OFF   ? &nothing
					    : kind == MAC ? &mac_only
							  : &full;
	double began_ns = now_ns();
	unsigned n_passed = 0;

	for (unsigned turn = 0; turn < N_TURNS; turn++) {
		for (unsigned i = 0; i < N_PKTS; i++) {
			enum hg_drop reason;

			/* The compiler may not know which port it is. */
			__asm__ volatile("" : "+r"(port));
			n_passed += !hg_guard_is_on(port) ||
				    hg_guard_pass(port, pkts[kind][i], &reason);
		}
	}
	if (n_passed != N_TURNS * N_PKTS)
		abort();
	return (now_ns() - began_ns) / (N_TURNS * N_PKTS);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	int n_rounds = argc == 2 ? atoi(argv[1]) : 0;
	uint32_t n_pkts = N_KINDS * N_PKTS;
	void *memory = malloc(hg_pool_arena_bytes(n_pkts));
	char name[64];

	if (n_rounds < 1 || n_rounds > (int)ROUNDS_MAX || memory == NULL) {
		fprintf(stderr, "use: bench_guard ROUNDS (in [1, %u])\n", ROUNDS_MAX);
		return 2;
	}
	hg_pool_arena_init(&arena, memory, n_pkts);
	make_all();
	for (int round = 0; round < n_rounds; round++) {
		for (unsigned kind = 0; kind < N_KINDS; kind++)
			ns[kind][round] = time_kind((enum kind)kind);
	}
	for (unsigned kind = 0; kind < N_KINDS; kind++) {
		qsort(ns[kind], (size_t)n_rounds, sizeof(double), compare);
		snprintf(name, sizeof(name), "%s_ns", names[kind]);
		hg_figure(name, ns[kind][n_rounds / 2]);
		snprintf(name, sizeof(name), "%s_ns_least", names[kind]);
		hg_figure(name, ns[kind][0]);
		snprintf(name, sizeof(name), "%s_ns_largest", names[kind]);
		hg_figure(name, ns[kind][n_rounds - 1]);
	}
	free(memory);
	return 0;
}
