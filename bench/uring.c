#include "bench/uring.h"

#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define N_ENTRIES 64u
/* As <linux/fs.h>, which does not go with the C library's headers. */
#define NOWAIT 0x8

static struct {
	int fd;
	struct io_uring_sqe *entries;
	struct io_uring_cqe *results;
	unsigned *array, *tail, *head_of_results, *tail_of_results;
	unsigned mask, mask_of_results, n_down;
} ring;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *map(size_t n_bytes, off_t what)
{
	void *at = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
			what);

	if (at == MAP_FAILED)
		die("ways: no memory for io_uring");
	return at;
}

static void *at(void *base, uint32_t offset)
{
	return (char *)base + offset;
}

void hg_uring_open(const int *fds, unsigned n_fds, void *area, size_t area_bytes)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
						  IORING_SETUP_DEFER_TASKRUN};
	struct iovec areas = {area, area_bytes};
	void *sq, *cq;

	ring.fd = (int)syscall(SYS_io_uring_setup, N_ENTRIES, &params);
	if (ring.fd < 0)
		die("ways: no io_uring");
	sq = map(params.sq_off.array + params.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = map(params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
		 IORING_OFF_CQ_RING);
	ring.entries = map(params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.array = at(sq, params.sq_off.array);
	ring.tail = at(sq, params.sq_off.tail);
	ring.mask = *(unsigned *)at(sq, params.sq_off.ring_mask);
	ring.results = at(cq, params.cq_off.cqes);
	ring.head_of_results = at(cq, params.cq_off.head);
	ring.tail_of_results = at(cq, params.cq_off.tail);
	ring.mask_of_results = *(unsigned *)at(cq, params.cq_off.ring_mask);
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, fds, n_fds) < 0 ||
	    syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &areas, 1u) < 0)
		die("ways: io_uring does not take the descriptors or the memory");
}

static void put_down(uint8_t what, unsigned fd_idx, uintptr_t where, unsigned n_bytes)
{
	unsigned tail = *ring.tail, i = tail & ring.mask;

	ring.entries[i] = (struct io_uring_sqe){
		.opcode = what,
		.flags = IOSQE_FIXED_FILE,
		.fd = (int)fd_idx,
		.addr = where,
		.len = n_bytes,
		.rw_flags = NOWAIT,
		.user_data = ring.n_down++,
	};
	ring.array[i] = i;
	__atomic_store_n(ring.tail, tail + 1u, __ATOMIC_RELEASE);
}

void hg_uring_read(unsigned fd_idx, void *to, unsigned n_bytes)
{
	put_down(IORING_OP_READ_FIXED, fd_idx, (uintptr_t)to, n_bytes);
}

void hg_uring_write(unsigned fd_idx, const void *from, unsigned n_bytes)
{
	put_down(IORING_OP_WRITE_FIXED, fd_idx, (uintptr_t)from, n_bytes);
}

void hg_uring_do(int *ret_results)
{
	unsigned head = *ring.head_of_results, n = ring.n_down;

	ring.n_down = 0;
	if (n == 0)
		return;
	if (syscall(SYS_io_uring_enter, ring.fd, n, 0u, 0u, NULL, 0u) != (long)n ||
	    __atomic_load_n(ring.tail_of_results, __ATOMIC_ACQUIRE) - head != n)
		die("ways: io_uring did not do all at once");
	for (unsigned i = 0; i < n; i++) {
		const struct io_uring_cqe *result =
			&ring.results[(head + i) & ring.mask_of_results];

		ret_results[result->user_data] = result->res;
	}
	__atomic_store_n(ring.head_of_results, head + n, __ATOMIC_RELEASE);
}
