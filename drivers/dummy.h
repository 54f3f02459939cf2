/* dummy: a device whose far side is a program's memory.
 *
 * Why        Tests and benchmarks of everything above need a port that needs no root, never waits, keeps
 *            every packet for inspection, and fails when told to.
 * Model      A far end with a name: what is injected there is received from the device, what the device
 *            transmits is collected there. It is made by whoever names it first, the test or the device,
 *            and lives while either holds it, so that a device can vanish and come back.
 * Text       dummy:NAME, dummy(ring=N):NAME. ring: packets each way, a power of two in [2, 65536],
 *            default 4096; the first to name the far end decides.
 * Promise    In order, unaltered, the same buffers: nothing is copied. tx takes what the ring has room
 *            for, less what hg_dummy_accept allows; nothing is dropped.
 * Ownership  Packets injected come from the pool of the device, those collected go back to it. What lies
 *            inside when the device stops goes back to the pool.
 * Threads    The device's worker on one side; one thread at a time on the test's side, which must not
 *            inject or collect while stop runs. Faults may be switched by any thread.
 * Cost       inject, collect: no lock; one system call when the ring was empty. Sink: none.
 * Errors     -ENOENT while the far end is absent, -EBUSY if it has a device already, -ENOMEM.
 */
#ifndef HG_DRIVERS_DUMMY_H
#define HG_DRIVERS_DUMMY_H

#include "drivers/driver.h"

struct hg_dummy;

extern const struct hg_driver hg_driver_dummy;

/* Finds or makes the far end of that name, and holds it. NULL without memory. */
struct hg_dummy *hg_dummy_hold(const char *name);
void hg_dummy_release(struct hg_dummy *dummy);
/* The far end of that name, not held: valid while its device is open. NULL if there is none. */
struct hg_dummy *hg_dummy_find(const char *name);

/* Gives the first n' packets to the device and returns n': 0 if it is not started or gone. The rest
 * stays the caller's. */
unsigned hg_dummy_inject(struct hg_dummy *dummy, struct hg_pkt **pkts, unsigned n);
/* Takes up to n packets that the device transmitted, oldest first. */
unsigned hg_dummy_collect(struct hg_dummy *dummy, struct hg_pkt **pkts, unsigned n);
/* The pool that its device was opened with, to which collected packets go back; NULL before. Behind a modelled
 * card with a completion model that is the card's, which notes the return and releases later: to be called
 * by the thread of the device's worker. */
struct hg_pool *hg_dummy_pool(const struct hg_dummy *dummy);
/* Packets that wait to be received by the device, and to be collected. */
unsigned hg_dummy_n_waiting(const struct hg_dummy *dummy);
unsigned hg_dummy_n_sent(const struct hg_dummy *dummy);

/* ---- faults and modes; any thread --------------------------------------------------------------- */

/* From now on tx takes no more than n packets in all; UINT64_MAX: as many as fit. */
void hg_dummy_accept(struct hg_dummy *dummy, uint64_t n);
/* The device is gone, with `why` (a string that lives for ever), and cannot be opened. */
void hg_dummy_vanish(struct hg_dummy *dummy, const char *why);
/* It can be opened again. The device that was gone stays so. */
void hg_dummy_return(struct hg_dummy *dummy);
/* tx gives packets back to the pool at once, instead of keeping them to be collected. */
void hg_dummy_sink(struct hg_dummy *dummy, bool is_sink);
/* What its device reports as its capabilities from the next open on; default all transmit offloads. */
void hg_dummy_caps(struct hg_dummy *dummy, uint32_t caps);
/* Whether its device was told last that it is held. */
bool hg_dummy_is_held(const struct hg_dummy *dummy);
/* adjust fails with -EIO. */
void hg_dummy_refuse(struct hg_dummy *dummy, bool is_stubborn);
/* The address that its device was last given; zeros: none. */
void hg_dummy_mac(const struct hg_dummy *dummy, uint8_t ret_mac[HG_MAC_BYTES]);
/* rx makes copies of this frame (n_bytes in [14, HG_PKT_ROOM_BYTES]) for as long as it is asked, beside
 * what is injected; NULL: no more. The frame is the caller's and must outlive its use. To be called while
 * the device is not polled. */
void hg_dummy_generate(struct hg_dummy *dummy, const uint8_t *frame, uint16_t n_bytes);
/* From now on the four bytes at `at` of what is made so are a number of n_values, as drivers/frames.h says. Behind
 * hg_dummy_generate(); likewise. */
void hg_dummy_vary(struct hg_dummy *dummy, uint16_t at, uint32_t n_values);

/* What a program does in the middle of its device's calls, on the thread of the worker that makes them: so that what another
 * thread might do just then happens for certain. Each may be NULL. */
struct hg_dummy_acts {
	void (*on_nothing)(void *user); /* rx found nothing, and has not said so yet */
	void (*on_hold)(void *user, bool is_held);
	void *user;
};
/* To be called while the device is not polled. */
void hg_dummy_act(struct hg_dummy *dummy, const struct hg_dummy_acts *acts);

#endif
