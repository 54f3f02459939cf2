#include "drivers/dummy.h"

#include "drivers/counts.h"
#include "drivers/frames.h"
#include "drivers/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RING_DEFAULT 4096u
#define RING_MAX 65536u

/* One producer, one consumer. Positions only grow; they lie apart so that the two sides do not share a
 * cache line but when one looks at the other's. */
struct ring {
	_Alignas(HG_CACHE_LINE_BYTES) _Atomic uint32_t head; /* next to take; the consumer's */
	_Alignas(HG_CACHE_LINE_BYTES) _Atomic uint32_t tail; /* next to fill; the producer's */
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_pkt **slots;
	uint32_t mask;
};

/* A far end, and the device that it has at most one of. */
struct hg_dummy {
	/* What a call of the device touches: two lines, one behind the other. */
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_dev dev;
	_Atomic(struct hg_pool *) pool; /* of its last device */
	_Atomic uint64_t accept_left; /* this and the next: switched by the test */
	_Atomic bool is_sink;
	_Atomic bool is_started;
	_Atomic bool is_signalled; /* event_fd is readable, or about to be */
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_dev_counts counts; /* of its last device */

	struct ring to_device, from_device;
	struct hg_frames frames;
	struct hg_dummy_acts acts;
	char name[HG_NAME_BYTES];
	struct hg_dummy *next;
	unsigned n_holders; /* under the lock */
	bool has_device; /* under the lock */
	int event_fd;

	/* Switched by the test. */
	_Atomic uint32_t caps;
	_Atomic(const char *) absent; /* why it cannot be opened, or NULL */
	_Atomic bool is_stubborn;
	_Atomic bool is_held;
	_Atomic uint64_t mac; /* as a number in network order; 0: none was given */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hg_dummy *all;

/* ---- rings -------------------------------------------------------------------------------------- */

static int ring_init(struct ring *ring, uint32_t n)
{
	ring->slots = calloc(n, sizeof(*ring->slots));
	ring->mask = n - 1u;
	return ring->slots == NULL ? -HG_ENOMEM : 0;
}

static uint32_t ring_used(const struct ring *ring)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

	return atomic_load_explicit(&ring->tail, memory_order_acquire) - head;
}

static unsigned ring_push(struct ring *ring, struct hg_pkt **pkts, unsigned n)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint32_t room = ring->mask + 1u - (tail - head);

	if (n > room)
		n = room;
	for (unsigned i = 0; i < n; i++)
		ring->slots[(tail + i) & ring->mask] = pkts[i];
	atomic_store_explicit(&ring->tail, tail + n, memory_order_release);
	return n;
}

static unsigned ring_pop(struct ring *ring, struct hg_pkt **pkts, unsigned n)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint32_t used = atomic_load_explicit(&ring->tail, memory_order_acquire) - head;

	if (used == 0)
		return 0;
	if (n > used)
		n = used;
	for (unsigned i = 0; i < n; i++)
		pkts[i] = ring->slots[(head + i) & ring->mask];
	atomic_store_explicit(&ring->head, head + n, memory_order_release);
	return n;
}

static void ring_drain(struct ring *ring, struct hg_pool *pool)
{
	struct hg_pkt *pkts[64];
	unsigned n;

	while ((n = ring_pop(ring, pkts, 64)) > 0)
		hg_pool_put(pool, pkts, n);
}

/* ---- the far end -------------------------------------------------------------------------------- */

static struct hg_dummy *find_locked(const char *name)
{
	struct hg_dummy *far = all;

	while (far != NULL && strcmp(far->name, name) != 0)
		far = far->next;
	return far;
}

static void free_far(struct hg_dummy *far)
{
	if (far->event_fd >= 0)
		close(far->event_fd);
	free(far->to_device.slots);
	free(far->from_device.slots);
	free(far);
}

static struct hg_dummy *make_locked(const char *name, uint32_t n_ring)
{
	struct hg_dummy *far = aligned_alloc(HG_CACHE_LINE_BYTES, sizeof(*far));

	if (far == NULL)
		return NULL;
	memset(far, 0, sizeof(*far));
	far->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (far->event_fd < 0 || ring_init(&far->to_device, n_ring) < 0 ||
	    ring_init(&far->from_device, n_ring) < 0) {
		free_far(far);
		return NULL;
	}
	strncpy(far->name, name, sizeof(far->name) - 1u);
	far->accept_left = UINT64_MAX;
	far->caps =
		HG_DEV_TX_CSUM | HG_DEV_TX_TSO4 | HG_DEV_TX_TSO6 | HG_DEV_TX_ECN | HG_DEV_TX_USO;
	far->next = all;
	all = far;
	return far;
}

static struct hg_dummy *hold(const char *name, uint32_t n_ring)
{
	struct hg_dummy *far;

	pthread_mutex_lock(&lock);
	far = find_locked(name);
	if (far == NULL)
		far = make_locked(name, n_ring);
	if (far != NULL)
		far->n_holders++;
	pthread_mutex_unlock(&lock);
	return far;
}

struct hg_dummy *hg_dummy_hold(const char *name)
{
	return hold(name, RING_DEFAULT);
}

void hg_dummy_release(struct hg_dummy *far)
{
	struct hg_dummy **at = &all;

	if (far == NULL)
		return;
	pthread_mutex_lock(&lock);
	far->n_holders--;
	if (far->n_holders == 0) {
		while (*at != far)
			at = &(*at)->next;
		*at = far->next;
		free_far(far);
	}
	pthread_mutex_unlock(&lock);
}

struct hg_dummy *hg_dummy_find(const char *name)
{
	struct hg_dummy *far;

	pthread_mutex_lock(&lock);
	far = find_locked(name);
	pthread_mutex_unlock(&lock);
	return far;
}

/* Written first and said second: so whoever reads that it is signalled also finds it readable. */
static void wake(struct hg_dummy *far)
{
	uint64_t one = 1;
	/* Fails only when the counter is full, and then the descriptor is readable anyway. */
	HG_UNUSED ssize_t n = write(far->event_fd, &one, sizeof(one));

	far->is_signalled = true;
}

unsigned hg_dummy_inject(struct hg_dummy *far, struct hg_pkt **pkts, unsigned n)
{
	if (!far->is_started || far->absent != NULL)
		return 0;
	n = ring_push(&far->to_device, pkts, n);
	/* Either the worker's look at the ring after its last packet comes later than this push, or this
	 * look finds that it took them all. */
	atomic_thread_fence(memory_order_seq_cst);
	if (n > 0 && ring_used(&far->to_device) <= n)
		wake(far);
	return n;
}

unsigned hg_dummy_collect(struct hg_dummy *far, struct hg_pkt **pkts, unsigned n)
{
	return ring_pop(&far->from_device, pkts, n);
}

struct hg_pool *hg_dummy_pool(const struct hg_dummy *far)
{
	return far->pool;
}

unsigned hg_dummy_n_waiting(const struct hg_dummy *far)
{
	return ring_used(&far->to_device);
}

unsigned hg_dummy_n_sent(const struct hg_dummy *far)
{
	return ring_used(&far->from_device);
}

void hg_dummy_accept(struct hg_dummy *far, uint64_t n)
{
	far->accept_left = n;
}

void hg_dummy_vanish(struct hg_dummy *far, const char *why)
{
	far->absent = why;
	hg_counts_gone(&far->counts, why);
	wake(far);
}

void hg_dummy_return(struct hg_dummy *far)
{
	far->absent = NULL;
}

void hg_dummy_sink(struct hg_dummy *far, bool is_sink)
{
	far->is_sink = is_sink;
}

void hg_dummy_caps(struct hg_dummy *far, uint32_t caps)
{
	far->caps = caps;
}

bool hg_dummy_is_held(const struct hg_dummy *far)
{
	return far->is_held;
}

void hg_dummy_refuse(struct hg_dummy *far, bool is_stubborn)
{
	far->is_stubborn = is_stubborn;
}

void hg_dummy_mac(const struct hg_dummy *far, uint8_t ret_mac[HG_MAC_BYTES])
{
	uint64_t number = far->mac;

	memcpy(ret_mac, &number, HG_MAC_BYTES);
}

void hg_dummy_generate(struct hg_dummy *far, const uint8_t *frame, uint16_t n_bytes)
{
	far->frames = (struct hg_frames){.frame = frame, .n_bytes = n_bytes, .n_values = 1};
	if (frame != NULL)
		wake(far);
}

void hg_dummy_vary(struct hg_dummy *far, uint16_t at, uint32_t n_values)
{
	hg_frames_vary(&far->frames, at, n_values);
}

void hg_dummy_act(struct hg_dummy *far, const struct hg_dummy_acts *acts)
{
	far->acts = *acts;
}

/* ---- the driver --------------------------------------------------------------------------------- */

static struct hg_dummy *far_of(const struct hg_dev *dev)
{
	return (struct hg_dummy *)(uintptr_t)dev;
}

static int parse(const char *device, struct hg_dev_text *ret_text, uint32_t *ret_ring,
		 struct hg_error *reterr)
{
	static const char *const keys[] = {"ring", NULL};
	uint64_t n_ring = RING_DEFAULT;
	int r = hg_dev_text_parse(device, ret_text, reterr);

	if (r < 0)
		return r;
	r = hg_dev_text_allow(ret_text, keys, reterr);
	if (r < 0)
		return r;
	r = hg_dev_text_number(ret_text, "ring", 2, RING_MAX, &n_ring, reterr);
	if (r < 0)
		return r;
	if ((n_ring & (n_ring - 1u)) != 0)
		return hg_error_set(reterr, -HG_EINVAL,
				    "the device parameter ring is not a power of two", NULL);
	if (ret_text->name == NULL || strlen(ret_text->name) >= HG_NAME_BYTES)
		return hg_error_set(reterr, -HG_EINVAL,
				    "a dummy device is dummy:NAME, with a name of up to 63 bytes",
				    NULL);
	*ret_ring = (uint32_t)n_ring;
	return 0;
}

static void give_mac(struct hg_dummy *far, const uint8_t *mac)
{
	uint64_t number = 0;

	if (mac == NULL)
		return;
	memcpy(&number, mac, HG_MAC_BYTES);
	far->mac = number;
}

static void dummy_hold(struct hg_dev *dev, bool is_held)
{
	struct hg_dummy *far = far_of(dev);

	far->is_held = is_held;
	if (far->acts.on_hold != NULL)
		far->acts.on_hold(far->acts.user, is_held);
}

static int dummy_adjust(struct hg_dev *dev, const struct hg_dev_cfg *cfg, struct hg_error *reterr)
{
	struct hg_dummy *far = far_of(dev);

	if (far->is_stubborn)
		return hg_error_set(reterr, -HG_EIO, "the dummy device ", far->name,
				    " refuses to change", NULL);
	hg_dev_set_mtu(dev, cfg->mtu);
	give_mac(far, cfg->mac);
	return 0;
}

static int dummy_check(const char *device, struct hg_error *reterr)
{
	struct hg_dev_text text;
	uint32_t n_ring;

	return parse(device, &text, &n_ring, reterr);
}

static int claim(struct hg_dummy *far, struct hg_error *reterr)
{
	const char *absent = far->absent;
	bool is_busy;

	if (absent != NULL)
		return hg_error_set(reterr, -HG_ENOENT, "the dummy device ", far->name,
				    " is not there: ", absent, NULL);
	pthread_mutex_lock(&lock);
	is_busy = far->has_device;
	far->has_device = true;
	pthread_mutex_unlock(&lock);
	if (is_busy)
		return hg_error_set(reterr, -HG_EBUSY, "the dummy device ", far->name,
				    " is open already", NULL);
	return 0;
}

static void begin_counts(struct hg_dummy *far)
{
	const char *absent;

	memset(&far->counts, 0, sizeof(far->counts));
	/* It may have vanished in between. */
	absent = far->absent;
	if (absent != NULL)
		hg_counts_gone(&far->counts, absent);
}

static int dummy_open(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev,
		      struct hg_error *reterr)
{
	struct hg_dev_text text;
	struct hg_dummy *far;
	uint32_t n_ring = 0;
	int r = parse(cfg->device, &text, &n_ring, reterr);

	if (r < 0)
		return r;
	far = hold(text.name, n_ring);
	if (far == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for a dummy device", NULL);
	r = claim(far, reterr);
	if (r < 0) {
		hg_dummy_release(far);
		return r;
	}
	far->dev = (struct hg_dev){
		.driver = &hg_driver_dummy, .n_tx_queues = 1, .mtu = cfg->mtu, .caps = far->caps};
	far->pool = cfg->pool;
	begin_counts(far);
	give_mac(far, cfg->mac);
	*ret_dev = &far->dev;
	return 0;
}

static int dummy_start(struct hg_dev *dev, struct hg_error *reterr)
{
	(void)reterr;
	far_of(dev)->is_started = true;
	return 0;
}

static void dummy_stop(struct hg_dev *dev)
{
	struct hg_dummy *far = far_of(dev);

	far->is_started = false;
	ring_drain(&far->to_device, far->pool);
	ring_drain(&far->from_device, far->pool);
}

static void dummy_close(struct hg_dev *dev, bool keep)
{
	struct hg_dummy *far = far_of(dev);

	(void)keep;
	if (dev == NULL)
		return;
	pthread_mutex_lock(&lock);
	far->has_device = false;
	pthread_mutex_unlock(&lock);
	hg_dummy_release(far);
}

static bool is_gone(const struct hg_dummy *far)
{
	return HG_UNLIKELY(hg_counts_why_gone(&far->counts) != NULL);
}

static struct hg_pool *pool_of(const struct hg_dummy *far)
{
	return atomic_load_explicit(&far->pool, memory_order_relaxed);
}

static unsigned generate(struct hg_dummy *far, struct hg_pkt **pkts, unsigned n)
{
	struct hg_frames *frames = &far->frames;
	const uint16_t n_bytes = frames->n_bytes;

	n = hg_pool_get(pool_of(far), pkts, n);
	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = pkts[i];

		hg_frames_write(frames, pkt->data);
		pkt->total_bytes = n_bytes;
		pkt->n_bytes = n_bytes;
		pkt->tailroom = (uint16_t)(HG_PKT_ROOM_BYTES - n_bytes);
		pkt->flags = 0;
		pkt->gso = HG_GSO_NONE;
		pkt->parts = 0;
		pkt->wire_bytes = 0;
	}
	return n;
}

/* Called when the ring was found empty, before the worker may go to sleep. */
static void clear_event(struct hg_dummy *far)
{
	uint64_t count;

	if (!atomic_load_explicit(&far->is_signalled, memory_order_relaxed))
		return;
	far->is_signalled = false;
	if (read(far->event_fd, &count, sizeof(count)) < 0)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	if (ring_used(&far->to_device) > 0)
		wake(far);
}

static unsigned dummy_rx(struct hg_dev *dev, struct hg_pkt **pkts, unsigned n, hg_ns now_ns)
{
	struct hg_dummy *far = far_of(dev);
	unsigned n_got;
	uint64_t bytes = 0;

	(void)now_ns;
	if (is_gone(far))
		return 0;
	n_got = ring_pop(&far->to_device, pkts, n);
	if (n_got < n && far->frames.frame != NULL)
		n_got += generate(far, pkts + n_got, n - n_got);
	else if (n_got == 0)
		clear_event(far);
	if (n_got == 0 && far->acts.on_nothing != NULL)
		far->acts.on_nothing(far->acts.user);
	for (unsigned i = 0; i < n_got; i++)
		bytes += pkts[i]->total_bytes;
	hg_count_add(&far->counts.rx_pkts, n_got);
	hg_count_add(&far->counts.rx_bytes, bytes);
	return n_got;
}

static unsigned take_allowance(struct hg_dummy *far, unsigned n)
{
	uint64_t left = atomic_load_explicit(&far->accept_left, memory_order_relaxed);

	if (left == UINT64_MAX)
		return n;
	while (!atomic_compare_exchange_weak(&far->accept_left, &left,
					     left == UINT64_MAX ? left
					     : left > n         ? left - n
								: 0))
		;
	return left < n ? (unsigned)left : n;
}

static unsigned dummy_tx(struct hg_dev *dev, unsigned queue, struct hg_pkt **pkts, unsigned n,
			 hg_ns now_ns)
{
	struct hg_dummy *far = far_of(dev);
	struct ring *ring = &far->from_device;
	bool is_sink = atomic_load_explicit(&far->is_sink, memory_order_relaxed);
	uint64_t bytes = 0;

	(void)queue;
	(void)now_ns;
	if (is_gone(far))
		return 0;
	if (!is_sink && n > ring->mask + 1u - ring_used(ring))
		n = ring->mask + 1u - ring_used(ring);
	n = take_allowance(far, n);
	for (unsigned i = 0; i < n; i++)
		bytes += pkts[i]->total_bytes;
	hg_count_add(&far->counts.tx_pkts, n);
	hg_count_add(&far->counts.tx_bytes, bytes);
	if (is_sink)
		hg_pool_put(pool_of(far), pkts, n);
	else
		ring_push(ring, pkts, n);
	return n;
}

static int dummy_fd(const struct hg_dev *dev)
{
	return far_of(dev)->event_fd;
}

static void dummy_sample(const struct hg_dev *dev, struct hg_dev_state *ret_state,
			 struct hg_dev_stats *ret_stats)
{
	const struct hg_dummy *far = far_of(dev);
	const char *gone = far->absent;

	if (gone == NULL)
		gone = hg_counts_why_gone(&far->counts);
	*ret_state = (struct hg_dev_state){
		.link = gone != NULL ? HG_DEV_GONE : HG_DEV_UP,
		.caps = dev->caps,
		.mtu = hg_dev_mtu(dev),
		.ring_size_pkts = far->from_device.mask + 1u,
	};
	if (gone != NULL)
		strncpy(ret_state->reason, gone, sizeof(ret_state->reason) - 1u);
	hg_counts_read(&far->counts, ret_stats);
}

const struct hg_driver hg_driver_dummy = {
	.name = "dummy",
	.check = dummy_check,
	.open = dummy_open,
	.start = dummy_start,
	.stop = dummy_stop,
	.close = dummy_close,
	.rx = dummy_rx,
	.tx = dummy_tx,
	.fd = dummy_fd,
	.adjust = dummy_adjust,
	.hold = dummy_hold,
	.sample = dummy_sample,
};
