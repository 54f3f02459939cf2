#include "dataplane/still.h"

#include "dataplane/path.h"

#include <time.h>

/* Between two looks at whether it goes on. Short, since every port waits; long enough to leave the processor to
 * whoever is to take the ports over. */
#define NAP_NS (20 * HG_NS_PER_US)

static void nap(void)
{
	const struct timespec t = {.tv_nsec = NAP_NS};

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
	has_more = receive_rest(w);
	has_more |= hg_worker_bring_forward(w);
	atomic_store_explicit(&w->is_drained, !has_more, memory_order_release);
}

void hg_still_turn(struct hg_worker *w)
{
	int phase = atomic_load_explicit(&w->lane->phase, memory_order_acquire);

	if (phase == HG_PHASE_DRAIN)
		drain(w);
	else if (phase == HG_PHASE_RUN)
		step_aside(w, false);
	atomic_store_explicit(&w->phase, phase, memory_order_release);
	HG_COUNT(w->turns, 1u);
	atomic_store_explicit(&w->rounds, w->turns, memory_order_release);
	if (phase != HG_PHASE_RUN)
		nap();
}
