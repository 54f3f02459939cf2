/* load: traffic of real kernel sockets, and what it felt like to its sender.
 *
 * Why        A contract is worth what a tenant's own TCP gets out of it. This is the tenant in ./run and
 *            in the smoke tests: started inside a namespace, bounded in time, it dies with whoever
 *            started it.
 * Model      TCP: a client asks for exchanges. Each begins with a header that says how many bytes
 *            follow and how many are to come back; the server does as told. So one server serves
 *            every kind of load:
 *              flood   one exchange without end on each connection (or, reversed, one answer without end)
 *              rr      small exchanges one after another
 *              wake    silence, then a small exchange, then a large one
 *            A client may be told when: connected, it rests until a signal (SIGUSR1), works for a slice, finishes
 *            what it has begun, gives its total, and rests again. Where a program starts slowly, as in an emulated
 *            machine, and where a connection would suffer from being cut off in the middle.
 *            UDP: numbered datagrams at an even rate, and who receives them says which are missing.
 * Output     One JSON object a second on stdout, and a last one with "total": true. Told when: "ready": true, and
 *            then only the totals.
 * Units      ns inside, microseconds in the output (the names say so). Threads: one.
 * Errors     A sentence on stderr and exit 1; 2 for wrong use.
 */
#ifndef HG_TOOLS_LOAD_LOAD_H
#define HG_TOOLS_LOAD_LOAD_H

#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define HG_LOAD_NS_PER_S INT64_C(1000000000)
#define HG_LOAD_STREAMS_MAX 256u

enum hg_load_mode {
	HG_LOAD_SERVE,
	HG_LOAD_FLOOD,
	HG_LOAD_RR,
	HG_LOAD_WAKE,
	HG_LOAD_SEQ_SEND,
	HG_LOAD_SEQ_RECV,
};

struct hg_load_cfg {
	enum hg_load_mode mode;
	struct sockaddr_in address; /* to connect to, or to listen on */
	unsigned seconds; /* in [1, 86,400] */
	unsigned n_streams; /* in [1, HG_LOAD_STREAMS_MAX] */
	bool is_reversed; /* the server sends the bulk */
	uint64_t request_bytes, response_bytes; /* rr; of one datagram in request_bytes for seq */
	uint64_t burst_bytes; /* wake */
	int64_t idle_ns; /* wake: silence between bursts; rr: pause between exchanges */
	unsigned pkts_per_s; /* seq-send */
	int64_t slice_ns; /* of a client of TCP: after each signal for so long; 0: at once, and without signals */
	const char *congestion; /* control of a client's TCP, by its name; NULL: the namespace's */
};

/* Set by SIGTERM and SIGINT: close the account and end. */
extern volatile sig_atomic_t hg_load_is_over;

int64_t hg_load_now_ns(void);
/* Each runs until its time is over or hg_load_is_over, and returns the exit code. */
int hg_exchange_serve(const struct hg_load_cfg *cfg);
int hg_exchange_run(const struct hg_load_cfg *cfg);
int hg_sequence_send(const struct hg_load_cfg *cfg);
int hg_sequence_receive(const struct hg_load_cfg *cfg);

#endif
