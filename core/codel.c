#include "core/codel.h"

/* floor(sqrt(x)), bit by bit. */
static uint32_t root(uint64_t x)
{
	uint64_t bit = UINT64_C(1) << 62, sum = 0;

	for (; bit != 0; bit >>= 2) {
		if (x >= sum + bit) {
			x -= sum + bit;
			sum = (sum >> 1) + bit;
		} else {
			sum >>= 1;
		}
	}
	return (uint32_t)sum;
}

static hg_ns step_ns(uint16_t n)
{
	return root((uint64_t)(HG_CODEL_INTERVAL_NS * HG_CODEL_INTERVAL_NS) / n);
}

static void end_spell(struct hg_codel *c, hg_ns now_ns)
{
	if (c->n_first > 0)
		c->n = c->n > c->n_first ? (uint16_t)(c->n - c->n_first) : 1;
	c->n_first = 0;
	c->is_above = false;
	c->at_ns = now_ns;
}

static void begin_spell(struct hg_codel *c, uint8_t queue, hg_ns now_ns)
{
	if (c->n == 0 || now_ns - c->at_ns > HG_CODEL_FORGET_NS)
		c->n = 1;
	c->n_first = 0;
	c->is_above = true;
	c->queue = queue;
	c->at_ns = now_ns + HG_CODEL_INTERVAL_NS;
}

bool hg_codel_note(struct hg_codel *c, uint8_t queue, bool is_above, hg_ns now_ns)
{
	if (!is_above) {
		if (c->is_above && c->queue == queue)
			end_spell(c, now_ns);
		return false;
	}
	/* Of a mark that waits for so long nobody knows whether its queue still stands. */
	if (!c->is_above || now_ns - c->at_ns > HG_CODEL_FORGET_NS) {
		begin_spell(c, queue, now_ns);
		return false;
	}
	return now_ns >= c->at_ns;
}

void hg_codel_marked(struct hg_codel *c, hg_ns now_ns)
{
	hg_ns due_ns = c->at_ns;

	if (c->n_first == 0)
		c->n_first = c->n;
	else if (c->n < HG_CODEL_MARKS_MAX)
		c->n++;
	if (due_ns < now_ns - HG_CODEL_LATE_NS)
		due_ns = now_ns - HG_CODEL_LATE_NS;
	c->at_ns = due_ns + step_ns(c->n);
}
