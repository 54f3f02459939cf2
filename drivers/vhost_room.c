#include "drivers/vhost_room.h"

#include "core/text.h"
#include "drivers/vhost_socket.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

/* Of one ring: QEMU's guests have up to 1,024 descriptors; each costs the library some 40 bytes. */
#define RING_SIZE_MAX 4096u

static atomic_uint n_taken; /* in [0, HG_VHOST_SEATS_MAX] */

bool hg_vhost_room_take(unsigned n_seats)
{
	unsigned n = atomic_load(&n_taken);

	do {
		if (n + n_seats > HG_VHOST_SEATS_MAX)
			return false;
	} while (!atomic_compare_exchange_weak(&n_taken, &n, n + n_seats));
	return true;
}

void hg_vhost_room_give(unsigned n_seats)
{
	(void)atomic_fetch_sub(&n_taken, n_seats);
}

/* RLIM_INFINITY is a large number. */
static rlim_t fds_max(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

bool hg_vhost_room_has_fds(void)
{
	int next_fd = hg_vhost_next_fd();

	return next_fd >= 0 && (rlim_t)next_fd + HG_VHOST_SPARE_FDS <= fds_max();
}

struct hg_vhost_limits hg_vhost_room_of_guest(uint32_t n_pairs)
{
	struct hg_vhost_limits limits = {.n_rings = 2u * n_pairs, .ring_size = RING_SIZE_MAX};
	struct sysinfo info;

	if (sysinfo(&info) == 0)
		limits.memory_bytes = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
	return limits;
}

void hg_vhost_room_explain(enum hg_guest_refusal why, const char *path, char *ret_text, size_t size)
{
	struct hg_text text;

	hg_text_init(&text, ret_text, size);
	hg_text_add(&text, "no room for the guest at ");
	hg_text_add(&text, path);
	if (why == HG_GUEST_REFUSAL_NO_DESCRIPTOR) {
		hg_text_add(&text, ": fewer than ");
		hg_text_add_u64(&text, HG_VHOST_SPARE_FDS);
		hg_text_add(&text, " descriptors are left of the ");
		hg_text_add_u64(&text, fds_max());
		hg_text_add(&text, " that headgated may have (RLIMIT_NOFILE)");
	} else {
		hg_text_add(&text, ": all ");
		hg_text_add_u64(&text, HG_VHOST_SEATS_MAX);
		hg_text_add(&text, " seats for guests are taken (a port that listens has two)");
	}
}
