#include "control/measure.h"

#include "control/card.h"

#define P50_PPM 500000u
#define P99_PPM 990000u

static uint64_t grown(uint64_t from, uint64_t to)
{
	return to >= from ? to - from : to;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* rate * ns / 10^9 without overflow: rates go up to 2^37, spans to hours. */
static uint64_t over(uint64_t per_s, hg_ns for_ns)
{
	uint64_t ns = (uint64_t)for_ns, s = ns / (uint64_t)HG_NS_PER_S;
	uint64_t us = ns % (uint64_t)HG_NS_PER_S / 1000u;

	return per_s * s + per_s * us / 1000000u;
}

static uint64_t per_second(uint64_t n, hg_ns for_ns)
{
	return for_ns <= 0 ? 0 : (uint64_t)((double)n * (double)HG_NS_PER_S / (double)for_ns);
}

void hg_measure_span(const struct hg_dp_flow *from, const struct hg_dp_flow *to, hg_ns for_ns,
		     hg_ns stolen_ns, struct hg_span *ret_span)
{
	uint64_t wait_ns = grown(from->wait_ns, to->wait_ns);

	*ret_span = (struct hg_span){
		.for_ns = for_ns,
		.stolen_ns = stolen_ns,
		/* Two queues of one instance can wait at once: no longer than the span all the same. */
		.wait_ns = (hg_ns)less(wait_ns, (uint64_t)for_ns),
		.sent_bytes = grown(from->sent_bytes, to->sent_bytes),
		.sent_pkts = grown(from->sent_pkts, to->sent_pkts),
		.link_sent_bytes = grown(from->link_bytes, to->link_bytes),
		.link_offered_bytes = grown(from->link_offered_bytes, to->link_offered_bytes),
		.link_waiting_bytes = from->link_queued_bytes,
	};
}

/* What the maxima count of the bytes sent. */
static uint64_t counted(const struct hg_policy *policy, const struct hg_span *span)
{
	if (policy->accounting == HG_ACCOUNT_L2)
		return minus(span->sent_bytes, span->sent_pkts * HG_WIRE_OVERHEAD_BYTES);
	return span->sent_bytes;
}

static uint64_t slack(const struct hg_policy *policy)
{
	return policy->burst_bytes + HG_MEASURE_PACKET_BYTES;
}

/* The bucket of the packet maximum holds a burst of full frames, at least one (core/caps.c). */
static uint64_t slack_pkts(const struct hg_policy *policy)
{
	uint64_t burst = policy->burst_bytes / HG_BURST_MIN_BYTES;

	return (burst > 0 ? burst : 1) + HG_MEASURE_PACKET_PKTS;
}

static bool is_out_of_pkts(const struct hg_policy *policy, const struct hg_span *span)
{
	return policy->max_pkts_per_s != 0 &&
	       span->sent_pkts + slack_pkts(policy) >= over(policy->max_pkts_per_s, span->for_ns);
}

/* What the byte maximum leaves for the link beside local traffic. */
static uint64_t left_for_link(const struct hg_policy *policy, const struct hg_span *span)
{
	uint64_t local = minus(span->sent_bytes, span->link_sent_bytes);

	if (policy->max_bytes_per_s == 0)
		return UINT64_MAX;
	return minus(over(policy->max_bytes_per_s, span->for_ns), local);
}

static uint64_t due(const struct hg_policy *policy, const struct hg_span *span)
{
	hg_ns backlog_ns = span->wait_ns > 0 ? span->wait_ns : span->for_ns;
	uint64_t owed = over(policy->min_bytes_per_s, backlog_ns);

	owed = less(owed, span->link_waiting_bytes + span->link_offered_bytes);
	return less(owed, left_for_link(policy, span));
}

static bool is_min_kept(const struct hg_policy *policy, const struct hg_span *span,
			struct hg_room room)
{
	if (policy->min_bytes_per_s == 0 || room.is_used_up || is_out_of_pkts(policy, span))
		return true;
	return span->link_sent_bytes + slack(policy) >= due(policy, span);
}

static bool is_max_kept(const struct hg_policy *policy, const struct hg_span *span)
{
	if (policy->max_bytes_per_s != 0 &&
	    counted(policy, span) > over(policy->max_bytes_per_s, span->for_ns) + slack(policy))
		return false;
	return policy->max_pkts_per_s == 0 ||
	       span->sent_pkts <= over(policy->max_pkts_per_s, span->for_ns) + slack_pkts(policy);
}

bool hg_measure_is_stolen(hg_ns stolen_ns, hg_ns for_ns)
{
	return stolen_ns > for_ns / 1000000 * (hg_ns)HG_MEASURE_STOLEN_PPM;
}

unsigned hg_measure_judge(const struct hg_policy *policy, const struct hg_span *span,
			  struct hg_room room)
{
	unsigned judged = 0;

	if (hg_measure_is_stolen(span->stolen_ns, span->for_ns))
		return HG_JUDGED_STOLEN;
	if (!is_min_kept(policy, span, room))
		judged |= HG_JUDGED_MISSED_MIN;
	if (!is_max_kept(policy, span))
		judged |= HG_JUDGED_MISSED_MAX;
	return judged;
}

struct hg_room hg_measure_room(const struct hg_policy *policy, const struct hg_span *span)
{
	return (struct hg_room){
		.is_used_up =
			is_out_of_pkts(policy, span) ||
			left_for_link(policy, span) < over(policy->min_bytes_per_s, span->for_ns),
	};
}

void hg_measure_count(struct hg_proof *proof, unsigned judged)
{
	if (judged & HG_JUDGED_STOLEN) {
		proof->stolen++;
		return;
	}
	if (judged == 0) {
		proof->kept++;
		return;
	}
	proof->missed++;
	if (judged & HG_JUDGED_MISSED_MIN)
		proof->missed_min++;
	if (judged & HG_JUDGED_MISSED_MAX)
		proof->missed_max++;
}

void hg_measure_rates(const struct hg_dp_flow *from, const struct hg_dp_flow *to, hg_ns for_ns,
		      struct hg_measure *ret_measure)
{
	struct hg_measure m = {
		.for_ns = for_ns,
		.waiting_bytes = to->queued_bytes,
		.marked_pkts = grown(from->marked_pkts, to->marked_pkts),
		.wait_ns = grown(from->wait_ns, to->wait_ns),
		.is_active = to->is_active,
		.held_by = to->held_by,
	};
	struct hg_histogram wait;

	m.offered_bytes_per_s = per_second(grown(from->offered_bytes, to->offered_bytes), for_ns);
	m.sent_bytes_per_s = per_second(grown(from->sent_bytes, to->sent_bytes), for_ns);
	m.link_offered_bytes_per_s =
		per_second(grown(from->link_offered_bytes, to->link_offered_bytes), for_ns);
	m.link_sent_bytes_per_s = per_second(grown(from->link_bytes, to->link_bytes), for_ns);
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		m.drops += grown(from->drops[i], to->drops[i]);
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		m.held_ns[i] = grown(from->held_ns[i], to->held_ns[i]);
	hg_histogram_diff(&from->wait, &to->wait, &wait);
	m.wait_p50_ns = hg_histogram_quantile(&wait, P50_PPM);
	m.wait_p99_ns = hg_histogram_quantile(&wait, P99_PPM);
	hg_card_quantiles(&from->card, &to->card, &m.card);
	*ret_measure = m;
}
