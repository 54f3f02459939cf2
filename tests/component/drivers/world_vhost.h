/* world_vhost: worlds whose far side is a machine with a virtio card (tests/guest), split rings or packed. */
#ifndef HG_TESTS_COMPONENT_DRIVERS_WORLD_VHOST_H
#define HG_TESTS_COMPONENT_DRIVERS_WORLD_VHOST_H

#include "tests/component/drivers/world.h"

extern struct world world_vhost, world_vhost_packed;

/* The machine of the world that was built last. */
struct guest;
struct guest *world_vhost_guest(void);

#endif
