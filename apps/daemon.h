/* daemon: what the parts of headgated share. Wiring only.
 *
 * apps/headgated.c   arguments, the event loop, a plain start and a plain end
 * apps/govern.c      processor credits: clocks, store, processors
 * apps/leave.c       a planned restart, in the process that goes
 * apps/take.c        a planned restart, in the process that comes
 * apps/standing.c    what both write and read of tokens, totals and proof
 *
 * The two speak in messages (host/peer.h), of the number HG_HANDOVER_FORMAT:
 *
 *   goes                          comes
 *   offer FORMAT NUMBER ->                       before anything is done
 *                              <- ready standing all that takes long is done; standing: it takes that as well
 *   [stops receiving; nothing is taken back later than below]
 *   device KIND\nNAME\nDEVICE\nNETNS ->          with descriptors; for each that can be handed over
 *   state ->                                     with the document, the packets and the listening socket, and
 *                                                if it takes that the standing (apps/standing.h)
 *                              <- taken          everything is in its place
 *   [the point of no return: closes what could not be handed over]
 *   go ->
 *                              <- running GAP_NS CARRIED LOST
 *   refuse SENTENCE, either way, or the end of one: up to "taken" the first goes on as if nothing had happened
 */
#ifndef HG_APPS_DAEMON_H
#define HG_APPS_DAEMON_H

#include "api/config.h"
#include "api/http.h"
#include "api/service.h"
#include "api/statefile.h"
#include "control/control.h"
#include "control/credits.h"
#include "dataplane/dataplane.h"
#include "drivers/driver.h"
#include "host/clock.h"
#include "host/peer.h"

#include <systemd/sd-event.h>

struct hg_arguments {
	const char *config, *socket, *state; /* state NULL: none is kept */
	const char *credits; /* the store of processor credits; NULL: none is kept */
	bool want_fresh_credits; /* a store that cannot be used is put aside */
	bool is_suspended_counted; /* a suspended host earns credits */
	const char *check; /* NULL: run */
	uint32_t n_workers; /* 0: as many as the packet lane thinks right */
};

/* A restart that is under way, in the process that goes. */
struct hg_leaving {
	struct hg_peer_process process;
	int fd;
	bool takes_standing; /* it knows what apps/standing.h writes */
	sd_event_source *source, *timer;
};

/* When changes have ended. */
struct hg_quiet {
	uint64_t generation; /* of the state that was in force in the last turn */
	sd_event_source *timer;
};

struct hg_daemon {
	struct hg_arguments args;
	char *const *argv;
	char program[4096]; /* the file that a restart starts */
	struct hg_source source; /* the content of the configuration file */
	bool is_loud_about_stolen; /* it was said that it cannot be read */
	hg_ns began_at_ns;
	struct hg_dp *dp;
	struct hg_control *control;
	struct hg_credits *credits;
	struct hg_service service;
	struct hg_restart restart;
	struct hg_http *http;
	sd_event *loop;
	sd_event_source *tick_timer, *http_timer, *http_io;
	int take_fd; /* the process before; -1: a plain start */
	struct hg_leaving leaving;
	struct hg_quiet quiet;
};

__attribute__((format(printf, 2, 3))) void hg_say(enum hg_log_level level, const char *format, ...);
void hg_say_error(const struct hg_error *error, const char *file);

/* Two that check devices (api/config.h). A start looks at what is written alone: where two of the texts are one device by
 * now, one port is missing, with the reason, and all others are there. A change is refused, before anything is opened. */
HG_MUST_CHECK int hg_daemon_check_text(const char *device, const char *netns, char *ret_place,
				       struct hg_error *reterr);
HG_MUST_CHECK int hg_daemon_check_place(const char *device, const char *netns, char *ret_place,
					struct hg_error *reterr);
/* Reads the configuration file. */
HG_MUST_CHECK int hg_daemon_read_config(struct hg_daemon *d, hg_config_device_fn check_device,
					struct hg_desired **ret, struct hg_source *ret_source,
					struct hg_error *reterr);
/* Processor credits, as the arguments say. */
HG_MUST_CHECK int hg_daemon_create_credits(struct hg_daemon *d, struct hg_error *reterr);
/* Opens the interface. listen_fd -1: makes its socket. */
HG_MUST_CHECK int hg_daemon_open_http(struct hg_daemon *d, int listen_fd, struct hg_error *reterr);
/* Arms the timers for what is due next. */
void hg_daemon_turn(struct hg_daemon *d);

/* ---- quiet -------------------------------------------------------------------------------------- */

/* Half a second after the last of some changes, and after the start, freed memory goes back to the system, so that
 * what a machine needed does not stay when it has gone. Needs the loop. */
HG_MUST_CHECK int hg_quiet_init(struct hg_daemon *d);
/* Each turn: looks for a change. */
void hg_quiet_turn(struct hg_daemon *d);

/* ---- the process that goes ---------------------------------------------------------------------- */

/* Which file a restart starts: the one that was started, by the name it was started under, so that another
 * version in its place is found. */
void hg_leave_note_program(struct hg_daemon *d);
/* hg_service.begin_restart. */
int hg_leave_begin(void *user, struct hg_error *reterr);
/* Ends a process that was started and has not taken over. */
void hg_leave_fini(struct hg_daemon *d);

/* ---- the process that comes --------------------------------------------------------------------- */

/* Finds the process before, and refuses it if it speaks otherwise. 0 also if there is none. */
HG_MUST_CHECK int hg_take_begin(struct hg_daemon *d, struct hg_error *reterr);
/* Tells it that this start has failed. */
void hg_take_refuse(struct hg_daemon *d, const struct hg_error *error);
/* Takes over, once everything that takes long is done: the state in force and the interface are there when it
 * returns 0. */
HG_MUST_CHECK int hg_take(struct hg_daemon *d, struct hg_error *reterr);

#endif
