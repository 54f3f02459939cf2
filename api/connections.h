/* connections: who is connected to the interface, and who goes when there is no room for all.
 *
 * Why        Whoever may open the socket may open it often and say nothing, or half a request. The operator has to
 *            get in all the same, and now.
 * Model      Each is idle, asking (its request has begun), answered (and has not read all of it) or reads a capture; a
 *            list has them in the order in which they became so. Who comes when there are HG_CONNECTIONS_MAX already
 *            is let in, and the first of the list goes: to a socket of this host a request comes in at once, and an
 *            answer is read at once, so that what has taken longest is the least likely to become one. Readers of
 *            captures take as long as they like, and are few; they stay.
 * Promise    Who has just come, asked or been answered is the last to go.
 * Counted    Each refusal by its reason, those of bodies too (api/http.h).
 * Time       An argument. Memory: the caller's. Threads: the control lane. Errors: none. Cost: O(1), longest()
 *            O(readers of captures, or those asking for nothing).
 */
#ifndef HG_API_CONNECTIONS_H
#define HG_API_CONNECTIONS_H

#include "core/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Many more than the commands and collectors of one host; each costs a few KiB. */
#define HG_CONNECTIONS_MAX 128u
/* A request that is not whole by then may lose its memory to another's body: 64 MiB come in within a second. */
#define HG_CONNECTIONS_STALE_NS (10 * HG_NS_PER_S)

/* X(name, NAME): why a connection was closed, or a request refused, before it was looked at. */
#define HG_REFUSALS(X)                                                                        \
	X(idle, IDLE) /* others came; it had asked for nothing since its last answer */       \
	X(unfinished, UNFINISHED) /* others came, or had bodies; its request was not whole */ \
	X(unread, UNREAD) /* others came; it did not read its answer */                       \
	X(body_too_large, BODY_TOO_LARGE)                                                     \
	X(header_too_large, HEADER_TOO_LARGE) /* or its first line */                         \
	X(malformed, MALFORMED) /* not HTTP, or of another version */                         \
	X(no_memory, NO_MEMORY) /* for its body, since others were coming in; or for it */

enum hg_refusal {
#define HG_REFUSAL_ENUM(name, NAME) HG_REFUSAL_##NAME,
	HG_REFUSALS(HG_REFUSAL_ENUM)
#undef HG_REFUSAL_ENUM
		HG_N_REFUSALS,
};

/* "unfinished"; "?" beyond the list. */
const char *hg_refusal_name(enum hg_refusal refusal);

enum hg_connection_state {
	HG_CONNECTION_IDLE = 0,
	HG_CONNECTION_ASKING, /* a request has begun */
	HG_CONNECTION_ANSWERED, /* not all of it has been read */
	HG_CONNECTION_STREAM, /* it reads a capture */
};

struct hg_connection {
	TAILQ_ENTRY(hg_connection) link;
	hg_ns since_ns; /* in its state */
	size_t body_bytes; /* held for it */
	enum hg_connection_state state;
	bool is_listed;
	int fd;
};

struct hg_connections {
	TAILQ_HEAD(, hg_connection) list; /* since_ns grows */
	uint32_t n;
	uint64_t n_refused[HG_N_REFUSALS];
};

void hg_connections_init(struct hg_connections *all);
void hg_connections_enter(struct hg_connections *all, struct hg_connection *one, hg_ns now_ns);
/* It is of that state from now on. This and leave do nothing if it is not in the list. */
void hg_connections_become(struct hg_connections *all, struct hg_connection *one,
			   enum hg_connection_state state, hg_ns now_ns);
void hg_connections_leave(struct hg_connections *all, struct hg_connection *one);

/* Who is to go next; NULL: nobody. */
struct hg_connection *hg_connections_longest(const struct hg_connections *all);
/* The same of those that hold memory for a body and are stale. */
struct hg_connection *hg_connections_stale_body(const struct hg_connections *all, hg_ns now_ns);
/* Takes it from the list and counts it by its state. */
void hg_connections_refuse(struct hg_connections *all, struct hg_connection *one);

#endif
