/* hurry: this thread goes before others for a while.
 *
 * Why        While a restart hands over, every guest waits for two threads of ordinary programs' rank: on a busy
 *            host each of some dozen steps would wait for a slice of others, 150 to 470 ms instead of 5 to 12.
 * Model      A high niceness and the shortest slice that Linux knows (6.12 and later; before, niceness alone), as
 *            the packet lane's workers have. A thread under a real-time policy has more, and is left alone.
 * Threads    The calling one; children that it starts meanwhile inherit it. Errors: none; without the right to it
 *            nothing changes.
 * Used by    apps/.
 */
#ifndef HG_HOST_HURRY_H
#define HG_HOST_HURRY_H

#include <stdbool.h>
#include <stdint.h>

struct hg_hurry {
	bool was_changed;
	int32_t nice; /* before */
};

void hg_hurry_begin(struct hg_hurry *ret_before);
void hg_hurry_end(const struct hg_hurry *before);

#endif
