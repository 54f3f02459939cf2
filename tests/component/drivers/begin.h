/* begin: a far side and an open device, for a program of tests. Include tests/harness.h before it. */
#ifndef HG_TESTS_COMPONENT_DRIVERS_BEGIN_H
#define HG_TESTS_COMPONENT_DRIVERS_BEGIN_H

#include "tests/component/drivers/world.h"

/* As world_begin(), with buffers and a far side of its own; skips the test where that cannot be built. */
static inline struct hg_dev *begin(struct world *world)
{
	const char *why;

	heap_pool_init(&world->heap);
	why = world->build(world);
	if (why != NULL)
		HG_SKIP(why);
	return world_begin(world);
}

#endif
