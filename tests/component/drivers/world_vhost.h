/* world_vhost: worlds whose far side is a machine with a virtio card (tests/guest), split rings or packed. */
#ifndef HG_TESTS_COMPONENT_DRIVERS_WORLD_VHOST_H
#define HG_TESTS_COMPONENT_DRIVERS_WORLD_VHOST_H

#include "tests/component/drivers/world.h"

#define WORLD_VHOST_QUEUES 4u
/* For how long something of the library's threads or of the guest is waited for, in looks of 10 ms that found nothing. Not
 * until an instant: on a busy machine all may stand still for seconds, which says nothing of what they would have done. */
#define WORLD_VHOST_PATIENCE 3000u

/* flags: split without an event index; apart: received headers end where a cache line does, and hold anything before. The last has several queues; the suite's helpers use the first. */
extern struct world world_vhost, world_vhost_packed, world_vhost_flags, world_vhost_apart,
	world_vhost_packed_apart, world_vhost_queues;

/* The machine of the world that was built last. */
struct guest;
struct guest *world_vhost_guest(void);

#endif
