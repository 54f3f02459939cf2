/* vhost_blank: whether a guest that is up shows us anything of itself.
 *
 * Why        A machine whose memory is mapped privately (share=on was forgotten) hands over a file all the same: it
 *            is mapped here, rings are found in it, and everything looks well. What the machine writes is in copies
 *            of its own, so here all is zero for ever, and no frame moves either way.
 * Model      A machine that runs has left something in the first MiB of its memory (vectors, tables, what its
 *            firmware or loader put there), and its driver in its rings once it gave them buffers. Where neither
 *            is, nothing can have been sent or received.
 * Promise    Of a guest that has posted one buffer nothing is told, wherever its memory begins.
 * Cost       A few words of a guest that shares; a MiB of zeros is read of one that does not.
 * Threads    Under the link's lock, while its door is open: what is mapped stays mapped.
 * Memory     None of its own. Errors: none. Used by: drivers/vhost_link.c.
 */
#ifndef HG_DRIVERS_VHOST_BLANK_H
#define HG_DRIVERS_VHOST_BLANK_H

#include "drivers/vhost_link.h"

/* What is told of a guest that is up and blank: that it is down, and why. Looked at until it has shown something. */
void hg_vhost_blank_note(struct hg_vhost_link *link, struct hg_dev_state *state);

#endif
