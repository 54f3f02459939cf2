/* guard: what it costs to judge whether a port speaks for itself.
 *
 * Model      64 parsed packets of one kind, their headers in the cache as they are behind hg_parse(), judged
 *            again and again: a request (bench/told.h) names the kind. `off` is a port with nothing configured: the
 *            look that finds that out, and what the loop itself takes, which all others contain.
 */
#include "bench/clock.h"
#include "bench/figures.h"
#include "bench/told.h"
#include "tests/frames.h"
#include "vswitch/guard.h"
#include "vswitch/parse.h"
#include "vswitch/pool.h"

#include <stdlib.h>
#include <string.h>

#define N_PKTS 64u
#define N_TURNS 20000u

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
	hg_ns began_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
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
	return (double)(bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns) / (N_TURNS * N_PKTS);
}

static enum kind kind_of(const char *name)
{
	for (unsigned kind = 0; kind < N_KINDS; kind++)
		if (strcmp(name, names[kind]) == 0)
			return (enum kind)kind;
	fprintf(stderr, "guard: there is no kind '%s'\n", name);
	exit(1);
}

int main(void)
{
	uint32_t n_pkts = N_KINDS * N_PKTS;
	void *memory = malloc(hg_pool_arena_bytes(n_pkts));
	struct hg_told told;

	if (memory == NULL)
		abort();
	hg_pool_arena_init(&arena, memory, n_pkts);
	make_all();
	while (hg_told(&told))
		hg_figure("ns", time_kind(kind_of(told.words[0])));
	free(memory);
	return 0;
}
