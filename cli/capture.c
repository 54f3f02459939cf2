/* The command that looks at packets: capture. */
#include "cli/blocks.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/packet_line.h"
#include "cli/table.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What the interface takes, and an instruction at its longest, with blanks escaped. */
#define INSNS_MAX 512u
#define INSN_BYTES 40u
#define PATH_BYTES (1024u + INSNS_MAX * INSN_BYTES)
/* What the filter is compiled for: as much as a frame can be. */
#define SNAPLEN 262144

struct output {
	const struct hg_cli *cli;
	FILE *file; /* NULL: a line for each packet */
	const char *file_name;
	int error; /* of writing */
	uint64_t n_pkts, missed_pkts;
	bool has_end;
	char why[HG_BLOCKS_TEXT_BYTES];
};

/* ---- what is asked ------------------------------------------------------------------------------ */

static bool add_parameter(char *path, char separator, const char *key, const char *value)
{
	size_t n = strlen(path);
	char escaped[256];

	hg_client_path(escaped, sizeof(escaped), "", value, "");
	return n + strlen(key) + strlen(escaped) + 3u < PATH_BYTES &&
	       (*value == '\0' || *escaped != '\0') &&
	       snprintf(path + n, PATH_BYTES - n, "%c%s=%s", separator, key, escaped) > 0;
}

static int fail_filter(const struct hg_cli *cli, const char *filter, const char *why)
{
	fprintf(cli->err, "headgate: the filter '%s' is wrong: %s\n", filter, why);
	return HG_EXIT_USAGE;
}

/* The filter as the interface takes it: compiled here, by libpcap, so that the daemon neither reads the language
 * nor waits for a name server. */
static int add_filter(const struct hg_cli *cli, const char *filter, char *path)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	struct bpf_program program = {0};
	int rc = HG_EXIT_DONE;
	size_t n = strlen(path);

	if (pcap == NULL || pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		rc = fail_filter(cli, filter, pcap == NULL ? "no memory" : pcap_geterr(pcap));
	} else if (program.bf_len > INSNS_MAX) {
		rc = fail_filter(cli, filter, "it is too long: at most 512 instructions");
	} else {
		n += (size_t)snprintf(path + n, PATH_BYTES - n, "&bpf=%u", program.bf_len);
		for (unsigned i = 0; i < program.bf_len; i++)
			n += (size_t)snprintf(path + n, PATH_BYTES - n, ",%u%%20%u%%20%u%%20%u",
					      program.bf_insns[i].code, program.bf_insns[i].jt,
					      program.bf_insns[i].jf, program.bf_insns[i].k);
	}
	pcap_freecode(&program);
	if (pcap != NULL)
		pcap_close(pcap);
	return rc;
}

static int make_path(const struct hg_cli *cli, char *path)
{
	static const char *const keys[] = {"direction", "count", "bytes", "seconds", "snaplen"};
	bool is_uplink = hg_cli_option(cli, "uplink") != NULL;
	const char *filter = hg_cli_option(cli, "filter");
	const char *direction = hg_cli_option(cli, "direction");

	hg_client_path(path, 512, is_uplink ? "/v1/uplinks/" : "/v1/ports/", cli->words[0],
		       "/capture");
	if (*path == '\0' ||
	    !add_parameter(path, '?', keys[0], direction == NULL ? "both" : direction))
		goto too_long;
	for (unsigned i = 1; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = hg_cli_option(cli, keys[i]);

		if (value != NULL && !add_parameter(path, '&', keys[i], value))
			goto too_long;
	}
	return filter == NULL || *filter == '\0' ? HG_EXIT_DONE : add_filter(cli, filter, path);
too_long:
	fputs("headgate: a name or a value is too long\n", cli->err);
	return HG_EXIT_USAGE;
}

/* ---- what comes --------------------------------------------------------------------------------- */

static void print_packet(const struct output *out, const struct hg_block *b)
{
	time_t second = (time_t)(b->at_ns / 1000000000u);
	char line[HG_PACKET_LINE_BYTES], clock[16];
	struct tm tm;

	localtime_r(&second, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	fprintf(out->cli->out, "%s.%06u %-3s %s %u\n", clock,
		(unsigned)(b->at_ns % 1000000000u / 1000u), b->is_out ? "out" : "in",
		hg_packet_line(line, b->frame, b->n_frame), b->total_bytes);
}

static bool on_block(void *user, const struct hg_block *b)
{
	struct output *out = user;
	FILE *file = out->file == NULL ? out->cli->out : out->file;

	out->n_pkts += b->is_packet;
	if (b->is_end) {
		out->has_end = true;
		out->missed_pkts = b->missed_pkts;
		snprintf(out->why, sizeof(out->why), "%s", b->why);
	}
	if (out->file != NULL)
		(void)fwrite(b->bytes, 1, b->n_bytes, file);
	else if (b->is_packet)
		print_packet(out, b);
	if (ferror(file))
		out->error = errno == 0 ? EIO : errno;
	return out->error == 0;
}

static bool on_bytes(void *user, const char *bytes, size_t n)
{
	struct hg_blocks *blocks = user;
	struct output *out = blocks->user;

	if (!hg_blocks_feed(blocks, bytes, n))
		return false;
	/* Whoever reads a pipe, or a terminal, wants to see packets when they come. */
	if (fflush(out->file == NULL ? out->cli->out : out->file) != 0)
		out->error = errno;
	return out->error == 0;
}

/* ---- the end ------------------------------------------------------------------------------------ */

static volatile sig_atomic_t reader_fd = -1;

/* Says to the daemon that enough was read; it answers with the end of the file. */
static void on_interrupt(int number)
{
	(void)number;
	if (reader_fd >= 0)
		(void)shutdown(reader_fd, SHUT_WR);
}

static void on_connected(void *user, int fd)
{
	/* The second one ends the command, whatever the daemon does. */
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

	(void)user;
	reader_fd = fd;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int summarize(const struct output *out, int rc)
{
	FILE *err = out->cli->err;

	reader_fd = -1;
	if (out->error != 0) {
		fprintf(err, "headgate: cannot write %s: %s\n", out->file_name,
			strerror(out->error));
		return HG_EXIT_FAILED;
	}
	if (rc != HG_EXIT_DONE)
		return rc;
	fprintf(err, "%llu packets", (unsigned long long)out->n_pkts);
	if (out->missed_pkts > 0)
		fprintf(err, ", %llu more were missed, since too much came at once",
			(unsigned long long)out->missed_pkts);
	fprintf(err, "; ended: %s\n", out->has_end ? out->why : "headgated went away");
	return out->has_end ? HG_EXIT_DONE : HG_EXIT_FAILED;
}

static int open_file(const struct hg_cli *cli, struct output *out)
{
	const char *name = hg_cli_option(cli, "write");
	bool is_stdout = name != NULL && strcmp(name, "-") == 0;

	out->file_name = name == NULL || is_stdout ? "standard output" : name;
	if (name == NULL)
		return HG_EXIT_DONE;
	if (is_stdout && cli->is_terminal) {
		fputs("headgate: a capture is not for a terminal; -w FILE writes one, without -w "
		      "each packet is a line\n",
		      cli->err);
		return HG_EXIT_USAGE;
	}
	out->file = is_stdout ? cli->out : fopen(name, "wb");
	if (out->file != NULL)
		return HG_EXIT_DONE;
	fprintf(cli->err, "headgate: cannot write %s: %s\n", name, strerror(errno));
	return HG_EXIT_FAILED;
}

/* A file that nothing came for is not left behind. */
static void close_file(struct output *out)
{
	if (out->file == NULL || out->file == out->cli->out)
		return;
	if (fclose(out->file) != 0 && out->error == 0)
		out->error = errno;
}

int hg_command_capture(const struct hg_cli *cli)
{
	struct output out = {.cli = cli};
	struct hg_blocks blocks = {.on_block = on_block, .user = &out};
	char *path = calloc(1, PATH_BYTES);
	struct hg_stream_ask ask = {
		.path = path, .on_bytes = on_bytes, .on_connected = on_connected, .user = &blocks};
	int rc;

	if (path == NULL) {
		fputs("headgate: no memory\n", cli->err);
		return HG_EXIT_FAILED;
	}
	rc = make_path(cli, path);
	if (rc == HG_EXIT_DONE)
		rc = open_file(cli, &out);
	if (rc == HG_EXIT_DONE) {
		rc = hg_client_stream(cli, &ask);
		close_file(&out);
		rc = summarize(&out, rc);
	}
	hg_blocks_fini(&blocks);
	free(path);
	return rc;
}
