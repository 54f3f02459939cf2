#include "dataplane/still.h"

#include "dataplane/path.h"
#include "dataplane/telling.h"

#include <time.h>

/* Between two looks at whether it goes on. Short, since every port waits; but longer and longer, so as to leave the
 * processor to whoever is waited for, which may be a guest. */
#define NAP_NS (20 * HG_NS_PER_US)
#define NAP_MAX_NS (320 * HG_NS_PER_US)

static void nap(struct hg_worker *w, bool is_new)
{
	struct timespec t;

	w->nap_ns = is_new ? NAP_NS : w->nap_ns * 2;
	if (w->nap_ns > NAP_MAX_NS)
		w->nap_ns = NAP_MAX_NS;
	t = (struct timespec){.tv_nsec = w->nap_ns};
	(void)nanosleep(&t, NULL);
}

/* Tells the worker's devices. Ports that come while it stands aside are not told, and not read. */
static void step_aside(struct hg_worker *w, bool is_aside)
{
	for (uint32_t slot = 0; slot < w->snapshot->n_port_slots; slot++) {
		struct hg_port *port = w->snapshot->ports[slot];

		if (port == NULL || port->worker != w->idx || port->is_paused == is_aside)
			continue;
		port->is_paused = is_aside;
		if (port->dev->driver->pause != NULL)
			port->dev->driver->pause(port->dev, is_aside);
	}
	w->is_aside = is_aside;
}

/* What paused devices have inside still comes out. Returns whether any did. */
static bool receive_rest(struct hg_worker *w)
{
	bool has_moved = false;

	for (uint32_t slot = 0; slot < w->snapshot->n_port_slots; slot++) {
		struct hg_port *port = w->snapshot->ports[slot];

		if (port != NULL && port->worker == w->idx && port->is_paused &&
		    port->dev->driver->pause != NULL)
			has_moved |= hg_path_receive(w, port) > 0;
	}
	return has_moved;
}

static void drain(struct hg_worker *w)
{
	bool has_more;

	if (!w->is_aside)
		step_aside(w, true);
	hg_telling_until(w, HG_NEVER);
	has_more = receive_rest(w);
	has_more |= hg_worker_bring_forward(w);
	atomic_store_explicit(&w->is_drained, !has_more, memory_order_release);
}

void hg_still_turn(struct hg_worker *w)
{
	int phase = atomic_load_explicit(&w->lane->phase, memory_order_acquire);
	int before = atomic_load_explicit(&w->phase, memory_order_relaxed);

	if (phase == HG_PHASE_DRAIN)
		drain(w);
	else if (phase == HG_PHASE_RUN)
		step_aside(w, false);
	atomic_store_explicit(&w->phase, phase, memory_order_release);
	hg_worker_begin_turn(w);
	if (phase != HG_PHASE_RUN)
		nap(w,
		    phase != before || !atomic_load_explicit(&w->is_drained, memory_order_relaxed));
}
