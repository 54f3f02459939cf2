/* A planned restart, in the process that goes. */
#include "apps/daemon.h"
#include "apps/standing.h"

#include "api/handover.h"
#include "dataplane/handover.h"
#include "host/hurry.h"
#include "host/peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* Starting takes half a second; on a host without a free processor some. */
#define START_WITHIN_US (60u * 1000u * 1000u)
/* How long cards may take to send what they have. */
#define CARDS_NS (50 * HG_NS_PER_MS)
/* While it waits for an answer nothing is received: long enough for thousands of ports, and below what a TCP
 * connection gives up after. */
#define ANSWER_NS (5 * HG_NS_PER_S)
/* Who has closed its end is about to end by itself: its exit code says more than ours would. */
#define ENDS_WITHIN_NS (100 * HG_NS_PER_MS)
/* Connections that were open are still answered for this long. */
#define LINGER_US (1000u * 1000u)

/* ---- what to start ------------------------------------------------------------------------------ */

void hg_leave_note_program(struct hg_daemon *d)
{
	const char *name = d->argv[0];
	char folder[2048];
	ssize_t n;

	if (strchr(name, '/') != NULL) {
		bool is_absolute = name[0] == '/';

		if (is_absolute || getcwd(folder, sizeof(folder)) != NULL)
			snprintf(d->program, sizeof(d->program), "%s%s%s",
				 is_absolute ? "" : folder, is_absolute ? "" : "/", name);
	}
	if (d->program[0] != '\0')
		return;
	n = readlink("/proc/self/exe", d->program, sizeof(d->program) - 1u);
	d->program[n > 0 ? n : 0] = '\0';
}

/* ---- one that fails ----------------------------------------------------------------------------- */

static void forget(struct hg_leaving *leaving)
{
	leaving->source = sd_event_source_disable_unref(leaving->source);
	leaving->timer = sd_event_source_disable_unref(leaving->timer);
	if (leaving->fd >= 0)
		close(leaving->fd);
	hg_peer_forget(&leaving->process);
	*leaving = (struct hg_leaving){.fd = -1};
}

/* This process goes on as if nothing had happened. */
static void fail(struct hg_daemon *d, const char *why)
{
	char end[64];

	hg_peer_end(&d->leaving.process, ENDS_WITHIN_NS, end, sizeof(end));
	forget(&d->leaving);
	d->restart.state = HG_RESTART_FAILED;
	snprintf(d->restart.error, sizeof(d->restart.error), "%s (%s); this one goes on", why, end);
	hg_say(HG_LOG_ERR, "no restart: %s", d->restart.error);
	sd_notify(0, "READY=1");
}

void hg_leave_fini(struct hg_daemon *d)
{
	char end[64];

	if (d->leaving.process.pid == 0)
		return;
	hg_peer_end(&d->leaving.process, ENDS_WITHIN_NS, end, sizeof(end));
	forget(&d->leaving);
}

/* ---- what goes over ----------------------------------------------------------------------------- */

/* Memory that another process can map. */
struct shared {
	int fd;
	void *bytes;
	size_t size;
};

static int share(const char *name, size_t size, struct shared *ret, struct hg_error *reterr)
{
	*ret = (struct shared){.fd = memfd_create(name, MFD_CLOEXEC), .size = size};
	if (ret->fd >= 0 && ftruncate(ret->fd, (off_t)size) == 0) {
		ret->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ret->fd, 0);
		if (ret->bytes != MAP_FAILED)
			return 0;
	}
	if (ret->fd >= 0)
		close(ret->fd);
	ret->fd = -1;
	return hg_error_set(reterr, -HG_ENOMEM,
			    "no memory for what is handed over: ", strerror(errno), NULL);
}

static void unshare_memory(struct shared *shared)
{
	if (shared->fd < 0)
		return;
	munmap(shared->bytes, shared->size);
	close(shared->fd);
	shared->fd = -1;
}

static int share_document(struct hg_daemon *d, hg_ns stopped_at_ns, uint64_t n_left,
			  struct shared *ret, struct hg_error *reterr)
{
	struct hg_handover handover = {.version = HG_VERSION,
				       .source = d->source,
				       .stopped_at_ns = stopped_at_ns,
				       .n_left_in_cards = n_left};
	char *text;
	size_t n_bytes;
	int rc;

	hg_control_give(d->control, &handover.state);
	rc = hg_handover_write(&handover, &text, &n_bytes, reterr);
	if (rc < 0)
		return rc;
	rc = share("headgate-state", n_bytes, ret, reterr);
	if (rc == 0)
		memcpy(ret->bytes, text, n_bytes);
	free(text);
	return rc;
}

/* Without it the other process begins anew. */
static void share_standing(struct hg_daemon *d, struct shared *ret)
{
	struct hg_error error = {0};

	*ret = (struct shared){.fd = -1};
	if (!d->leaving.takes_standing) {
		hg_say(HG_LOG_NOTICE,
		       "the new process does not take tokens, totals and proof: they begin "
		       "anew there");
		return;
	}
	if (share("headgate-standing", hg_standing_size(d), ret, &error) < 0)
		hg_say(HG_LOG_ERR, "%s; tokens, totals and proof begin anew", error.text);
	else
		hg_standing_write_measured(d, ret->bytes);
}

static int send_devices(struct hg_daemon *d, struct hg_error *reterr)
{
	unsigned n = hg_dp_n_devices(d->dp);
	struct hg_dp_device *devices = calloc(n + 1u, sizeof(*devices));
	char text[HG_PEER_TEXT_BYTES];
	int rc = 0;

	if (devices == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for devices", NULL);
	n = hg_dp_hand(d->dp, devices, n);
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		snprintf(text, sizeof(text), "device %s\n%s\n%s\n%s",
			 devices[i].is_uplink ? "uplink" : "port", devices[i].name,
			 devices[i].device, devices[i].netns);
		rc = hg_peer_send(d->leaving.fd, text, devices[i].fds, devices[i].n_fds, reterr);
	}
	free(devices);
	return rc;
}

/* Everything, and the word that it is in its place there. */
static int send_all(struct hg_daemon *d, const struct shared *document,
		    const struct shared *packets, const struct shared *standing,
		    struct hg_error *reterr)
{
	const int fds[] = {document->fd, packets->fd, hg_http_listen_fd(d->http), standing->fd};
	struct hg_peer_message answer;
	int rc = send_devices(d, reterr);

	if (rc == 0)
		rc = hg_peer_send(d->leaving.fd, "state", fds, standing->fd < 0 ? 3 : 4, reterr);
	if (rc == 0)
		rc = hg_peer_receive(d->leaving.fd, ANSWER_NS, &answer, reterr);
	if (rc < 0)
		return rc;
	hg_peer_close_fds(&answer);
	if (hg_peer_is(&answer, "taken") != NULL)
		return 0;
	return hg_error_set(reterr, -HG_EIO, "the new process refused: ",
			    hg_peer_is(&answer, "refuse") != NULL ? hg_peer_is(&answer, "refuse")
								  : answer.text,
			    NULL);
}

/* ---- going -------------------------------------------------------------------------------------- */

static int on_lingered(sd_event_source *source, uint64_t usec, void *user)
{
	struct hg_daemon *d = user;
	static unsigned n_looks;

	(void)usec;
	if (hg_http_n_connections(d->http) == 0 || ++n_looks >= 20)
		return sd_event_exit(d->loop, 0);
	(void)sd_event_source_set_time_relative(source, LINGER_US / 20u);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Nothing is left here but connections that have to be answered. */
static void leave(struct hg_daemon *d, const char *told)
{
	uint64_t gap_ns = 0, n_carried = 0, n_lost = 0;

	(void)sscanf(told, "%" SCNu64 " %" SCNu64 " %" SCNu64, &gap_ns, &n_carried, &n_lost);
	hg_say(HG_LOG_NOTICE,
	       "handed over to process %d in %.0f ms: %" PRIu64 " packets carried, %" PRIu64
	       " lost",
	       (int)d->leaving.process.pid, (double)gap_ns / 1e6, n_carried, n_lost);
	forget(&d->leaving);
	sd_event_source_set_enabled(d->tick_timer, SD_EVENT_OFF);
	d->service.is_leaving = true;
	hg_http_leave(d->http);
	if (sd_event_add_time_relative(d->loop, NULL, CLOCK_MONOTONIC, 0, 1, on_lingered, d) < 0)
		sd_event_exit(d->loop, 0);
}

/* The point of no return. What fails from here on is a crash: the other process is alone, or none is. */
static void let_go(struct hg_daemon *d)
{
	struct hg_peer_message answer;
	struct hg_error error = {0};
	const char *told = NULL;
	int rc;

	hg_dp_let_go(d->dp);
	sd_notifyf(0, "MAINPID=%d", (int)d->leaving.process.pid);
	rc = hg_peer_send(d->leaving.fd, "go", NULL, 0, &error);
	if (rc == 0)
		rc = hg_peer_receive(d->leaving.fd, ANSWER_NS, &answer, &error);
	if (rc == 0) {
		hg_peer_close_fds(&answer);
		told = hg_peer_is(&answer, "running");
	}
	if (told != NULL) {
		leave(d, told);
		return;
	}
	hg_say(HG_LOG_ERR,
	       "the new process failed after it had taken over (%s): ending; a new start takes up "
	       "what is left",
	       rc < 0 ? error.text : answer.text);
	d->service.is_leaving = true;
	sd_event_exit(d->loop, -EIO);
}

/* Puts back what was taken out, and goes on. */
static void take_back(struct hg_daemon *d, const struct shared *packets,
		      const struct shared *standing)
{
	struct hg_dp_carried in;
	struct hg_error error = {0};
	uint32_t n;

	(void)!hg_credits_rest(d->credits, false, hg_clock_now_ns(), NULL);

	if (standing->fd >= 0 &&
	    hg_standing_read_lane(d, standing->bytes, standing->size, &n, &error) < 0)
		hg_say(HG_LOG_ERR, "%s", error.text);
	hg_error_clear(&error);
	if (packets->fd >= 0 &&
	    hg_dp_carry_in(d->dp, packets->bytes, packets->size, &in, &error) < 0)
		hg_say(HG_LOG_ERR, "%s", error.text);
	hg_dp_thaw(d->dp);
}

static void hand_over(struct hg_daemon *d)
{
	hg_ns stopped_at_ns = hg_clock_now_ns();
	uint64_t n_left;
	struct shared document = {.fd = -1}, packets = {.fd = -1}, standing;
	struct hg_dp_carried out;
	struct hg_error error = {0};
	struct hg_hurry before;
	int rc;

	/* Before packets wait: the new process reads balances from the store. */
	if (hg_credits_rest(d->credits, true, stopped_at_ns, &error) < 0)
		hg_say(HG_LOG_ERR, "%s; balances of processor credits may be older there",
		       error.text);
	hg_error_clear(&error);
	share_standing(d, &standing);
	stopped_at_ns = hg_clock_now_ns();
	hg_hurry_begin(&before);
	n_left = hg_dp_freeze(d->dp, CARDS_NS);
	if (standing.fd >= 0)
		hg_standing_write_lane(d, standing.bytes);
	rc = share("headgate-packets", hg_dp_carry_size(d->dp), &packets, &error);
	if (rc == 0) {
		(void)hg_dp_carry_out(d->dp, packets.bytes, &out);
		rc = share_document(d, stopped_at_ns, n_left, &document, &error);
	}
	if (rc == 0)
		rc = send_all(d, &document, &packets, &standing, &error);
	if (rc == 0) {
		let_go(d);
	} else {
		take_back(d, &packets, &standing);
		fail(d, error.text);
	}
	hg_hurry_end(&before);
	unshare_memory(&packets);
	unshare_memory(&document);
	unshare_memory(&standing);
}

static int on_peer(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct hg_daemon *d = user;
	struct hg_peer_message message;
	struct hg_error error = {0};
	char why[HG_ERROR_TEXT_BYTES];

	(void)source;
	(void)events;
	if (hg_peer_receive(fd, 0, &message, &error) < 0) {
		fail(d, "the new process ended before it was ready");
		return 0;
	}
	hg_peer_close_fds(&message);
	if (hg_peer_is(&message, "ready") != NULL) {
		d->leaving.takes_standing = strcmp(hg_peer_is(&message, "ready"), "standing") == 0;
		hand_over(d);
	} else {
		snprintf(why, sizeof(why), "the new process refused: %.300s",
			 hg_peer_is(&message, "refuse") != NULL ? hg_peer_is(&message, "refuse")
								: message.text);
		fail(d, why);
	}
	if (!d->service.is_leaving)
		hg_daemon_turn(d);
	return 0;
}

static int on_too_late(sd_event_source *source, uint64_t usec, void *user)
{
	(void)source;
	(void)usec;
	fail(user, "the new process was not ready within a minute");
	return 0;
}

/* By a service manager that started this process itself: it is to wait for the end of the next one as well. Of one that
 * it has not started systemd does not, and a stop ends it by SIGKILL at once. */
static bool is_managed(void)
{
	return getenv("NOTIFY_SOCKET") != NULL && getppid() == 1;
}

int hg_leave_begin(void *user, struct hg_error *reterr)
{
	struct hg_daemon *d = user;
	char text[64];
	int rc;

	if (d->leaving.process.pid != 0)
		return hg_error_set(reterr, -HG_EBUSY, "a restart is under way already", NULL);
	rc = hg_peer_start(d->program, d->argv, is_managed(), &d->leaving.process, &d->leaving.fd,
			   reterr);
	if (rc < 0) {
		d->leaving = (struct hg_leaving){.fd = -1};
		return rc;
	}
	snprintf(text, sizeof(text), "offer %u %" PRIu64, HG_HANDOVER_FORMAT,
		 d->restart.number + 1u);
	/* One that has ended already is noticed below, with its exit code. */
	(void)!hg_peer_send(d->leaving.fd, text, NULL, 0, NULL);
	if (sd_event_add_io(d->loop, &d->leaving.source, d->leaving.fd, EPOLLIN, on_peer, d) < 0 ||
	    sd_event_add_time_relative(d->loop, &d->leaving.timer, CLOCK_MONOTONIC, START_WITHIN_US,
				       0, on_too_late, d) < 0) {
		hg_leave_fini(d);
		return hg_error_set(reterr, -HG_EIO, "cannot wait for the new process", NULL);
	}
	d->restart.number++;
	d->restart.state = HG_RESTART_UNDER_WAY;
	d->restart.error[0] = '\0';
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(hg_clock_now_ns() / 1000));
	hg_say(HG_LOG_NOTICE, "a restart begins: %s is process %d", d->program,
	       (int)d->leaving.process.pid);
	return 0;
}
