#include "api/pcapng.h"

#include <stdio.h>
#include <string.h>

/* Types of blocks and codes of options, as the draft numbers them. */
enum { SECTION_HEADER = 0x0a0d0d0a, INTERFACE = 1, STATISTICS = 5, ENHANCED_PACKET = 6 };
enum {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_OS = 3,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	EPB_FLAGS = 2,
	ISB_STARTTIME = 2,
	ISB_ENDTIME = 3,
	ISB_IFDROP = 5,
	ISB_FILTERACCEPT = 6,
	ISB_USRDELIV = 8,
};
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_ETHERNET 1u
#define RESOLUTION_NS 9u /* ten to the minus ninth */
#define INBOUND 1u
#define OUTBOUND 2u

/* A block while it is written. */
struct block {
	uint8_t *buf;
	size_t n;
};

static void put(struct block *b, const void *bytes, size_t n)
{
	memcpy(b->buf + b->n, bytes, n);
	b->n += n;
}

static void put16(struct block *b, uint32_t value)
{
	uint16_t v = (uint16_t)value;

	put(b, &v, sizeof(v));
}

static void put32(struct block *b, uint32_t value)
{
	put(b, &value, sizeof(value));
}

static void pad(struct block *b)
{
	static const uint8_t zeros[4];

	put(b, zeros, (4u - b->n % 4u) % 4u);
}

/* The high half first, whatever the order of the machine. */
static void put_instant(struct block *b, hg_ns at_ns)
{
	put32(b, (uint32_t)((uint64_t)at_ns >> 32));
	put32(b, (uint32_t)at_ns);
}

static void option(struct block *b, uint32_t code, const void *bytes, size_t n)
{
	put16(b, code);
	put16(b, (uint32_t)n);
	put(b, bytes, n);
	pad(b);
}

static void option_text(struct block *b, uint32_t code, const char *text)
{
	size_t n = strlen(text);

	if (n > 0)
		option(b, code, text, n < HG_PCAPNG_TEXT_BYTES ? n : HG_PCAPNG_TEXT_BYTES);
}

static void option_count(struct block *b, uint32_t code, uint64_t value)
{
	option(b, code, &value, sizeof(value));
}

static void option_instant(struct block *b, uint32_t code, hg_ns at_ns)
{
	put16(b, code);
	put16(b, 8);
	put_instant(b, at_ns);
}

static struct block begin(uint8_t *buf, uint32_t type)
{
	struct block b = {.buf = buf};

	put32(&b, type);
	put32(&b, 0); /* the length, when it is known */
	return b;
}

static size_t finish(struct block *b)
{
	uint32_t n_bytes;

	put32(b, OPT_END);
	n_bytes = (uint32_t)b->n + 4u;
	put32(b, n_bytes);
	memcpy(b->buf + 4, &n_bytes, sizeof(n_bytes));
	return b->n;
}

size_t hg_pcapng_begin(uint8_t *buf, const struct hg_pcapng_head *head)
{
	static const uint8_t resolution = RESOLUTION_NS;
	struct block b = begin(buf, SECTION_HEADER);
	char name[64];
	size_t n;

	put32(&b, BYTE_ORDER_MAGIC);
	put16(&b, 1); /* version 1.0 */
	put16(&b, 0);
	put32(&b, UINT32_MAX); /* the section's length: not known */
	put32(&b, UINT32_MAX);
	option_text(&b, SHB_OS, "Linux");
	snprintf(name, sizeof(name), "headgate %.40s", head->version);
	option_text(&b, SHB_USERAPPL, name);
	n = finish(&b);

	b = begin(buf + n, INTERFACE);
	put16(&b, LINKTYPE_ETHERNET);
	put16(&b, 0);
	put32(&b, head->snap_bytes);
	option_text(&b, IF_NAME, head->name);
	option_text(&b, IF_DESCRIPTION, head->device);
	option(&b, IF_TSRESOL, &resolution, 1);
	return n + finish(&b);
}

static void comment_on_offload(struct block *b, const struct hg_capture_pkt *pkt)
{
	char text[HG_PCAPNG_TEXT_BYTES];

	if (pkt->gso_bytes > 0)
		snprintf(
			text, sizeof(text),
			"a segment as it travels, to be split into packets of %u bytes of payload; "
			"its checksum is left to do",
			pkt->gso_bytes);
	else
		snprintf(text, sizeof(text), "the checksum is left to do");
	option_text(b, OPT_COMMENT, text);
}

size_t hg_pcapng_packet(uint8_t *buf, const struct hg_capture_pkt *pkt)
{
	struct block b = begin(buf, ENHANCED_PACKET);
	uint32_t flags = pkt->dir == HG_OUT ? OUTBOUND : INBOUND;

	put32(&b, 0); /* the one interface */
	put_instant(&b, pkt->at_ns);
	put32(&b, pkt->n_bytes);
	put32(&b, pkt->total_bytes);
	put(&b, pkt->bytes, pkt->n_bytes);
	pad(&b);
	option(&b, EPB_FLAGS, &flags, sizeof(flags));
	if (pkt->needs_csum || pkt->gso_bytes > 0)
		comment_on_offload(&b, pkt);
	return finish(&b);
}

size_t hg_pcapng_finish(uint8_t *buf, const struct hg_pcapng_end *end)
{
	struct block b = begin(buf, STATISTICS);

	put32(&b, 0);
	put_instant(&b, end->ended_at_ns);
	option_text(&b, OPT_COMMENT, end->why);
	option_instant(&b, ISB_STARTTIME, end->began_at_ns);
	option_instant(&b, ISB_ENDTIME, end->ended_at_ns);
	option_count(&b, ISB_IFDROP, end->missed_pkts);
	option_count(&b, ISB_FILTERACCEPT, end->passed_pkts);
	option_count(&b, ISB_USRDELIV, end->written_pkts);
	return finish(&b);
}
