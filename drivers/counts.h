/* counts: what a device counts, written by its one worker and read by anyone.
 *
 * Why        sample() may run in any thread while the worker counts on; a plain counter would be a data
 *            race, and a locked one would cost the packet lane what it need not pay.
 * Model      One writer for each counter: load, add, store, all relaxed, which is a plain add.
 * Promise    A reader sees each counter whole and never going back; not all of them of one moment.
 * Units      packets, bytes. Memory: the caller's. Errors: none.
 */
#ifndef HG_DRIVERS_COUNTS_H
#define HG_DRIVERS_COUNTS_H

#include "drivers/driver.h"

#include <stdatomic.h>

typedef _Atomic uint64_t hg_count;

struct hg_dev_counts {
	/* Why the device is gone, a string that lives for ever; NULL while it is there. Asked in each call, so it lies
	 * beside what each call counts. */
	_Atomic(const char *) gone;
	hg_count rx_pkts, rx_bytes, tx_pkts, tx_bytes, rx_dropped;
	hg_count drops[HG_N_DROPS];
};

static inline void hg_count_add(hg_count *count, uint64_t n)
{
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void hg_count_set(hg_count *count, uint64_t n)
{
	atomic_store_explicit(count, n, memory_order_relaxed);
}

static inline uint64_t hg_count_read(const hg_count *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

static inline void hg_counts_gone(struct hg_dev_counts *counts, const char *why)
{
	atomic_store_explicit(&counts->gone, why, memory_order_release);
}

static inline const char *hg_counts_why_gone(const struct hg_dev_counts *counts)
{
	return atomic_load_explicit(&counts->gone, memory_order_acquire);
}

static inline void hg_counts_read(const struct hg_dev_counts *counts, struct hg_dev_stats *ret)
{
	ret->rx_pkts = hg_count_read(&counts->rx_pkts);
	ret->rx_bytes = hg_count_read(&counts->rx_bytes);
	ret->tx_pkts = hg_count_read(&counts->tx_pkts);
	ret->tx_bytes = hg_count_read(&counts->tx_bytes);
	ret->rx_dropped = hg_count_read(&counts->rx_dropped);
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		ret->drops[i] = hg_count_read(&counts->drops[i]);
}

#endif
