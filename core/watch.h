/* watch: which of a port's packets somebody wants to see.
 *
 * Why        A mirror and a capture look at the same place, and name directions as contracts do.
 * Model      `out` is what the instance behind the port sends, `in` what it receives; of an uplink `out`
 *            is what leaves the host, `in` what arrives.
 * Memory     none. Threads: any. Errors: none.
 */
#ifndef HG_CORE_WATCH_H
#define HG_CORE_WATCH_H

#include "core/contract.h"

#include <stdbool.h>

/* In the order of the words `both`, `out`, `in`. */
enum hg_watch { HG_WATCH_BOTH = 0, HG_WATCH_OUT, HG_WATCH_IN, HG_N_WATCHES };

static inline bool hg_watch_has(enum hg_watch watch, enum hg_dir dir)
{
	return watch == HG_WATCH_BOTH || (watch == HG_WATCH_OUT) == (dir == HG_OUT);
}

#endif
