#include "dataplane/capture.h"

#include "dataplane/watching.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include <pcap/bpf.h>

/* What stands in front of a packet's bytes in the spool. */
struct record {
	hg_ns at_ns; /* on the workers' clock */
	uint32_t total_bytes;
	uint16_t gso_bytes; /* 0: one packet */
	uint8_t dir; /* enum hg_dir */
	bool needs_csum;
};

/* ---- the packet lane ---------------------------------------------------------------------------- */

static bool passes(const struct hg_capture *c, const struct hg_pkt *pkt)
{
	/* The same layout: asserted below. The filter sees the first buffer, which holds all headers. */
	return c->cfg.n_insns == 0 ||
	       bpf_filter((const struct bpf_insn *)(const void *)c->cfg.insns, pkt->data,
			  pkt->total_bytes, pkt->n_bytes) != 0;
}

static bool keep(struct hg_capture *c, const struct hg_pkt *pkt, enum hg_dir dir, hg_ns now_ns)
{
	uint32_t n_bytes =
		pkt->total_bytes < c->cfg.snap_bytes ? pkt->total_bytes : c->cfg.snap_bytes;
	struct record *record;

	if (!hg_bucket_take(&c->bucket, n_bytes + HG_CAPTURE_PKT_BYTES, now_ns))
		return false;
	record = hg_spool_begin(&c->spool, (uint32_t)sizeof(*record) + n_bytes);
	if (record == NULL)
		return false;
	*record = (struct record){
		.at_ns = now_ns,
		.total_bytes = pkt->total_bytes,
		.gso_bytes = pkt->gso == HG_GSO_NONE ? 0 : pkt->gso_bytes,
		.dir = (uint8_t)dir,
		.needs_csum = (pkt->flags & HG_PKT_NEEDS_CSUM) != 0,
	};
	hg_pkt_read(pkt, 0, (uint8_t *)(record + 1), n_bytes);
	hg_spool_commit(&c->spool);
	return true;
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	/* One writer. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static void show(struct hg_capture *c, struct hg_pkt *const *pkts, unsigned n, enum hg_dir dir,
		 hg_ns now_ns)
{
	unsigned n_passed = 0, n_missed = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!passes(c, pkts[i]))
			continue;
		n_passed++;
		n_missed += !keep(c, pkts[i], dir, now_ns);
	}
	count(&c->passed_pkts, n_passed);
	count(&c->missed_pkts, n_missed);
}

void hg_capture_show(struct hg_worker *w, const struct hg_port *port, struct hg_pkt *const *pkts,
		     unsigned n, enum hg_dir dir)
{
	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++) {
		struct hg_capture *c =
			atomic_load_explicit(&w->lane->captures[i], memory_order_acquire);

		if (c != NULL && c->slot == port->slot && hg_watch_has(c->cfg.watch, dir))
			show(c, pkts, n, dir, w->now_ns);
	}
}

/* ---- the control lane: which ports are looked at ------------------------------------------------ */

/* Brings the byte of the slot's port in line with the table. */
static void tell_port(struct hg_dp *dp, uint32_t slot)
{
	struct hg_port *port = slot < dp->snapshot->n_port_slots ? dp->snapshot->ports[slot] : NULL;
	bool is_captured = false;

	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++) {
		const struct hg_capture *c = atomic_load(&dp->lane.captures[i]);

		is_captured |= c != NULL && c->slot == slot;
	}
	if (port == NULL)
		return;
	if (is_captured)
		atomic_fetch_or(&port->watched, HG_WATCHED_CAPTURE);
	else
		atomic_fetch_and(&port->watched, (uint8_t)~HG_WATCHED_CAPTURE);
}

/* Nobody shows it anything when this returns. */
static void take_out(struct hg_dp *dp, struct hg_capture *c)
{
	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++) {
		if (atomic_load(&dp->lane.captures[i]) != c)
			continue;
		atomic_store(&dp->lane.captures[i], NULL);
		tell_port(dp, c->slot);
		hg_dp_wait_round(dp);
	}
}

void hg_capture_follow(struct hg_dp *dp)
{
	const struct hg_snapshot *s = dp->snapshot;

	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++) {
		struct hg_capture *c = atomic_load(&dp->lane.captures[i]);

		if (c == NULL)
			continue;
		if (c->slot < s->n_port_slots && s->is_port[c->slot] &&
		    s->port_since[c->slot] == c->since) {
			tell_port(dp, c->slot);
			continue;
		}
		c->ended = "the port was removed";
		take_out(dp, c);
	}
}

void hg_capture_destroy_all(struct hg_dp *dp)
{
	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++) {
		struct hg_capture *c = atomic_load(&dp->lane.captures[i]);

		if (c != NULL)
			free(c->memory);
		free(c);
	}
}

/* ---- open --------------------------------------------------------------------------------------- */

static_assert(sizeof(struct hg_capture_insn) == sizeof(struct bpf_insn) &&
		      offsetof(struct hg_capture_insn, code) == offsetof(struct bpf_insn, code) &&
		      offsetof(struct hg_capture_insn, jump_true) ==
			      offsetof(struct bpf_insn, jt) &&
		      offsetof(struct hg_capture_insn, jump_false) ==
			      offsetof(struct bpf_insn, jf) &&
		      offsetof(struct hg_capture_insn, k) == offsetof(struct bpf_insn, k),
	      "a filter is handed to libpcap as it is");

/* All that libpcap's interpreter knows. It ends the program at any other, and its check does not look at all bits
 * of a code. */
static bool is_known(uint16_t code)
{
	static const uint8_t codes[] = {/* returns */ 0x06,
					0x16,
					/* loads and stores */ 0x20,
					0x28,
					0x30,
					0x80,
					0x81,
					0x40,
					0x48,
					0x50,
					0xb1,
					0x00,
					0x01,
					0x60,
					0x61,
					0x02,
					0x03,
					/* jumps */ 0x05,
					0x25,
					0x35,
					0x15,
					0x45,
					0x2d,
					0x3d,
					0x1d,
					0x4d,
					/* sums, with X and with a constant */ 0x0c,
					0x1c,
					0x2c,
					0x3c,
					0x9c,
					0x5c,
					0x4c,
					0xac,
					0x6c,
					0x7c,
					0x04,
					0x14,
					0x24,
					0x34,
					0x94,
					0x54,
					0x44,
					0xa4,
					0x64,
					0x74,
					0x84,
					/* between A and X */ 0x07,
					0x87};

	return code <= UINT8_MAX && memchr(codes, (int)code, sizeof(codes)) != NULL;
}

static bool are_known(const struct hg_capture_insn *insns, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!is_known(insns[i].code))
			return false;
	}
	return true;
}

/* libpcap lets a filter jump back (its `protochain` does), and would then run it for ever. */
static bool is_forward(const struct hg_capture_insn *insns, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (insns[i].code == (BPF_JMP | BPF_JA) && insns[i].k >= n - i)
			return false;
	}
	return true;
}

static int check_filter(const struct hg_capture_cfg *cfg, struct hg_error *reterr)
{
	if (cfg->n_insns == 0)
		return 0;
	if (cfg->n_insns > HG_CAPTURE_INSNS_MAX)
		return hg_error_set(reterr, -HG_EINVAL,
				    "the filter is too long: at most 512 instructions", NULL);
	if (!is_forward(cfg->insns, cfg->n_insns))
		return hg_error_set(reterr, -HG_EINVAL,
				    "the filter has a loop (protochain?); it must run straight on",
				    NULL);
	if (!are_known(cfg->insns, cfg->n_insns) ||
	    !bpf_validate((const struct bpf_insn *)(const void *)cfg->insns, (int)cfg->n_insns))
		return hg_error_set(reterr, -HG_EINVAL,
				    "the filter is not a program of classic BPF that ends", NULL);
	return 0;
}

static int refuse_another(const struct hg_dp *dp, struct hg_error *reterr)
{
	char holders[HG_ERROR_TEXT_BYTES / 2];
	size_t n = 0;

	for (unsigned i = 0; i < HG_CAPTURES_MAX && n < sizeof(holders); i++) {
		const struct hg_capture *c = atomic_load(&dp->lane.captures[i]);

		n += (size_t)snprintf(holders + n, sizeof(holders) - n, "%s%.63s by %s",
				      i == 0 ? "" : ", ", c->port, c->cfg.who);
	}
	return hg_error_set(reterr, -HG_EBUSY, "as many captures run as there may be, 4: of ",
			    holders, NULL);
}

static hg_ns ahead_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (hg_ns)t.tv_sec * HG_NS_PER_S + t.tv_nsec - hg_dp_clock_ns();
}

static struct hg_capture *make(const struct hg_capture_cfg *cfg)
{
	struct hg_capture *c =
		aligned_alloc(HG_CACHE_LINE_BYTES, (sizeof(*c) + 63u) & ~(size_t)63u);

	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->memory = malloc(HG_CAPTURE_SPOOL_BYTES);
	if (c->memory == NULL) {
		free(c);
		return NULL;
	}
	c->cfg = *cfg;
	c->real_ns = ahead_ns();
	hg_spool_init(&c->spool, c->memory, HG_CAPTURE_SPOOL_BYTES);
	hg_bucket_init(&c->bucket, HG_CAPTURE_BYTES_PER_S, HG_CAPTURE_BURST_BYTES,
		       HG_CAPTURE_BURST_BYTES, HG_NEVER, hg_dp_clock_ns());
	return c;
}

int hg_dp_capture_open(struct hg_dp *dp, bool is_uplink, uint32_t idx,
		       const struct hg_capture_cfg *cfg, struct hg_capture **ret_capture,
		       struct hg_error *reterr)
{
	unsigned at = 0;
	struct hg_capture *c;
	int r = check_filter(cfg, reterr);

	if (r != 0)
		return r;
	while (at < HG_CAPTURES_MAX && atomic_load(&dp->lane.captures[at]) != NULL)
		at++;
	if (at == HG_CAPTURES_MAX)
		return refuse_another(dp, reterr);
	c = make(cfg);
	if (c == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a capture", NULL);
	c->slot = is_uplink ? dp->uplinks.slots[idx] : dp->ports.slots[idx];
	c->since = dp->snapshot->port_since[c->slot];
	snprintf(c->port, sizeof(c->port), "%s",
		 is_uplink ? dp->desired.uplinks[idx].name : dp->desired.ports[idx].name);
	atomic_store(&dp->lane.captures[at], c);
	tell_port(dp, c->slot);
	*ret_capture = c;
	return 0;
}

/* ---- fetch -------------------------------------------------------------------------------------- */

bool hg_dp_capture_peek(const struct hg_capture *capture, struct hg_capture_pkt *ret_pkt)
{
	uint32_t n_bytes = 0;
	const struct record *record = hg_spool_peek(&capture->spool, &n_bytes);

	if (record == NULL)
		return false;
	*ret_pkt = (struct hg_capture_pkt){
		.at_ns = record->at_ns + capture->real_ns,
		.total_bytes = record->total_bytes,
		.n_bytes = n_bytes - (uint32_t)sizeof(*record),
		.dir = (enum hg_dir)record->dir,
		.needs_csum = record->needs_csum,
		.gso_bytes = record->gso_bytes,
		.bytes = (const uint8_t *)(record + 1),
	};
	return true;
}

void hg_dp_capture_take(struct hg_capture *capture)
{
	hg_spool_take(&capture->spool);
}

void hg_dp_capture_sample(struct hg_capture *capture, struct hg_capture_stats *ret_stats)
{
	/* Who sets the host's clock moves what is taken from then on. */
	capture->real_ns = ahead_ns();
	*ret_stats = (struct hg_capture_stats){
		.passed_pkts = atomic_load(&capture->passed_pkts),
		.missed_pkts = atomic_load(&capture->missed_pkts),
		.ended = capture->ended,
		.real_ns = capture->real_ns,
	};
}

void hg_dp_capture_stop(struct hg_dp *dp, struct hg_capture *capture)
{
	take_out(dp, capture);
}

void hg_dp_capture_close(struct hg_dp *dp, struct hg_capture *capture)
{
	if (capture == NULL)
		return;
	take_out(dp, capture);
	free(capture->memory);
	free(capture);
}
