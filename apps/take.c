/* A planned restart, in the process that comes. */
#include "apps/daemon.h"
#include "apps/standing.h"

#include "api/handover.h"
#include "dataplane/handover.h"
#include "host/hurry.h"
#include "host/peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The process before us answers at once, unless it waits for its cards or for a processor. */
#define ANSWER_NS (10 * HG_NS_PER_S)

/* What was received. */
struct taken {
	struct hg_dp_device *devices;
	unsigned n_devices, size;
	struct hg_peer_message state;
	struct hg_handover handover;
	struct hg_dp_carried carried;
	/* Of apps/standing.h; NULL: none is used. */
	const void *standing;
	size_t n_standing; /* bytes that are mapped; 0: none */
	uint32_t n_kept;
};

/* ---- the offer ---------------------------------------------------------------------------------- */

static int find_peer(struct hg_error *reterr)
{
	const char *text = getenv(HG_PEER_VARIABLE);
	char own[32];
	int fd;

	if (text == NULL)
		return -1;
	fd = atoi(text);
	unsetenv(HG_PEER_VARIABLE);
	/* The watchdog was set for the process before; from when the manager is told, it is ours. */
	snprintf(own, sizeof(own), "%d", (int)getpid());
	if (getenv("WATCHDOG_PID") != NULL)
		setenv("WATCHDOG_PID", own, 1);
	if (fd == HG_PEER_FD)
		return fd;
	(void)!hg_error_set(reterr, -HG_EINVAL, HG_PEER_VARIABLE " is for headgated itself", NULL);
	return -1;
}

int hg_take_begin(struct hg_daemon *d, struct hg_error *reterr)
{
	struct hg_peer_message offer;
	unsigned format;
	int rc;

	d->take_fd = find_peer(reterr);
	if (d->take_fd < 0)
		return reterr->code;
	rc = hg_peer_receive(d->take_fd, ANSWER_NS, &offer, reterr);
	if (rc < 0)
		return rc;
	hg_peer_close_fds(&offer);
	if (hg_peer_is(&offer, "offer") == NULL ||
	    sscanf(offer.text, "offer %u %" SCNu64, &format, &d->restart.number) != 2)
		return hg_error_set(reterr, -HG_EINVAL, "the process before this one offers \"",
				    offer.text, "\", which this version does not know", NULL);
	if (format != HG_HANDOVER_FORMAT)
		return hg_error_set(reterr, -HG_ENOTSUP,
				    "the process before this one hands over in another way than "
				    "version " HG_VERSION
				    " takes; stop it and start this one instead",
				    NULL);
	return 0;
}

void hg_take_refuse(struct hg_daemon *d, const struct hg_error *error)
{
	char text[HG_PEER_TEXT_BYTES];

	if (d->take_fd < 0)
		return;
	snprintf(text, sizeof(text), "refuse %s%s%s", error->path,
		 error->path[0] == '\0' ? "" : ": ", error->text);
	(void)!hg_peer_send(d->take_fd, text, NULL, 0, NULL);
}

/* ---- what comes over ---------------------------------------------------------------------------- */

/* The next line of the text; false: there is none, or it is too long. */
static bool next_line(const char **text, char *ret_line, size_t size)
{
	size_t n = strcspn(*text, "\n");

	if (n >= size)
		return false;
	memcpy(ret_line, *text, n);
	ret_line[n] = '\0';
	*text += n + ((*text)[n] == '\n');
	return true;
}

static int add_device(struct taken *taken, const char *text, struct hg_peer_message *message,
		      struct hg_error *reterr)
{
	struct hg_dp_device device = {.n_fds = message->n_fds};
	char kind[16];

	if (!next_line(&text, kind, sizeof(kind)) ||
	    !next_line(&text, device.name, sizeof(device.name)) ||
	    !next_line(&text, device.device, sizeof(device.device)) ||
	    !next_line(&text, device.netns, sizeof(device.netns)) || device.n_fds > HG_DP_FDS_MAX)
		return hg_error_set(reterr, -HG_EINVAL, "a device was handed over that cannot be",
				    NULL);
	device.is_uplink = strcmp(kind, "uplink") == 0;
	memcpy(device.fds, message->fds, device.n_fds * sizeof(int));
	if (taken->n_devices == taken->size) {
		unsigned size = taken->size == 0 ? 16u : taken->size * 2u;
		struct hg_dp_device *more = realloc(taken->devices, size * sizeof(*more));

		if (more == NULL)
			return hg_error_set(reterr, -HG_ENOMEM, "no memory for devices", NULL);
		taken->devices = more;
		taken->size = size;
	}
	taken->devices[taken->n_devices++] = device;
	return 0;
}

/* Receives devices until the state comes. */
static int receive(struct hg_daemon *d, struct taken *taken, struct hg_error *reterr)
{
	for (;;) {
		struct hg_peer_message *message = &taken->state;
		const char *device;
		int rc = hg_peer_receive(d->take_fd, ANSWER_NS, message, reterr);

		if (rc < 0)
			return rc;
		if (hg_peer_is(message, "state") != NULL && message->n_fds >= 3)
			return 0;
		device = hg_peer_is(message, "device");
		rc = device != NULL ? add_device(taken, device, message, reterr)
				    : hg_error_set(reterr, -HG_EINVAL, "the process before says \"",
						   message->text, "\"", NULL);
		if (rc < 0) {
			hg_peer_close_fds(message);
			return rc;
		}
	}
}

static int map(int fd, const void **ret_bytes, size_t *ret_n_bytes, struct hg_error *reterr)
{
	struct stat st;
	void *bytes = MAP_FAILED;

	if (fstat(fd, &st) == 0 && st.st_size > 0)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return hg_error_set(reterr, -HG_EIO, "what was handed over cannot be read", NULL);
	*ret_bytes = bytes;
	*ret_n_bytes = (size_t)st.st_size;
	return 0;
}

static void begin_anew(struct hg_daemon *d, struct taken *taken, const struct hg_error *error)
{
	hg_say(HG_LOG_WARNING, "%s: they begin anew", error->text);
	snprintf(d->restart.anew, sizeof(d->restart.anew), "%s", error->text);
	if (taken->n_standing > 0)
		munmap((void *)(uintptr_t)taken->standing, taken->n_standing);
	taken->standing = NULL;
	taken->n_standing = 0;
	taken->n_kept = 0;
}

static int read_document(struct taken *taken, struct hg_error *reterr)
{
	const void *bytes = NULL;
	size_t n_bytes = 0;
	int rc = map(taken->state.fds[0], &bytes, &n_bytes, reterr);

	if (rc < 0)
		return rc;
	rc = hg_handover_read(bytes, n_bytes, hg_daemon_check_text, &taken->handover, reterr);
	munmap((void *)(uintptr_t)bytes, n_bytes);
	return rc;
}

/* Who goes may be of a version that says it otherwise, or not at all: then this begins anew. The lane is frozen. */
static void take_standing(struct hg_daemon *d, struct taken *taken)
{
	struct hg_error error = {0};
	int rc;

	if (taken->state.n_fds < 4)
		rc = hg_error_set(&error, -HG_ENOTSUP,
				  "the process before hands over no tokens, totals and proof",
				  NULL);
	else
		rc = map(taken->state.fds[3], &taken->standing, &taken->n_standing, &error);
	if (rc == 0)
		rc = hg_standing_read_lane(d, taken->standing, taken->n_standing, &taken->n_kept,
					   &error);
	if (rc < 0)
		begin_anew(d, taken, &error);
}

/* Packets flow already. */
static void take_measured(struct hg_daemon *d, struct taken *taken)
{
	struct hg_error error = {0};

	if (taken->standing != NULL && hg_standing_read_measured(d, taken->standing, &error) < 0)
		begin_anew(d, taken, &error);
}

static int take_packets(struct hg_daemon *d, struct taken *taken, struct hg_error *reterr)
{
	const void *bytes = NULL;
	size_t n_bytes = 0;
	int rc = map(taken->state.fds[1], &bytes, &n_bytes, reterr);

	if (rc < 0)
		return rc;
	(void)hg_dp_freeze(d->dp, 0);
	take_standing(d, taken);
	rc = hg_dp_carry_in(d->dp, bytes, n_bytes, &taken->carried, reterr);
	munmap((void *)(uintptr_t)bytes, n_bytes);
	return rc;
}

static bool is_made_from(const struct hg_handover *handover, const struct hg_source *source)
{
	return handover->source.hash == source->hash && handover->source.n_bytes == source->n_bytes;
}

/* The rule of every start: what was in force, unless the configuration file was edited since. */
static int put_in_force(struct hg_daemon *d, struct taken *taken, struct hg_error *reterr)
{
	struct hg_control_state state = taken->handover.state;
	struct hg_desired *edited = NULL;
	int rc = 0;

	/* Once more, since it may have been edited, and read by the process before, while this one started. */
	if (!is_made_from(&taken->handover, &d->source))
		rc = hg_daemon_read_config(d, hg_daemon_check_text, &edited, &d->source, reterr);
	if (rc < 0)
		return rc;
	if (!is_made_from(&taken->handover, &d->source)) {
		hg_say(HG_LOG_NOTICE,
		       "going on from %s: it was edited since what was in force came from it, and "
		       "so it wins",
		       d->args.config);
		state.desired = edited;
		state.previous = NULL;
		state.generation++;
	}
	rc = hg_control_take(d->control, &state, hg_clock_now_ns(), reterr);
	hg_config_destroy(edited);
	return rc;
}

/* ---- taking over -------------------------------------------------------------------------------- */

/* Up to the point of no return. */
static int take_all(struct hg_daemon *d, struct taken *taken, struct hg_error *reterr)
{
	int rc = hg_peer_send(d->take_fd, "ready standing", NULL, 0, reterr);

	if (rc == 0)
		rc = receive(d, taken, reterr);
	if (rc == 0)
		rc = read_document(taken, reterr);
	if (rc < 0)
		return rc;
	hg_dp_adopt(d->dp, taken->devices, taken->n_devices);
	rc = put_in_force(d, taken, reterr);
	if (rc == 0)
		rc = take_packets(d, taken, reterr);
	if (rc == 0)
		rc = hg_peer_send(d->take_fd, "taken", NULL, 0, reterr);
	return rc;
}

static int wait_go(struct hg_daemon *d, struct hg_error *reterr)
{
	struct hg_peer_message message;
	int rc = hg_peer_receive(d->take_fd, ANSWER_NS, &message, reterr);

	if (rc < 0)
		return rc;
	hg_peer_close_fds(&message);
	if (hg_peer_is(&message, "go") != NULL)
		return 0;
	return hg_error_set(reterr, -HG_EINVAL, "the process before says \"", message.text, "\"",
			    NULL);
}

static void note(struct hg_daemon *d, const struct taken *taken)
{
	struct hg_restart *restart = &d->restart;
	char text[128];

	restart->state = HG_RESTART_DONE;
	restart->previous = HG_PREVIOUS_HANDED_OVER;
	restart->gap_ns = hg_clock_now_ns() - taken->handover.stopped_at_ns;
	restart->carried_pkts = taken->carried.n_pkts;
	restart->carried_bytes = taken->carried.n_bytes;
	restart->n_kept = taken->n_kept;
	restart->lost_pkts = taken->carried.n_lost + taken->handover.n_left_in_cards;
	for (unsigned i = 0; i < taken->n_devices; i++)
		restart->n_handed += taken->devices[i].n_fds > 0;
	restart->n_reopened = hg_dp_n_devices(d->dp) - restart->n_handed;
	memcpy(restart->from_version, taken->handover.version, sizeof(restart->from_version));
	hg_say(HG_LOG_NOTICE,
	       "took over from version %s in %.1f ms: %" PRIu64 " packets carried, %" PRIu64
	       " lost, %u instances with their tokens and totals",
	       restart->from_version, (double)restart->gap_ns / 1e6, restart->carried_pkts,
	       restart->lost_pkts, restart->n_kept);
	snprintf(text, sizeof(text), "running %" PRIi64 " %" PRIu64 " %" PRIu64, restart->gap_ns,
		 restart->carried_pkts, restart->lost_pkts);
	(void)!hg_peer_send(d->take_fd, text, NULL, 0, NULL);
}

int hg_take(struct hg_daemon *d, struct hg_error *reterr)
{
	struct taken taken = {0};
	struct hg_hurry before;
	int rc;

	hg_hurry_begin(&before);
	rc = take_all(d, &taken, reterr);

	if (rc == 0)
		rc = wait_go(d, reterr);
	if (rc == 0) {
		hg_dp_thaw(d->dp);
		note(d, &taken);
		take_measured(d, &taken);
		/* The interface owns the socket from here on. */
		rc = hg_daemon_open_http(d, taken.state.fds[2], reterr);
		taken.state.fds[2] = -1;
	} else {
		hg_take_refuse(d, reterr);
	}
	hg_hurry_end(&before);
	hg_handover_fini(&taken.handover);
	for (unsigned i = 0; i < taken.n_devices; i++) {
		for (unsigned j = 0; j < taken.devices[i].n_fds; j++)
			close(taken.devices[i].fds[j]);
	}
	free(taken.devices);
	if (taken.n_standing > 0)
		munmap((void *)(uintptr_t)taken.standing, taken.n_standing);
	hg_peer_close_fds(&taken.state);
	close(d->take_fd);
	d->take_fd = -1;
	return rc;
}
