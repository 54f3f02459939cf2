#include "tests/guest/memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* As of a real machine: vectors at its beginning, and nothing of a driver in all of it. */
#define LOW_BYTES ((size_t)1 << 20)

int guest_memory_create(struct guest_memory *memory, size_t n_bytes, uint64_t gpa)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *bytes;
	int fd, result;

	n_bytes = LOW_BYTES + (n_bytes + page - 1u) / page * page;
	fd = memfd_create("guest", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)n_bytes) < 0)
		goto fail;
	bytes = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (bytes == MAP_FAILED)
		goto fail;
	*memory = (struct guest_memory){
		.bytes = bytes, .n_bytes = n_bytes, .used_bytes = LOW_BYTES, .gpa = gpa, .fd = fd};
	memory->bytes[0] = 0xf0;
	return 0;
fail:
	result = -errno;
	close(fd);
	return result;
}

void guest_memory_destroy(struct guest_memory *memory)
{
	munmap(memory->bytes, memory->n_bytes);
	close(memory->fd);
}

void *guest_memory_take(struct guest_memory *memory, size_t n_bytes, size_t align)
{
	size_t at = (memory->used_bytes + align - 1u) / align * align;

	memory->used_bytes = at + n_bytes;
	return memory->bytes + at;
}
