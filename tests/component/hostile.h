/* hostile: a host with two honest guests who talk without pause, and a third that means harm.
 *
 * Why        "A hostile guest harms only itself" is three claims at once: the daemon goes on, the operator is told
 *            what the guest did, and the others notice nothing. Each attack is checked for all of them.
 * Model      Tenant a has the guests a1 and a2, who send each other numbered frames, one at a time, in a thread of
 *            their own. Tenant b has b1, by vhost too, whom the test plays; its frames go to the uplink.
 * Promise    attack_end() fails unless no frame of the honest pair was lost or changed, neither of them had to
 *            connect again, an honest guest can take b1's place at once, every buffer has come back, and no
 *            descriptor has stayed open.
 * Threads    The test's, the pair's, and those of the packet lane and the library.
 */
#ifndef HG_TESTS_COMPONENT_HOSTILE_H
#define HG_TESTS_COMPONENT_HOSTILE_H

#include "tests/component/hosts.h"
#include "tests/guest/guest.h"
#include "tests/guest/message.h"

struct attack {
	struct host host;
	struct guest *honest[2];
	struct guest *guest; /* who attacks */
	pthread_t thread;
	_Atomic uint64_t n_exchanged; /* frames of the honest pair that arrived */
	_Atomic bool want_stop, is_wrong;
	char wrong[200];
	char paths[3][64];
	unsigned n_fds_before;
	bool is_running;
};

extern struct attack attack;

/* Everything is up, and the pair is talking. features: of the guest that attacks; 0: GUEST_FEATURES. */
void attack_begin(uint64_t features);
/* Waits until the port of the guest says so, or while it is up fails after PATIENCE_NS. */
void attack_expect(const char *reason);
/* The port is up, and stays it while the honest pair exchanges more frames. */
void attack_expect_up(void);
/* The honest pair has exchanged so many frames more. */
void attack_let_others_talk(unsigned n);
/* Closes the guest and lets it come again, until it is up. */
void attack_come_again(void);
/* As above. */
void attack_end(void);

/* The attacker's rings: 0 to receive, 1 to send. Writes descriptor `at` and makes it available (split). */
void attack_split(unsigned ring, uint16_t at, struct vring_desc desc);
void attack_offer(unsigned ring, uint16_t head);
/* Writes the next descriptor of a packed ring and makes it available. */
void attack_packed(unsigned ring, uint64_t gpa, uint32_t n_bytes, uint16_t flags);
void attack_kick(unsigned ring);
/* The guest-physical address of a page of the attacker's that nobody uses, with a frame for the uplink behind an
 * empty header in it; *ret_bytes: of both. */
uint64_t attack_frame(uint32_t *ret_bytes);
/* Sends a message as it is. */
void attack_say(struct guest_msg msg, const int *fds, unsigned n_fds);

#endif
