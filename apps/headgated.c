/* headgated: the daemon. Wiring only: arguments, the event loop, and who gets which function. */
#include "apps/daemon.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/headgate/headgated.yaml"
#define DEFAULT_SOCKET_FOLDER "/run/headgate"
#define DEFAULT_SOCKET DEFAULT_SOCKET_FOLDER "/headgated.sock"
#define DEFAULT_STATE_FOLDER "/var/lib/headgate"
#define DEFAULT_STATE DEFAULT_STATE_FOLDER "/state.yaml"
#define CREDITS_NAME "credits.db"
#define WORKERS_MAX 16u
/* Exit codes. The systemd unit starts nothing anew that waits for a person. */
#define EXIT_FAILED 1
#define EXIT_REFUSED 2

/* ---- words -------------------------------------------------------------------------------------- */

/* The journal reads a level in front of the line; a person at a terminal reads a word. */
static void log_line(void *user, enum hg_log_level level, const char *sentence)
{
	(void)user;
	if (getenv("JOURNAL_STREAM") != NULL)
		fprintf(stderr, "<%d>%s\n", (int)level, sentence);
	else
		fprintf(stderr, "headgated: %s%s\n",
			level == HG_LOG_ERR       ? "error: "
			: level == HG_LOG_WARNING ? "warning: "
						  : "",
			sentence);
}

void hg_say(enum hg_log_level level, const char *format, ...)
{
	char sentence[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof(sentence), format, list);
	va_end(list);
	log_line(NULL, level, sentence);
}

void hg_say_error(const struct hg_error *error, const char *file)
{
	char line[1024];

	log_line(NULL, HG_LOG_ERR, hg_config_error_format(error, file, line, sizeof(line)));
}

static void usage(FILE *out)
{
	fputs("usage: headgated [options]\n"
	      "       headgated --check FILE\n"
	      "\n"
	      "Keeps the bandwidth contracts of this host's tenants.\n"
	      "\n"
	      "  --config FILE   what to start with (default " DEFAULT_CONFIG ")\n"
	      "  --socket PATH   where to listen (default " DEFAULT_SOCKET ")\n"
	      "  --state FILE    where changes at run time are kept\n"
	      "                  (default " DEFAULT_STATE ")\n"
	      "  --no-state      keep nothing: every start is from the configuration file,\n"
	      "                  and every balance of processor credits is a new one\n"
	      "  --credits FILE  where balances of processor credits are kept\n"
	      "                  (default credits.db, beside the state)\n"
	      "  --fresh-credits a store that is damaged is put aside, and a new one begun\n"
	      "  --suspended-earns  time in which the host was suspended earns credits\n"
	      "  --workers N     threads that carry packets (default: one)\n"
	      "  --check FILE    check a configuration and say what is in it; changes nothing\n"
	      "  --help, --version\n"
	      "\n"
	      "The state kept is used at start as long as the configuration file has not\n"
	      "been edited since; an edited file wins. SIGHUP reads the file again, SIGTERM\n"
	      "ends.\n",
	      out);
}

/* ---- arguments ---------------------------------------------------------------------------------- */

enum {
	OPT_CONFIG = 256,
	OPT_SOCKET,
	OPT_STATE,
	OPT_NO_STATE,
	OPT_CREDITS,
	OPT_FRESH_CREDITS,
	OPT_SUSPENDED_EARNS,
	OPT_WORKERS,
	OPT_CHECK,
	OPT_HELP,
	OPT_VERSION
};

static void parse_workers(struct hg_arguments *args, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < 1 || n > WORKERS_MAX) {
		fprintf(stderr, "headgated: --workers takes a number in [1, %u], not \"%s\"\n",
			WORKERS_MAX, text);
		exit(EXIT_REFUSED);
	}
	args->n_workers = (uint32_t)n;
}

static void parse_arguments(int argc, char **argv, struct hg_arguments *args)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, OPT_CONFIG},
		{"socket", required_argument, NULL, OPT_SOCKET},
		{"state", required_argument, NULL, OPT_STATE},
		{"no-state", no_argument, NULL, OPT_NO_STATE},
		{"credits", required_argument, NULL, OPT_CREDITS},
		{"fresh-credits", no_argument, NULL, OPT_FRESH_CREDITS},
		{"suspended-earns", no_argument, NULL, OPT_SUSPENDED_EARNS},
		{"workers", required_argument, NULL, OPT_WORKERS},
		{"check", required_argument, NULL, OPT_CHECK},
		{"help", no_argument, NULL, OPT_HELP},
		{"version", no_argument, NULL, OPT_VERSION},
		{0},
	};

	*args = (struct hg_arguments){
		.config = DEFAULT_CONFIG, .socket = DEFAULT_SOCKET, .state = DEFAULT_STATE};
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case OPT_CONFIG:
			args->config = optarg;
			break;
		case OPT_SOCKET:
			args->socket = optarg;
			break;
		case OPT_STATE:
			args->state = optarg;
			break;
		case OPT_NO_STATE:
			args->state = NULL;
			break;
		case OPT_CREDITS:
			args->credits = optarg;
			break;
		case OPT_FRESH_CREDITS:
			args->want_fresh_credits = true;
			break;
		case OPT_SUSPENDED_EARNS:
			args->is_suspended_counted = true;
			break;
		case OPT_WORKERS:
			parse_workers(args, optarg);
			break;
		case OPT_CHECK:
			args->check = optarg;
			break;
		case OPT_HELP:
			usage(stdout);
			exit(0);
		case OPT_VERSION:
			puts("headgated " HG_VERSION);
			exit(0);
		default:
			fputs("headgated --help says what there is\n", stderr);
			exit(EXIT_REFUSED);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "headgated: \"%s\" is not an option; see --help\n", argv[optind]);
		exit(EXIT_REFUSED);
	}
}

int hg_daemon_check_text(const char *device, const char *netns, char *ret_place,
			 struct hg_error *reterr)
{
	(void)ret_place;
	return hg_dev_check(device, netns, reterr);
}

int hg_daemon_check_place(const char *device, const char *netns, char *ret_place,
			  struct hg_error *reterr)
{
	int rc = hg_dev_check(device, netns, reterr);

	if (rc == 0 && ret_place != NULL)
		hg_dev_place(device, netns, ret_place);
	return rc;
}

static int check_file(const char *path)
{
	struct hg_desired *desired = NULL;
	struct hg_error error;
	char text[1024];
	int rc;

	hg_error_clear(&error);
	rc = hg_config_load_file(path, hg_daemon_check_place, &desired, &error);

	if (rc == 0)
		rc = hg_dp_check(desired, &error);
	if (rc < 0)
		fprintf(stderr, "%s\n", hg_config_error_format(&error, path, text, sizeof(text)));
	else
		puts(hg_config_summary(desired, text, sizeof(text)));
	hg_config_destroy(desired);
	return rc < 0 ? 1 : 0;
}

/* ---- what to start with ------------------------------------------------------------------------- */

int hg_daemon_read_config(struct hg_daemon *d, hg_config_device_fn check_device,
			  struct hg_desired **ret, struct hg_source *ret_source,
			  struct hg_error *reterr)
{
	char *text;
	size_t n_bytes;
	int rc = hg_config_read_now(d->args.config, &text, &n_bytes, reterr);

	if (rc < 0)
		return rc;
	rc = hg_config_parse(text, n_bytes, check_device, ret, reterr);
	if (rc == 0)
		*ret_source = hg_statefile_source(text, n_bytes);
	free(text);
	return rc;
}

/* The one rule: the state kept is used if it was made from the configuration file as it is now. */
static int choose_state(struct hg_daemon *d, struct hg_desired **ret, struct hg_error *reterr)
{
	struct hg_desired *kept;
	struct hg_error error;
	int rc = hg_daemon_read_config(d, hg_daemon_check_text, ret, &d->source, reterr);

	if (rc < 0 || d->args.state == NULL)
		return rc;
	hg_error_clear(&error);
	rc = hg_statefile_load(d->args.state, d->source, hg_daemon_check_text, &kept, &error);
	if (rc == 0) {
		if (!hg_config_equal(*ret, kept))
			hg_say(HG_LOG_NOTICE,
			       "starting from %s: it has changes made at run time, and %s has not "
			       "been "
			       "edited since",
			       d->args.state, d->args.config);
		hg_config_destroy(*ret);
		*ret = kept;
	} else if (rc == -HG_EAGAIN) {
		hg_say(HG_LOG_NOTICE,
		       "starting from %s: it was edited since %s was kept, and so it wins",
		       d->args.config, d->args.state);
	} else if (rc != -HG_ENOENT) {
		hg_say(HG_LOG_WARNING, "starting from %s: the state kept in %s cannot be used (%s)",
		       d->args.config, d->args.state, error.text);
	}
	return 0;
}

static int save_state(void *user, const struct hg_desired *desired, struct hg_error *reterr)
{
	const struct hg_daemon *d = user;

	if (d->args.state == NULL)
		return 0;
	return hg_statefile_save(d->args.state, d->source, desired, reterr);
}

/* ---- the loop ----------------------------------------------------------------------------------- */

static hg_ns stolen_ns(void *user)
{
	struct hg_daemon *d = user;
	struct hg_error error;
	hg_ns ns = 0;

	hg_error_clear(&error);
	if (hg_clock_stolen_ns("", &ns, &error) < 0 && !d->is_loud_about_stolen) {
		d->is_loud_about_stolen = true;
		hg_say(HG_LOG_WARNING, "%s; stolen processor time will not be noticed", error.text);
	}
	return ns;
}

/* Timers count in us, ours in ns: up, so that none comes before its time. */
static uint64_t to_us(hg_ns ns)
{
	return (uint64_t)(ns + 999) / 1000u;
}

static void arm(sd_event_source *timer, hg_ns at_ns)
{
	if (at_ns == HG_NEVER) {
		sd_event_source_set_enabled(timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(timer, to_us(at_ns));
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* After whatever happened: what is due is done, and the timers say when to look again. */
void hg_daemon_turn(struct hg_daemon *d)
{
	hg_ns now_ns = hg_clock_now_ns(), wait_ns;

	arm(d->tick_timer, hg_control_tick(d->control, now_ns));
	hg_quiet_turn(d);
	wait_ns = hg_http_timeout_ns(d->http);
	arm(d->http_timer, wait_ns == HG_NEVER ? HG_NEVER : now_ns + wait_ns);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *user)
{
	(void)source;
	(void)usec;
	hg_daemon_turn(user);
	return 0;
}

static int on_http_timer(sd_event_source *source, uint64_t usec, void *user)
{
	struct hg_daemon *d = user;

	(void)source;
	(void)usec;
	hg_http_run(d->http);
	hg_daemon_turn(d);
	return 0;
}

static int on_http(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct hg_daemon *d = user;

	(void)source;
	(void)fd;
	(void)events;
	hg_http_run(d->http);
	hg_daemon_turn(d);
	return 0;
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
	(void)info;
	(void)user;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void reload(struct hg_daemon *d)
{
	struct hg_source before = d->source;
	struct hg_desired *desired;
	struct hg_error error;

	hg_error_clear(&error);
	if (hg_daemon_read_config(d, hg_daemon_check_place, &desired, &d->source, &error) < 0) {
		hg_say_error(&error, d->args.config);
		log_line(NULL, HG_LOG_ERR, "the file was not taken; what was in force stays");
		return;
	}
	if (hg_control_apply(d->control, desired, 0, hg_clock_now_ns(), &error) < 0) {
		d->source = before;
		hg_say_error(&error, d->args.config);
		log_line(NULL, HG_LOG_ERR, "the file was not taken; what was in force stays");
	} else {
		hg_say(HG_LOG_NOTICE, "%s is in force", d->args.config);
	}
	hg_config_destroy(desired);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
	struct hg_daemon *d = user;

	(void)source;
	(void)info;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)to_us(hg_clock_now_ns()));
	reload(d);
	hg_daemon_turn(d);
	sd_notify(0, "READY=1");
	return 0;
}

static int set_up_loop(struct hg_daemon *d)
{
	const int far = 0; /* timers are armed by turn() */
	int rc;

	if ((rc = sd_event_default(&d->loop)) < 0 ||
	    (rc = sd_event_add_signal(d->loop, NULL, SIGTERM, on_end, d)) < 0 ||
	    (rc = sd_event_add_signal(d->loop, NULL, SIGINT, on_end, d)) < 0 ||
	    (rc = sd_event_add_signal(d->loop, NULL, SIGHUP, on_reload, d)) < 0 ||
	    (rc = sd_event_add_io(d->loop, NULL, hg_http_fd(d->http), EPOLLIN, on_http, d)) < 0 ||
	    (rc = sd_event_add_time(d->loop, &d->tick_timer, CLOCK_MONOTONIC, far, 1, on_tick, d)) <
		    0 ||
	    (rc = sd_event_add_time(d->loop, &d->http_timer, CLOCK_MONOTONIC, far, 1, on_http_timer,
				    d)) < 0 ||
	    (rc = hg_quiet_init(d)) < 0 || (rc = sd_event_set_watchdog(d->loop, true)) < 0) {
		hg_say(HG_LOG_ERR, "cannot set up the event loop: %s", strerror(-rc));
		return rc;
	}
	return 0;
}

/* ---- life --------------------------------------------------------------------------------------- */

int hg_daemon_open_http(struct hg_daemon *d, int listen_fd, struct hg_error *reterr)
{
	const struct hg_http_cfg cfg = {.socket_path = d->args.socket,
					.service = &d->service,
					.clock_ns = hg_clock_now_ns,
					.listen_fd = listen_fd};

	return hg_http_open(&cfg, &d->http, reterr);
}

static int create_parts(struct hg_daemon *d, struct hg_error *reterr)
{
	struct hg_dp_cfg dp_cfg;
	struct hg_control_cfg cfg = {
		.started_at_ns = hg_clock_now_ns(),
		.stolen_ns = stolen_ns,
		.log = log_line,
		.user = d,
	};
	int rc = 0;

	d->service = (struct hg_service){.check_device = hg_daemon_check_place,
					 .version = HG_VERSION,
					 .restart = &d->restart,
					 .begin_restart = hg_leave_begin,
					 .user = d};
	/* First the socket: where another daemon runs, its devices must not be touched. */
	if (d->take_fd < 0)
		rc = hg_daemon_open_http(d, -1, reterr);
	if (rc < 0)
		return rc;
	hg_dp_cfg_init(&dp_cfg);
	if (d->args.n_workers > 0)
		dp_cfg.n_workers = d->args.n_workers;
	rc = hg_dp_create(&dp_cfg, &d->dp, reterr);
	if (rc < 0)
		return rc;
	rc = hg_daemon_create_credits(d, reterr);
	if (rc < 0)
		return rc;
	cfg.dp = d->dp;
	cfg.credits = d->credits;
	rc = hg_control_create(&cfg, &d->control, reterr);
	if (rc < 0)
		return rc;
	d->service.control = d->control;
	return 0;
}

/* A plain start: devices are opened, and what the run before left is said. */
static int begin_alone(struct hg_daemon *d, const struct hg_desired *desired,
		       struct hg_error *reterr)
{
	hg_control_on_save(d->control, save_state, d);
	if (hg_http_was_left(d->http)) {
		d->restart.previous = HG_PREVIOUS_LOST;
		hg_say(HG_LOG_WARNING,
		       "the run before ended without handing over: what waited in its queues is "
		       "lost, at most one queue of each port");
	}
	return hg_control_begin(d->control, desired, hg_clock_now_ns(), reterr);
}

/* A planned restart: what the process before hands over is kept from here on. */
static int begin_in_place(struct hg_daemon *d, struct hg_error *reterr)
{
	struct hg_error error = {0};
	int rc = hg_take(d, reterr);

	if (rc < 0)
		return rc;
	hg_control_on_save(d->control, save_state, d);
	/* It is in force already: a full disk is told, and is no reason to end. */
	if (hg_control_save(d->control, &error) < 0)
		hg_say(HG_LOG_ERR, "%s; the state kept is older than what is in force", error.text);
	return 0;
}

static void note_times(struct hg_daemon *d, hg_ns read_at_ns, hg_ns created_at_ns)
{
	hg_ns now_ns = hg_clock_now_ns();

	d->restart.start = (struct hg_start_times){
		.config_ns = read_at_ns - d->began_at_ns,
		.lane_ns = created_at_ns - read_at_ns,
		.ports_ns = now_ns - created_at_ns,
		.total_ns = now_ns - d->began_at_ns,
	};
}

/* Whether the next start meets the same, unless somebody edits the file. */
static bool is_of_file(int rc)
{
	return rc != -HG_EIO && rc != -HG_ENOMEM && rc != -HG_EAGAIN;
}

/* Returns the exit code, 0 if it runs. */
static int start(struct hg_daemon *d)
{
	struct hg_desired *desired = NULL;
	struct hg_error error = {0};
	hg_ns read_at_ns, created_at_ns;
	int rc = hg_take_begin(d, &error), status = EXIT_FAILED;

	if (rc == 0) {
		rc = choose_state(d, &desired, &error);
		if (is_of_file(rc))
			status = EXIT_REFUSED;
	}
	if (rc < 0) {
		hg_take_refuse(d, &error);
		hg_say_error(&error, d->args.config);
		return status;
	}
	read_at_ns = hg_clock_now_ns();
	rc = create_parts(d, &error);
	created_at_ns = hg_clock_now_ns();
	if (rc < 0)
		hg_take_refuse(d, &error);
	else if (d->take_fd >= 0)
		rc = begin_in_place(d, &error);
	else
		rc = begin_alone(d, desired, &error);
	hg_config_destroy(desired);
	if (rc < 0) {
		hg_say_error(&error, NULL);
		return EXIT_FAILED;
	}
	note_times(d, read_at_ns, created_at_ns);
	return set_up_loop(d) < 0 ? EXIT_FAILED : 0;
}

static void stop(struct hg_daemon *d)
{
	hg_leave_fini(d);
	sd_event_source_unref(d->tick_timer);
	sd_event_source_unref(d->http_timer);
	sd_event_source_unref(d->quiet.timer);
	sd_event_unref(d->loop);
	hg_http_close(d->http);
	hg_control_destroy(d->control);
	hg_credits_destroy(d->credits);
	/* Guests keep their interfaces: the next start adopts them. */
	hg_dp_destroy(d->dp, /* keep_devices= */ true);
}

/* The folders of the defaults, so that a start by hand needs no preparation. */
static void make_folders(const struct hg_arguments *args)
{
	if (strcmp(args->socket, DEFAULT_SOCKET) == 0)
		(void)mkdir(DEFAULT_SOCKET_FOLDER, 0755);
	if (args->state != NULL && strcmp(args->state, DEFAULT_STATE) == 0)
		(void)mkdir(DEFAULT_STATE_FOLDER, 0750);
}

/* Balances lie beside the state, unless it is said otherwise. */
static void choose_credits(struct hg_arguments *args)
{
	static char path[4096];
	const char *slash;

	if (args->credits != NULL || args->state == NULL)
		return;
	slash = strrchr(args->state, '/');
	snprintf(path, sizeof(path), "%.*s" CREDITS_NAME,
		 slash == NULL ? 0 : (int)(slash + 1 - args->state), args->state);
	args->credits = path;
}

/* Before any thread starts, so that all of them inherit it: signals are for the event loop alone. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* As many as the hard limit allows: each virtual machine brings some, and nothing here uses select(2), for which the soft
 * limit is as low as it is. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static double ms(hg_ns ns)
{
	return (double)ns / 1e6;
}

int main(int argc, char **argv)
{
	struct hg_daemon d = {.began_at_ns = hg_clock_now_ns(),
			      .argv = argv,
			      .restart = {.pid = getpid()},
			      .take_fd = -1,
			      .leaving = {.fd = -1}};
	int status;

	parse_arguments(argc, argv, &d.args);
	if (d.args.check != NULL)
		return check_file(d.args.check);
	if (geteuid() != 0) {
		hg_say(HG_LOG_ERR,
		       "root is needed to open network interfaces; --check works without");
		return 1;
	}
	block_signals();
	raise_descriptors();
	hg_leave_note_program(&d);
	make_folders(&d.args);
	choose_credits(&d.args);
	status = start(&d);
	if (status == 0) {
		hg_say(HG_LOG_NOTICE,
		       "running after %.0f ms (configuration %.0f, packet lane %.0f, ports %.0f); "
		       "socket %s, state %s",
		       ms(d.restart.start.total_ns), ms(d.restart.start.config_ns),
		       ms(d.restart.start.lane_ns), ms(d.restart.start.ports_ns), d.args.socket,
		       d.args.state == NULL ? "not kept" : d.args.state);
		sd_notify(0, "READY=1\nSTATUS=keeping contracts");
		hg_daemon_turn(&d);
		status = sd_event_loop(d.loop) < 0 ? EXIT_FAILED : 0;
		if (!d.service.is_leaving)
			sd_notify(0, "STOPPING=1");
	}
	stop(&d);
	return status;
}
