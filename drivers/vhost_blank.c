#include "drivers/vhost_blank.h"

#include "core/text.h"

/* Of each region: firmware, boot loaders and kernels of all machines leave something there. */
#define LOOK_BYTES (UINT64_C(1) << 20)

/* The guest, or the worker in its place, may write meanwhile: whatever is not zero will do. */
static HG_UNSANITIZED bool is_zero(const void *at, uint64_t n_bytes)
{
	const volatile uint32_t *words = at;
	uint32_t seen = 0;

	for (uint64_t i = 0; i < n_bytes / sizeof(*words) && seen == 0; i++)
		seen |= words[i];
	return seen == 0;
}

/* A driver begins with the first descriptor. What is used is written by us. */
static bool is_ring_zero(const struct hg_vring *ring)
{
	return is_zero(ring->descs.split, sizeof(*ring->descs.split)) &&
	       is_zero(ring->avail.split, sizeof(uint32_t));
}

static bool is_blank(const struct hg_vhost_link *link)
{
	for (uint32_t i = 0; i < 2u * link->n_pairs; i++) {
		if (link->rings[i].is_used && !is_ring_zero(&link->rings[i].vring))
			return false;
	}
	for (uint32_t i = 0; i < link->memory.n; i++) {
		const struct hg_guest_region *r = &link->memory.regions[i];

		if (!is_zero(r->host, r->n_bytes < LOOK_BYTES ? r->n_bytes : LOOK_BYTES))
			return false;
	}
	return true;
}

void hg_vhost_blank_note(struct hg_vhost_link *link, struct hg_dev_state *state)
{
	struct hg_text text;

	if (link->has_shown || !atomic_load_explicit(&link->is_open, memory_order_relaxed))
		return;
	link->has_shown = !is_blank(link);
	if (link->has_shown || state->link != HG_DEV_UP)
		return;
	state->link = HG_DEV_DOWN;
	hg_text_init(&text, state->reason, sizeof(state->reason));
	hg_text_add(&text, "the memory of the guest at ");
	hg_text_add(&text, link->path);
	hg_text_add(&text, " holds nothing here: it is not shared (share=on)");
}
