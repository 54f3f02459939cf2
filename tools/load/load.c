#include "tools/load/load.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t hg_load_is_over;

static const char usage[] =
	"hgload MODE ADDRESS:PORT [options]\n"
	"  serve      answer exchanges on that address\n"
	"  flood      streams that send as fast as they can; --reverse: that receive\n"
	"  rr         exchanges one after another, each timed\n"
	"  wake       silence, one small exchange (timed), a burst (its rate)\n"
	"  seq-send   numbered UDP datagrams at an even rate\n"
	"  seq-recv   receive them and say which are missing\n"
	"options (defaults)\n"
	"  --seconds N (10)  --streams N (1)  --reverse\n"
	"  --congestion NAME (the namespace's)                             TCP\n"
	"  --slice-ms N: for so long after each SIGUSR1                    rr, wake\n"
	"  --request-bytes N (64)  --response-bytes N (64)  --pause-us N (0)     rr\n"
	"  --idle-ms N (500)  --burst-bytes N (4000000)                        wake\n"
	"  --pkts-per-s N (10000)  --request-bytes N (64)                  seq-send\n"
	"Prints one JSON object a second, and a last one with \"total\": true.\n";

static const char *const mode_names[] = {"serve", "flood", "rr", "wake", "seq-send", "seq-recv"};

int64_t hg_load_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * HG_LOAD_NS_PER_S + t.tv_nsec;
}

static void stop(int signal_number)
{
	(void)signal_number;
	hg_load_is_over = 1;
}

static void wrong_use(const char *why)
{
	fprintf(stderr, "hgload: %s\n%s", why, usage);
	exit(2);
}

static uint64_t number(const char *text, uint64_t lo, uint64_t hi)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value < lo || value > hi) {
		fprintf(stderr, "hgload: %s is not a number in [%llu, %llu]\n", text,
			(unsigned long long)lo, (unsigned long long)hi);
		exit(2);
	}
	return value;
}

static void parse_address(char *text, struct sockaddr_in *ret_address)
{
	char *colon = strrchr(text, ':');

	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sin_family = AF_INET;
	if (colon == NULL)
		wrong_use("the address needs a port: 10.0.0.1:5001");
	*colon = '\0';
	ret_address->sin_port = htons((uint16_t)number(colon + 1, 1, 65535));
	if (inet_pton(AF_INET, text, &ret_address->sin_addr) != 1)
		wrong_use("not an IPv4 address");
}

static void parse_options(int argc, char **argv, struct hg_load_cfg *cfg)
{
	enum { SECONDS, STREAMS, REVERSE, REQUEST, RESPONSE, PAUSE, IDLE, BURST, PKTS, CC, SLICE };
	static const struct option options[] = {
		{"seconds", required_argument, NULL, SECONDS},
		{"streams", required_argument, NULL, STREAMS},
		{"reverse", no_argument, NULL, REVERSE},
		{"request-bytes", required_argument, NULL, REQUEST},
		{"response-bytes", required_argument, NULL, RESPONSE},
		{"pause-us", required_argument, NULL, PAUSE},
		{"idle-ms", required_argument, NULL, IDLE},
		{"burst-bytes", required_argument, NULL, BURST},
		{"pkts-per-s", required_argument, NULL, PKTS},
		{"congestion", required_argument, NULL, CC},
		{"slice-ms", required_argument, NULL, SLICE},
		{0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case SECONDS:
			cfg->seconds = (unsigned)number(optarg, 1, 86400);
			break;
		case STREAMS:
			cfg->n_streams = (unsigned)number(optarg, 1, HG_LOAD_STREAMS_MAX);
			break;
		case REVERSE:
			cfg->is_reversed = true;
			break;
		case REQUEST:
			cfg->request_bytes = number(optarg, 1, UINT32_MAX);
			break;
		case RESPONSE:
			cfg->response_bytes = number(optarg, 1, UINT32_MAX);
			break;
		case PAUSE:
			cfg->idle_ns = (int64_t)number(optarg, 0, 60000000) * 1000;
			break;
		case IDLE:
			cfg->idle_ns = (int64_t)number(optarg, 0, 60000) * 1000000;
			break;
		case BURST:
			cfg->burst_bytes = number(optarg, 1, UINT32_MAX);
			break;
		case PKTS:
			cfg->pkts_per_s = (unsigned)number(optarg, 1, 10000000);
			break;
		case CC:
			cfg->congestion = optarg;
			break;
		case SLICE:
			cfg->slice_ns = (int64_t)number(optarg, 1, 60000) * 1000000;
			break;
		default:
			wrong_use("unknown option");
		}
	}
}

static int run(const struct hg_load_cfg *cfg)
{
	switch (cfg->mode) {
	case HG_LOAD_SERVE:
		return hg_exchange_serve(cfg);
	case HG_LOAD_SEQ_SEND:
		return hg_sequence_send(cfg);
	case HG_LOAD_SEQ_RECV:
		return hg_sequence_receive(cfg);
	default:
		return hg_exchange_run(cfg);
	}
}

int main(int argc, char **argv)
{
	struct hg_load_cfg cfg = {.seconds = 10,
				  .n_streams = 1,
				  .request_bytes = 64,
				  .response_bytes = 64,
				  .burst_bytes = 4000000,
				  .pkts_per_s = 10000};
	struct sigaction action = {.sa_handler = stop};
	unsigned mode = 0;

	if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc < 3)
		wrong_use("needs a mode and an address");
	while (mode < sizeof(mode_names) / sizeof(*mode_names) &&
	       strcmp(argv[1], mode_names[mode]) != 0)
		mode++;
	if (mode == sizeof(mode_names) / sizeof(*mode_names))
		wrong_use("no such mode");
	cfg.mode = (enum hg_load_mode)mode;
	if (cfg.mode == HG_LOAD_WAKE)
		cfg.idle_ns = HG_LOAD_NS_PER_S / 2;
	parse_address(argv[2], &cfg.address);
	parse_options(argc - 2, argv + 2, &cfg);
	if (cfg.slice_ns > 0 && cfg.mode != HG_LOAD_RR && cfg.mode != HG_LOAD_WAKE)
		wrong_use("only rr and wake are told when");

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Never outlive whoever measures with us, however that one ends. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setvbuf(stdout, NULL, _IOLBF, 0);
	return run(&cfg);
}
