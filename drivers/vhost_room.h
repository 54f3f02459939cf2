/* vhost_room: how many guests one process can have, counted here before librte_vhost is asked.
 *
 * Why        The library (22.11) watches so many descriptors and no more, and ends the connection of who is one too many
 *            without a word to anybody. Guests bring descriptors of their own, too; where none is left the process can
 *            neither answer an operator nor read a file.
 * Model      A seat is a descriptor that the library watches: a guest's connection, or a socket on which we listen. Who
 *            wants one takes it here first, and gives it back when the library has forgotten it. Descriptors of the
 *            process are not taken but looked at: the lowest that is free says how many there are.
 * Promise    With all seats taken the library has room for each of them.
 * Memory     none. Threads: any. Cost: an atomic, or a few system calls. Errors: none; why there is no room says enum hg_guest_refusal.
 * Used by    drivers/vhost_dial.c, drivers/vhost_link.c.
 */
#ifndef HG_DRIVERS_VHOST_ROOM_H
#define HG_DRIVERS_VHOST_ROOM_H

#include "core/verdict.h"
#include "drivers/vhost_rules.h"

#include <stdbool.h>
#include <stddef.h>

/* What the library watches, MAX_FDS of its fd_man.h, less its own pipe and our bell (drivers/vhost_bell.h). It has
 * sockets and devices for as many. */
#define HG_VHOST_SEATS_MAX (1024u - 2u)
/* A port that listens, from open to close: so that its guest finds room whenever it comes. */
#define HG_VHOST_SEATS_LISTENING 2u
/* Left for others when a guest is connected; about as many as one with 16 queue pairs brings. */
#define HG_VHOST_SPARE_FDS 128u

/* All of them or none. */
bool hg_vhost_room_take(unsigned n_seats);
void hg_vhost_room_give(unsigned n_seats);

/* Whether enough descriptors are left. */
bool hg_vhost_room_has_fds(void);

/* What one guest may have of the host: no more memory than there is. */
struct hg_vhost_limits hg_vhost_room_of_guest(uint32_t n_pairs);

/* Why there is none, as a sentence about the guest at a path. Requires NO_SEAT or NO_DESCRIPTOR. */
void hg_vhost_room_explain(enum hg_guest_refusal why, const char *path, char *ret_text,
			   size_t size);

#endif
