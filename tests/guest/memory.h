/* memory: what the guest shares with its back end.
 *
 * Model      One memfd, mapped once; gpa = GUEST_GPA + offset. The first MiB is a machine's own; parts are
 *            taken behind it and never given back. The descriptor can be resized from outside: that is what a hostile guest does.
 * Threads    one.
 */
#ifndef HG_TESTS_GUEST_MEMORY_H
#define HG_TESTS_GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct guest_memory {
	uint8_t *bytes;
	size_t n_bytes;
	size_t used_bytes;
	uint64_t gpa; /* of the first byte */
	int fd;
};

/* 0, or a negative errno. */
int guest_memory_create(struct guest_memory *memory, size_t n_bytes, uint64_t gpa);
void guest_memory_destroy(struct guest_memory *memory);
/* The next n bytes, aligned to a power of two. Requires that there are so many: create was told. */
void *guest_memory_take(struct guest_memory *memory, size_t n_bytes, size_t align);

static inline uint64_t guest_memory_gpa(const struct guest_memory *memory, const void *at)
{
	return memory->gpa + (uint64_t)((const uint8_t *)at - memory->bytes);
}

#endif
