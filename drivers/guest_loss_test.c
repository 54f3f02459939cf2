#include "drivers/guest_loss.h"

#include "tests/harness.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_BYTES (16u * 4096u)

struct shared {
	int fd;
	volatile uint8_t *bytes;
	atomic_bool is_lost;
};

static void share(struct shared *s)
{
	s->fd = memfd_create("guest", MFD_CLOEXEC);
	HG_CHECK(s->fd >= 0 && ftruncate(s->fd, N_BYTES) == 0);
	s->bytes = mmap(NULL, N_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	HG_CHECK(s->bytes != MAP_FAILED);
	atomic_store(&s->is_lost, false);
}

static void unshare(struct shared *s)
{
	munmap((void *)(uintptr_t)s->bytes, N_BYTES);
	close(s->fd);
}

static int watch(struct shared *s)
{
	return hg_guest_loss_watch((void *)(uintptr_t)s->bytes, N_BYTES, &s->is_lost);
}

static void s5_1_memory_that_a_guest_takes_away_reads_as_zeros(void)
{
	struct shared taken, kept;
	int handles[2];

	hg_guest_loss_init();
	hg_guest_loss_init();
	share(&taken);
	share(&kept);
	handles[0] = watch(&taken);
	handles[1] = watch(&kept);
	HG_CHECK(handles[0] >= 0 && handles[1] >= 0);
	taken.bytes[5 * 4096] = kept.bytes[5 * 4096] = 7;
	HG_CHECK(ftruncate(taken.fd, 4096) == 0);
	HG_CHECK_EQ(taken.bytes[5 * 4096], 0);
	HG_CHECK(atomic_load(&taken.is_lost));
	/* And it can be written to, everywhere, without another fault. */
	atomic_store(&taken.is_lost, false);
	for (unsigned i = 0; i < N_BYTES; i += 4096)
		taken.bytes[i] = 1;
	HG_CHECK(!atomic_load(&taken.is_lost));
	HG_CHECK(!atomic_load(&kept.is_lost));
	HG_CHECK_EQ(kept.bytes[5 * 4096], 7);
	hg_guest_loss_forget(handles[0]);
	hg_guest_loss_forget(handles[1]);
	unshare(&taken);
	unshare(&kept);
}

static void s5_1_a_thread_may_expect_a_loss_that_nobody_watches(void)
{
	struct shared s;

	hg_guest_loss_init();
	share(&s);
	HG_CHECK(ftruncate(s.fd, 0) == 0);
	hg_guest_loss_expect(&s.is_lost);
	HG_CHECK_EQ(s.bytes[4096], 0);
	HG_CHECK(atomic_load(&s.is_lost));
	hg_guest_loss_expect(NULL);
	unshare(&s);
}

/* The signal that ends a child which touches a lost page. */
static int end_of_child(void)
{
	int status;
	pid_t child;

	fflush(stdout);
	fflush(stderr);
	child = fork();
	if (child == 0) {
		struct shared s;
		struct sigaction plain = {.sa_handler = SIG_DFL};
		int handle;

		/* A sanitizer's handler would turn the signal into a report. */
		sigaction(SIGBUS, &plain, NULL);
		hg_guest_loss_init();
		share(&s);
		handle = watch(&s);
		hg_guest_loss_forget(handle);
		if (ftruncate(s.fd, 0) == 0)
			s.bytes[0] = 1;
		_exit(0);
	}
	HG_CHECK(child > 0 && waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void s5_1_a_bus_error_anywhere_else_ends_the_process_as_before(void)
{
	HG_CHECK_EQ(end_of_child(), SIGBUS);
}

static void s5_1_more_mappings_than_the_table_has_are_refused(void)
{
	static int handles[HG_GUEST_LOSS_MAX];
	struct shared s;

	share(&s);
	for (unsigned i = 0; i < HG_GUEST_LOSS_MAX; i++) {
		handles[i] = watch(&s);
		HG_CHECK(handles[i] >= 0);
	}
	HG_CHECK_EQ(watch(&s), -ENOSPC);
	for (unsigned i = 0; i < HG_GUEST_LOSS_MAX; i++)
		hg_guest_loss_forget(handles[i]);
	unshare(&s);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		/* First: it needs a process in which nothing was taken over yet. */
		HG_TEST(s5_1_a_bus_error_anywhere_else_ends_the_process_as_before),
		HG_TEST(s5_1_memory_that_a_guest_takes_away_reads_as_zeros),
		HG_TEST(s5_1_a_thread_may_expect_a_loss_that_nobody_watches),
		HG_TEST(s5_1_more_mappings_than_the_table_has_are_refused),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
