/* The marks of core/codel.h: against a slow and obvious model on random histories, and what they do to many senders
 * that share a queue, beside marks on each packet that stood too long. */
#include "core/codel.h"

#include "tests/property/twins.h"

#define US HG_NS_PER_US
#define MS HG_NS_PER_MS
#define STEPS 3000u

static uint64_t seed;

static uint32_t between(uint32_t lo, uint32_t hi)
{
	return (uint32_t)hg_test_between(&seed, lo, hi);
}

/* ---- the model ---------------------------------------------------------------------------------- */

struct model {
	bool is_spell, was_spell;
	uint8_t queue;
	uint32_t from; /* the first mark's n */
	uint32_t n_marks; /* in this spell */
	hg_ns due_ns, ended_ns;
};

static hg_ns model_step(uint32_t n)
{
	uint64_t most = (uint64_t)(HG_CODEL_INTERVAL_NS * HG_CODEL_INTERVAL_NS), lo = 0,
		 hi = HG_CODEL_INTERVAL_NS + 1;

	while (hi - lo > 1) {
		uint64_t mid = (lo + hi) / 2;

		if (mid * mid * n <= most)
			lo = mid;
		else
			hi = mid;
	}
	return (hg_ns)lo;
}

static bool model_is_due(struct model *m, uint8_t queue, hg_ns stood_ns, uint32_t left_bytes,
			 hg_ns now_ns)
{
	bool is_above = (stood_ns > HG_CODEL_TARGET_NS && left_bytes >= HG_CODEL_LEAST_BYTES) ||
			stood_ns > HG_CODEL_LONG_NS;

	if (m->is_spell && is_above && now_ns > m->due_ns + HG_CODEL_FORGET_NS) {
		m->is_spell = m->was_spell = false;
	} else if (m->is_spell && !is_above && queue == m->queue) {
		if (m->n_marks > 1)
			m->from = m->n_marks - 1;
		else if (m->n_marks == 1)
			m->from = 1;
		m->is_spell = false;
		m->was_spell = true;
		m->ended_ns = now_ns;
	}
	if (!is_above)
		return false;
	if (m->is_spell)
		return now_ns >= m->due_ns;
	if (!m->was_spell || now_ns > m->ended_ns + HG_CODEL_FORGET_NS)
		m->from = 1;
	m->is_spell = true;
	m->queue = queue;
	m->n_marks = 0;
	m->due_ns = now_ns + HG_CODEL_INTERVAL_NS;
	return false;
}

static void model_marked(struct model *m, hg_ns now_ns)
{
	hg_ns due_ns = m->due_ns;

	if (now_ns - due_ns > HG_CODEL_LATE_NS)
		due_ns = now_ns - HG_CODEL_LATE_NS;
	m->due_ns = due_ns + model_step(m->from + m->n_marks);
	m->n_marks++;
}

/* ---- random histories --------------------------------------------------------------------------- */

enum lie { HONEST, ALL, ENDLESS, ONE_QUEUE, FORGETFUL, EVEN, NEVER_LATE, EAGER, SHORTEST, SILENT };

static bool liar_is_due(struct hg_codel *c, enum lie lie, uint8_t queue, hg_ns stood_ns,
			uint32_t left_bytes, hg_ns now_ns)
{
	bool is_above = stood_ns > HG_CODEL_TARGET_NS, was_above = c->is_above;

	if (lie == SHORTEST)
		left_bytes = HG_CODEL_LEAST_BYTES;
	if (lie == SILENT && stood_ns > HG_CODEL_LONG_NS)
		stood_ns = HG_CODEL_LONG_NS;

	if (lie == ENDLESS && !is_above)
		return false;
	if (lie == EAGER && is_above && !c->is_above)
		c->at_ns -= HG_CODEL_FORGET_NS / 2;
	if (!hg_codel_is_due(c, lie == ONE_QUEUE ? 0 : queue, stood_ns, left_bytes, now_ns)) {
		if (lie == FORGETFUL && was_above && !c->is_above)
			*c = (struct hg_codel){0};
		return lie == ALL && is_above;
	}
	return true;
}

static void liar_marked(struct hg_codel *c, enum lie lie, hg_ns now_ns)
{
	hg_codel_marked(c, now_ns);
	if (lie == EVEN)
		c->at_ns = now_ns + HG_CODEL_INTERVAL_NS;
	if (lie == NEVER_LATE && c->at_ns < now_ns)
		c->at_ns = now_ns;
}

static hg_ns pause_ns(void)
{
	switch (between(0, 99)) {
	case 0:
		return between(0, 4) * HG_CODEL_FORGET_NS / 2;
	case 1:
	case 2:
		return between(0, 10) * MS;
	default:
		return between(0, 60) * US;
	}
}

/* Returns what is wrong, or NULL. */
static const char *run(uint64_t with_seed, enum lie lie)
{
	struct hg_codel c = {0};
	struct model m = {0};
	hg_ns now_ns, stood_ns = HG_CODEL_TARGET_NS + 1;
	uint32_t left_bytes = HG_CODEL_LEAST_BYTES;

	seed = with_seed;
	now_ns = between(0, 1000) * MS;
	for (unsigned i = 0; i < STEPS; i++, now_ns += pause_ns()) {
		uint8_t queue = between(0, 9) == 0;
		bool is_due;

		/* It stands for long, and for short. */
		if (between(0, stood_ns > HG_CODEL_TARGET_NS ? 400 : 3) == 0)
			stood_ns = between(0, 1) ? HG_CODEL_TARGET_NS + between(1, 1000)
						 : between(0, HG_CODEL_TARGET_NS);
		/* Some of it leaves few behind, for long or for ever. */
		if (between(0, left_bytes >= HG_CODEL_LEAST_BYTES ? 800 : 100) == 0)
			left_bytes = HG_CODEL_LEAST_BYTES - 1 + between(0, 1);
		if (stood_ns > HG_CODEL_TARGET_NS && between(0, 400) == 0)
			stood_ns = HG_CODEL_LONG_NS + between(0, 1);
		is_due = model_is_due(&m, queue, queue ? 0 : stood_ns, left_bytes, now_ns);
		if (liar_is_due(&c, lie, queue, queue ? 0 : stood_ns, left_bytes, now_ns) != is_due)
			return "a mark is due where the model says none, or none where it says one";
		if (!is_due || between(0, 7) == 0)
			continue;
		model_marked(&m, now_ns);
		liar_marked(&c, lie, now_ns);
	}
	return NULL;
}

static void s1_3_marks_are_those_of_the_model(void)
{
	for (unsigned round = 0; round < n_rounds(300); round++) {
		const char *wrong = run(round_seed(round), HONEST);

		if (wrong != NULL)
			HG_TEST_FAIL("round %u: %s", round, wrong);
	}
}

NOTICED(broken_all_is_noticed, ALL)
NOTICED(broken_endless_is_noticed, ENDLESS)
NOTICED(broken_one_queue_is_noticed, ONE_QUEUE)
NOTICED(broken_forgetful_is_noticed, FORGETFUL)
NOTICED(broken_even_is_noticed, EVEN)
NOTICED(broken_never_late_is_noticed, NEVER_LATE)
NOTICED(broken_eager_is_noticed, EAGER)
NOTICED(broken_shortest_is_noticed, SHORTEST)
NOTICED(broken_silent_is_noticed, SILENT)

/* ---- many senders ------------------------------------------------------------------------------- */

/* Senders behave as TCP does: one packet more for each acknowledged one until the first mark, then about half of one more
 * in a round trip; of a window that was told, 0.7 are left, once in a round trip, and never less than 2 packets.
 * Acknowledgements come when their receiver is run. The queue takes what fits: what does not stays with its
 * sender, who goes on with the next acknowledgement that any gets. */
#define SENDERS_MAX 256u
#define PKT_BYTES 1538u
#define PKT_NS (INT64_C(12304)) /* at 1 Gbit/s */
#define SLOW_PKT_NS (100 * PKT_NS)
#define TRIP_NS (200 * US) /* without the queue */
#define ROOM_PKTS 681u /* 1 MiB */
#define RING 8192u /* packets; more than are ever on the way */

struct sent {
	uint32_t sender;
	hg_ns at_ns; /* queued, then: acknowledged */
	bool is_marked;
};

static struct {
	struct sent queue[RING], acks[RING];
	uint32_t queue_head, queue_tail, ack_head, ack_tail;
	struct {
		uint32_t window_milli, n_out,
			n_recover; /* n_recover: acknowledgements until it may slow down again */
		bool has_been_told;
	} senders[SENDERS_MAX];
	uint32_t n_senders, next;
} net;

static void send_what_may_go(hg_ns now_ns)
{
	for (uint32_t i = 0; i < net.n_senders; i++, net.next = (net.next + 1) % net.n_senders) {
		while (net.senders[net.next].n_out < net.senders[net.next].window_milli / 1000) {
			if (net.queue_tail - net.queue_head == ROOM_PKTS)
				return;
			net.queue[net.queue_tail++ % RING] = (struct sent){net.next, now_ns, false};
			net.senders[net.next].n_out++;
		}
	}
}

static void acknowledge(const struct sent *ack)
{
	uint32_t window = net.senders[ack->sender].window_milli;

	net.senders[ack->sender].n_out--;
	if (net.senders[ack->sender].n_recover > 0) {
		net.senders[ack->sender].n_recover--;
	} else if (ack->is_marked) {
		window = window / 10 * 7 > 2000 ? window / 10 * 7 : 2000;
		net.senders[ack->sender].has_been_told = true;
		net.senders[ack->sender].n_recover = net.senders[ack->sender].n_out;
	} else {
		window += net.senders[ack->sender].has_been_told ? 530000 / window : 1000;
	}
	net.senders[ack->sender].window_milli = window < 1000000 ? window : 1000000;
}

struct outcome {
	double idle_percent,
		full_percent; /* of the time: the link waits; nothing more fits into the queue */
	hg_ns mean_wait_ns;
};

enum marks { SPACED, ON_ALL, ON_FEW }; /* ON_FEW: spaced, and however few packets stand */

/* The third second of so many senders, whose receiver is run so often. */
static struct outcome third_second(uint32_t n_senders, hg_ns run_each_ns, hg_ns pkt_ns,
				   enum marks marks)
{
	struct hg_codel c = {0};
	uint64_t n_idle = 0, n_full = 0, n_all = 0;
	hg_ns wait_ns = 0;

	memset(&net, 0, sizeof(net));
	net.n_senders = n_senders;
	for (uint32_t i = 0; i < n_senders; i++)
		net.senders[i].window_milli = 10000;
	for (hg_ns now_ns = 0; now_ns < 3 * HG_NS_PER_S; now_ns += pkt_ns) {
		struct sent *pkt;
		uint32_t left_bytes;

		while (net.ack_head != net.ack_tail &&
		       net.acks[net.ack_head % RING].at_ns <= now_ns)
			acknowledge(&net.acks[net.ack_head++ % RING]);
		send_what_may_go(now_ns);
		n_all += now_ns >= 2 * HG_NS_PER_S;
		n_full += now_ns >= 2 * HG_NS_PER_S && net.queue_tail - net.queue_head == ROOM_PKTS;
		n_idle += now_ns >= 2 * HG_NS_PER_S && net.queue_head == net.queue_tail;
		if (net.queue_head == net.queue_tail)
			continue;
		pkt = &net.queue[net.queue_head++ % RING];
		wait_ns += now_ns >= 2 * HG_NS_PER_S ? now_ns - pkt->at_ns : 0;
		left_bytes = marks == ON_FEW ? HG_CODEL_LEAST_BYTES
					     : (net.queue_tail - net.queue_head) * PKT_BYTES;
		pkt->is_marked = hg_codel_is_due(&c, 0, now_ns - pkt->at_ns, left_bytes, now_ns);
		if (pkt->is_marked)
			hg_codel_marked(&c, now_ns);
		pkt->is_marked |= marks == ON_ALL && now_ns - pkt->at_ns > HG_CODEL_TARGET_NS;
		pkt->at_ns = (now_ns + TRIP_NS + run_each_ns - 1) / run_each_ns * run_each_ns;
		net.acks[net.ack_tail++ % RING] = *pkt;
	}
	return (struct outcome){100.0 * (double)n_idle / (double)n_all,
				100.0 * (double)n_full / (double)n_all,
				wait_ns / (hg_ns)(n_all - n_idle + 1)};
}

static const uint32_t counts[] = {1, 4, 16, 64};
static const hg_ns turns_ns[] = {100 * US, 1 * MS, 2 * MS, 4 * MS};

static void s1_3_senders_who_are_told_keep_the_link_busy(void)
{
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < 4; j++) {
			struct outcome got = third_second(counts[i], turns_ns[j], PKT_NS, SPACED);

			/* One alone is told when it stood for an interval between two turns. */
			if ((got.idle_percent > 1 && (i > 0 || j < 3)) || got.full_percent > 0 ||
			    got.mean_wait_ns > 3 * HG_CODEL_TARGET_NS)
				HG_TEST_FAIL("%u senders, run each %g ms: idle %g %%, full %g %%, "
					     "wait %g ms",
					     counts[i], (double)turns_ns[j] / 1e6, got.idle_percent,
					     got.full_percent, (double)got.mean_wait_ns / 1e6);
		}
	}
	/* Two packets of each are more than the target; what is more than that leaves. */
	for (unsigned j = 0; j < 4; j++) {
		struct outcome got = third_second(256, turns_ns[j], PKT_NS, SPACED);

		HG_CHECK(got.idle_percent < 1 && got.full_percent < 1);
		HG_CHECK(got.mean_wait_ns < 2 * 256 * PKT_NS + HG_CODEL_TARGET_NS);
	}
}

/* At 10 Mbit/s, where two packets stand for longer than the target, while both ends are run late. */
static void s1_3_one_sender_keeps_a_slow_link_busy(void)
{
	for (hg_ns turn_ns = 1 * MS; turn_ns <= 12 * MS; turn_ns += 1 * MS) {
		struct outcome got = third_second(1, turn_ns, SLOW_PKT_NS, SPACED);

		if (got.idle_percent > 1 || got.full_percent > 0 || got.mean_wait_ns > 12 * MS)
			HG_TEST_FAIL("run each %g ms: idle %g %%, full %g %%, wait %g ms",
				     (double)turn_ns / 1e6, got.idle_percent, got.full_percent,
				     (double)got.mean_wait_ns / 1e6);
	}
}

static void marks_on_few_are_noticed(void)
{
	HG_CHECK(third_second(1, 12 * MS, SLOW_PKT_NS, ON_FEW).idle_percent > 20);
}

static void marks_on_all_are_noticed(void)
{
	unsigned n_idle = 0;

	for (unsigned i = 0; i < 4; i++)
		for (unsigned j = 0; j < 4; j++)
			n_idle +=
				third_second(counts[i], turns_ns[j], PKT_NS, ON_ALL).idle_percent >
				5;
	HG_CHECK(n_idle > 3);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_3_marks_are_those_of_the_model),
		HG_TEST(broken_all_is_noticed),
		HG_TEST(broken_endless_is_noticed),
		HG_TEST(broken_one_queue_is_noticed),
		HG_TEST(broken_forgetful_is_noticed),
		HG_TEST(broken_even_is_noticed),
		HG_TEST(broken_never_late_is_noticed),
		HG_TEST(broken_eager_is_noticed),
		HG_TEST(broken_shortest_is_noticed),
		HG_TEST(broken_silent_is_noticed),
		HG_TEST(s1_3_senders_who_are_told_keep_the_link_busy),
		HG_TEST(marks_on_all_are_noticed),
		HG_TEST(s1_3_one_sender_keeps_a_slow_link_busy),
		HG_TEST(marks_on_few_are_noticed),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
