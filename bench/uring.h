/* uring: io_uring by its system calls, as much of it as bench_ways asks.
 *
 * Model      Reads and writes are put down one after the other and done in that order, in one call that waits for nothing:
 *            what cannot be done at once ends with an error. Descriptors and memory are made known to the kernel
 *            beforehand, which is the least that it can cost.
 * Threads    one. Errors: the program ends with a sentence. Used by: bench/ways.c.
 */
#ifndef HG_BENCH_URING_H
#define HG_BENCH_URING_H

#include <stddef.h>

/* For descriptors fds[0 .. n_fds) and one area of memory. */
void hg_uring_open(const int *fds, unsigned n_fds, void *area, size_t area_bytes);

/* Puts down a read from, or a write to, the descriptor of that number in fds; the memory lies in the area. */
void hg_uring_read(unsigned fd_idx, void *to, unsigned n_bytes);
void hg_uring_write(unsigned fd_idx, const void *from, unsigned n_bytes);

/* Does what was put down, up to 64, and writes what read() or write() would have returned for each, or minus the errno. */
void hg_uring_do(int *ret_results);

#endif
