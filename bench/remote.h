/* remote: how bench/path.py leads the programs that it measures, through a file that all of them map.
 *
 * Model      What is asked for stands in the request, and its number is raised; the program does it, writes what it
 *            counts, and raises the answer to that number. Counters stand beside the instant at which they were true.
 *            bench/path.py knows the same layout.
 * Threads    One leads, one answers. Errors: a program that cannot do something ends.
 */
#ifndef HG_BENCH_REMOTE_H
#define HG_BENCH_REMOTE_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct hg_remote {
	_Atomic uint64_t asked; /* number of the last request */
	_Atomic uint64_t answered;
	uint64_t n_flows, n_instances, off, is_in; /* the request */
	uint64_t pkts, at_ns; /* that reached the far side, and when */
	uint64_t drops;
	_Atomic uint64_t is_over;
};

/* Maps the file; NULL with a sentence on stderr. */
static inline struct hg_remote *hg_remote_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory = MAP_FAILED;

	if (fd >= 0)
		memory = mmap(NULL, sizeof(struct hg_remote), PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0);
	if (fd >= 0)
		close(fd);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "cannot map %s\n", path);
		return NULL;
	}
	return memory;
}

#endif
