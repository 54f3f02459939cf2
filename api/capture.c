#include "api/capture.h"

#include "api/pcapng.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_MAX UINT64_C(1000000000000)
/* Room for the two blocks at the front, one packet of its headers and the statistics. */
#define BYTES_MIN 4096u
#define BYTES_MAX (UINT64_C(1) << 40)
#define SECONDS_MAX 86400u
/* What tcpdump takes for "all of it". */
#define SNAPLEN_MAX 262144u

struct hg_capture_stream {
	struct hg_control *control;
	struct hg_capture *capture;
	hg_ns began_at_ns, until_ns; /* on the control lane's clock */
	uint64_t max_count, max_bytes; /* count 0: none */
	uint64_t n_pkts, n_bytes; /* written */
	const char *why; /* it ends, or ended; NULL: it goes on */
	bool is_full; /* one more packet would be too many bytes */
	bool is_finished; /* the statistics were written */
	size_t n_block, n_given; /* bytes of the block, and of them read */
	uint8_t block[HG_PCAPNG_MAX_BYTES];
};

/* ---- parameters --------------------------------------------------------------------------------- */

static const char *parameter(const struct hg_capture_ask *ask, const char *key)
{
	return ask->parameter == NULL ? NULL : ask->parameter(ask->user, key);
}

/* A number, or where it has a unit what `parse` makes of it. */
static bool read_digits(const char *text, uint64_t *ret)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; text[n] >= '0' && text[n] <= '9' && n < 18u; n++)
		value = value * 10u + (uint64_t)(text[n] - '0');
	if (n == 0 || text[n] != '\0')
		return false;
	*ret = value;
	return true;
}

struct number {
	const char *key;
	uint64_t lo, hi;
	bool is_size; /* it may have a unit */
};

static int read_number(const struct hg_capture_ask *ask, const struct number *number, uint64_t *ret,
		       struct hg_error *reterr)
{
	const char *text = parameter(ask, number->key);
	struct hg_error ignored = {0};
	char sentence[HG_ERROR_TEXT_BYTES];
	struct hg_text out;
	uint64_t value = 0;

	if (text == NULL)
		return 0;
	if ((read_digits(text, &value) ||
	     (number->is_size && hg_size_parse(text, &value, &ignored) == 0)) &&
	    value >= number->lo && value <= number->hi) {
		*ret = value;
		return 0;
	}
	hg_text_init(&out, sentence, sizeof(sentence));
	hg_text_add(&out, number->key);
	hg_text_add(&out, " is a number in [");
	hg_text_add_u64(&out, number->lo);
	hg_text_add(&out, ", ");
	hg_text_add_u64(&out, number->hi);
	hg_text_add(&out, number->is_size ? "], or a size such as 10MiB, not " : "], not ");
	hg_text_add_quoted(&out, text);
	return hg_error_set(reterr, -HG_EINVAL, sentence, NULL);
}

static int read_direction(const struct hg_capture_ask *ask, enum hg_watch *ret,
			  struct hg_error *reterr)
{
	static const char *const words[HG_N_WATCHES] = {"both", "out", "in"};
	const char *text = parameter(ask, "direction");
	char quoted[64];
	struct hg_text out;

	if (text == NULL)
		return 0;
	for (unsigned i = 0; i < HG_N_WATCHES; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret = (enum hg_watch)i;
			return 0;
		}
	}
	hg_text_init(&out, quoted, sizeof(quoted));
	hg_text_add_quoted(&out, text);
	return hg_error_set(reterr, -HG_EINVAL, "direction is both, out or in, not ", quoted, NULL);
}

/* The next number of a program, behind blanks; false: there is none in [0, hi]. */
static bool next_number(const char **at, uint64_t hi, uint64_t *ret)
{
	const char *c = *at;
	uint64_t value = 0;

	while (*c == ' ' || *c == '\n')
		c++;
	if (*c < '0' || *c > '9')
		return false;
	for (; *c >= '0' && *c <= '9' && value <= hi; c++)
		value = value * 10u + (uint64_t)(*c - '0');
	*at = c;
	*ret = value;
	return value <= hi;
}

static bool next_insn(const char **at, struct hg_capture_insn *ret)
{
	uint64_t code = 0, jump_true = 0, jump_false = 0, k = 0;

	if (!next_number(at, UINT16_MAX, &code) || !next_number(at, UINT8_MAX, &jump_true) ||
	    !next_number(at, UINT8_MAX, &jump_false) || !next_number(at, UINT32_MAX, &k))
		return false;
	*ret = (struct hg_capture_insn){(uint16_t)code, (uint8_t)jump_true, (uint8_t)jump_false,
					(uint32_t)k};
	return true;
}

static int read_program(const struct hg_capture_ask *ask, struct hg_capture_cfg *cfg,
			struct hg_error *reterr)
{
	const char *at = parameter(ask, "bpf");
	uint64_t n = 0;

	if (at == NULL)
		return 0;
	if (!next_number(&at, HG_CAPTURE_INSNS_MAX, &n) || n == 0)
		return hg_error_set(reterr, -HG_EINVAL,
				    "bpf begins with the number of its instructions, 1 to 512",
				    NULL);
	for (uint32_t i = 0; i < n; i++) {
		at += *at == ',';
		if (!next_insn(&at, &cfg->insns[i]))
			return hg_error_set(reterr, -HG_EINVAL,
					    "bpf has fewer instructions than it says, or one that "
					    "is not 'code jt jf k'",
					    NULL);
	}
	while (*at == ',' || *at == '\n' || *at == ' ')
		at++;
	if (*at != '\0')
		return hg_error_set(reterr, -HG_EINVAL,
				    "bpf goes on behind the instructions that it says it has",
				    NULL);
	cfg->n_insns = (uint32_t)n;
	return 0;
}

static int read_parameters(const struct hg_capture_ask *ask, struct hg_capture_stream *s,
			   struct hg_capture_cfg *cfg, struct hg_error *reterr)
{
	static const struct number count = {"count", 1, COUNT_MAX, false};
	static const struct number bytes = {"bytes", BYTES_MIN, BYTES_MAX, true};
	static const struct number seconds = {"seconds", 1, SECONDS_MAX, false};
	static const struct number snaplen = {"snaplen", 0, SNAPLEN_MAX, false};
	uint64_t for_s = HG_CAPTURE_SECONDS, snap = 0;
	int rc = read_direction(ask, &cfg->watch, reterr);

	s->max_bytes = HG_CAPTURE_BYTES;
	if (rc < 0 || (rc = read_number(ask, &count, &s->max_count, reterr)) < 0 ||
	    (rc = read_number(ask, &bytes, &s->max_bytes, reterr)) < 0 ||
	    (rc = read_number(ask, &seconds, &for_s, reterr)) < 0 ||
	    (rc = read_number(ask, &snaplen, &snap, reterr)) < 0 ||
	    (rc = read_program(ask, cfg, reterr)) < 0)
		return rc;
	cfg->snap_bytes =
		snap == 0 || snap > HG_FRAME_MAX_BYTES ? HG_FRAME_MAX_BYTES : (uint32_t)snap;
	s->until_ns = s->began_at_ns + (hg_ns)for_s * HG_NS_PER_S;
	return 0;
}

/* ---- life --------------------------------------------------------------------------------------- */

static void begin_file(struct hg_capture_stream *s, const struct hg_capture_ask *ask,
		       uint32_t snap_bytes)
{
	const struct hg_desired *d = hg_control_desired(s->control);
	struct hg_pcapng_head head = {.version = ask->version, .snap_bytes = snap_bytes};

	if (ask->is_uplink) {
		head.name = d->uplinks[ask->idx].name;
		head.device = d->uplinks[ask->idx].device;
	} else {
		head.name = d->ports[ask->idx].name;
		head.device = d->ports[ask->idx].device;
	}
	s->n_block = hg_pcapng_begin(s->block, &head);
	s->n_bytes = s->n_block;
}

int hg_capture_stream_open(struct hg_control *control, const struct hg_capture_ask *ask,
			   hg_ns now_ns, struct hg_capture_stream **ret_stream,
			   struct hg_error *reterr)
{
	struct hg_capture_stream *s = calloc(1, sizeof(*s));
	struct hg_capture_cfg *cfg = calloc(1, sizeof(*cfg));
	struct hg_text who;
	int rc;

	if (s == NULL || cfg == NULL) {
		rc = hg_error_set(reterr, -HG_ENOMEM, "no memory for a capture", NULL);
		goto out;
	}
	s->control = control;
	s->began_at_ns = now_ns;
	hg_text_init(&who, cfg->who, sizeof(cfg->who));
	hg_text_add(&who, ask->who);
	rc = read_parameters(ask, s, cfg, reterr);
	if (rc == 0)
		rc = hg_control_capture_open(control, ask->is_uplink, ask->idx, cfg, &s->capture,
					     reterr);
	if (rc < 0)
		goto out;
	begin_file(s, ask, cfg->snap_bytes);
	*ret_stream = s;
	s = NULL;
out:
	free(cfg);
	free(s);
	return rc;
}

void hg_capture_stream_close(struct hg_capture_stream *stream)
{
	if (stream == NULL)
		return;
	hg_control_capture_close(stream->control, stream->capture);
	free(stream);
}

/* ---- reading ------------------------------------------------------------------------------------ */

void hg_capture_stream_end(struct hg_capture_stream *stream, const char *why)
{
	if (stream->why != NULL)
		return;
	stream->why = why;
	hg_control_capture_stop(stream->control, stream->capture);
}

bool hg_capture_stream_is_over(const struct hg_capture_stream *stream)
{
	return stream->is_finished && stream->n_given == stream->n_block;
}

/* Ends it if it is time to. */
static void look(struct hg_capture_stream *s, hg_ns now_ns)
{
	struct hg_capture_stats stats;

	hg_control_capture_sample(s->capture, &stats);
	if (stats.ended != NULL)
		hg_capture_stream_end(s, stats.ended);
	else if (now_ns >= s->until_ns)
		hg_capture_stream_end(s, "its time is over");
}

static void finish(struct hg_capture_stream *s, hg_ns now_ns)
{
	struct hg_pcapng_end end = {.written_pkts = s->n_pkts, .why = s->why};
	struct hg_capture_stats stats;

	hg_control_capture_sample(s->capture, &stats);
	end.began_at_ns = s->began_at_ns + stats.real_ns;
	end.ended_at_ns = now_ns + stats.real_ns;
	end.passed_pkts = stats.passed_pkts;
	end.missed_pkts = stats.missed_pkts;
	s->n_block = hg_pcapng_finish(s->block, &end);
	s->n_given = 0;
	s->is_finished = true;
}

/* Room that is kept for the statistics. */
#define FINISH_BYTES 512u

/* The next packet into the block; false: there is none, or it passes a limit. */
static bool next_packet(struct hg_capture_stream *s)
{
	struct hg_capture_pkt pkt;
	size_t n;

	if (s->is_full || (s->max_count > 0 && s->n_pkts == s->max_count) ||
	    !hg_control_capture_peek(s->capture, &pkt))
		return false;
	n = hg_pcapng_packet(s->block, &pkt);
	if (s->n_bytes + n + FINISH_BYTES > s->max_bytes) {
		hg_capture_stream_end(s, "the file is as large as it may be");
		s->is_full = true;
		return false;
	}
	hg_control_capture_take(s->capture);
	s->n_block = n;
	s->n_given = 0;
	s->n_bytes += n;
	if (++s->n_pkts == s->max_count)
		hg_capture_stream_end(s, "the number of packets is reached");
	return true;
}

/* The next block, if there is one. */
static bool next_block(struct hg_capture_stream *s, hg_ns now_ns)
{
	if (s->is_finished)
		return false;
	/* A busy port always has a next packet. */
	if (now_ns >= s->until_ns)
		look(s, now_ns);
	if (next_packet(s))
		return true;
	look(s, now_ns);
	if (s->why == NULL)
		return false;
	/* What came since, before it ended. */
	if (!next_packet(s))
		finish(s, now_ns);
	return true;
}

size_t hg_capture_stream_read(struct hg_capture_stream *stream, char *buf, size_t n, hg_ns now_ns)
{
	size_t n_got = 0;

	while (n_got < n) {
		size_t n_here = stream->n_block - stream->n_given;

		if (n_here == 0) {
			if (!next_block(stream, now_ns))
				break;
			continue;
		}
		if (n_here > n - n_got)
			n_here = n - n_got;
		memcpy(buf + n_got, stream->block + stream->n_given, n_here);
		stream->n_given += n_here;
		n_got += n_here;
	}
	return n_got;
}

bool hg_capture_stream_is_ready(struct hg_capture_stream *stream, hg_ns now_ns)
{
	struct hg_capture_pkt pkt;

	if (stream->is_finished || stream->n_given < stream->n_block)
		return true;
	look(stream, now_ns);
	return stream->why != NULL || hg_control_capture_peek(stream->capture, &pkt);
}
