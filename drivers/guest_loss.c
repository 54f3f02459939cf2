#include "drivers/guest_loss.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

/* turn is odd while a writer is at work; a reader that meets that looks elsewhere, since the mapping that
 * faulted is watched, and nobody changes it. */
struct watch {
	atomic_uint turn;
	_Atomic uintptr_t at;
	_Atomic size_t n_bytes; /* 0: free */
	_Atomic(atomic_bool *) is_lost;
};

static struct watch watches[HG_GUEST_LOSS_MAX];
/* Slots above were never used. */
static atomic_uint n_used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static bool is_installed;
/* Read by the handler: it must not be made on first use. */
static _Thread_local atomic_bool *expected __attribute__((tls_model("initial-exec")));

/* ---- the fault --------------------------------------------------------------------------------------- */

static bool replace(uintptr_t at, size_t n_bytes)
{
	return mmap((void *)at, n_bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

static bool replace_watched(uintptr_t fault)
{
	unsigned n = atomic_load(&n_used);

	for (unsigned i = 0; i < n; i++) {
		struct watch *w = &watches[i];
		unsigned turn = atomic_load(&w->turn);
		uintptr_t at = atomic_load(&w->at);
		size_t n_bytes = atomic_load(&w->n_bytes);
		atomic_bool *is_lost = atomic_load(&w->is_lost);

		if (turn % 2u != 0 || atomic_load(&w->turn) != turn || fault - at >= n_bytes)
			continue;
		if (!replace(at, n_bytes))
			return false;
		atomic_store(is_lost, true);
		return true;
	}
	return false;
}

/* Mappings of huge pages can be replaced in whole pages only. */
static bool replace_expected(uintptr_t fault)
{
	static const size_t page_bytes[] = {4096, 2u << 20, 1u << 30};

	if (expected == NULL)
		return false;
	for (unsigned i = 0; i < sizeof(page_bytes) / sizeof(page_bytes[0]); i++) {
		if (replace(fault & ~(uintptr_t)(page_bytes[i] - 1u), page_bytes[i])) {
			atomic_store(expected, true);
			return true;
		}
	}
	return false;
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
	int saved = errno;
	uintptr_t fault = (uintptr_t)info->si_addr;

	/* Only what the kernel found at an address: no signal that somebody sent, no broken memory. */
	if (info->si_code == BUS_ADRERR && (replace_watched(fault) || replace_expected(fault))) {
		errno = saved;
		return;
	}
	if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != NULL) {
		before.sa_sigaction(signal_number, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(signal_number);
	} else {
		/* The instruction is tried again, and now it ends the process as it would have. */
		(void)sigaction(signal_number, &before, NULL);
		if (info->si_code <= 0)
			(void)raise(signal_number);
	}
	errno = saved;
}

/* ---- watching ---------------------------------------------------------------------------------------- */

void hg_guest_loss_init(void)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

	pthread_mutex_lock(&lock);
	sigemptyset(&action.sa_mask);
	if (!is_installed && sigaction(SIGBUS, &action, &before) == 0)
		is_installed = true;
	pthread_mutex_unlock(&lock);
}

static void set(struct watch *w, void *at, size_t n_bytes, atomic_bool *is_lost)
{
	atomic_fetch_add(&w->turn, 1);
	atomic_store(&w->at, (uintptr_t)at);
	atomic_store(&w->n_bytes, n_bytes);
	atomic_store(&w->is_lost, is_lost);
	atomic_fetch_add(&w->turn, 1);
}

int hg_guest_loss_watch(void *at, size_t n_bytes, atomic_bool *is_lost)
{
	int handle = -ENOSPC;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < HG_GUEST_LOSS_MAX && handle < 0; i++) {
		if (atomic_load(&watches[i].n_bytes) != 0)
			continue;
		set(&watches[i], at, n_bytes, is_lost);
		if (i >= atomic_load(&n_used))
			atomic_store(&n_used, i + 1u);
		handle = (int)i;
	}
	pthread_mutex_unlock(&lock);
	return handle;
}

void hg_guest_loss_forget(int handle)
{
	pthread_mutex_lock(&lock);
	set(&watches[handle], NULL, 0, NULL);
	pthread_mutex_unlock(&lock);
}

void hg_guest_loss_expect(atomic_bool *is_lost)
{
	expected = is_lost;
}
