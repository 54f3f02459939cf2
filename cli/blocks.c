#include "cli/blocks.h"

#include <stdlib.h>
#include <string.h>

enum { STATISTICS = 5, ENHANCED_PACKET = 6 };
enum { OPT_END = 0, OPT_COMMENT = 1, EPB_FLAGS = 2, ISB_IFDROP = 5 };
#define LEAST_BYTES 12u /* type, length, length */
#define PACKET_HEAD_BYTES 28u
#define STATISTICS_HEAD_BYTES 20u
#define OUTBOUND 2u

static uint32_t get32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static uint16_t get16(const uint8_t *bytes)
{
	uint16_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static size_t padded(size_t n)
{
	return (n + 3u) & ~(size_t)3u;
}

static void read_option(struct hg_block *b, uint16_t code, const uint8_t *value, size_t n)
{
	if (b->is_packet && code == EPB_FLAGS && n == 4)
		b->is_out = (get32(value) & 3u) == OUTBOUND;
	if (b->is_end && code == ISB_IFDROP && n == 8)
		memcpy(&b->missed_pkts, value, sizeof(b->missed_pkts));
	if (b->is_end && code == OPT_COMMENT) {
		n = n < sizeof(b->why) ? n : sizeof(b->why) - 1u;
		memcpy(b->why, value, n);
		b->why[n] = '\0';
	}
}

static void read_options(struct hg_block *b, size_t at)
{
	size_t end = b->n_bytes - 4u;

	while (at + 4u <= end) {
		uint16_t code = get16(b->bytes + at), n = get16(b->bytes + at + 2u);

		if (code == OPT_END || at + 4u + n > end)
			return;
		read_option(b, code, b->bytes + at + 4u, n);
		at += 4u + padded(n);
	}
}

static bool read_block(struct hg_block *b)
{
	uint32_t type = get32(b->bytes);

	b->is_packet = type == ENHANCED_PACKET;
	b->is_end = type == STATISTICS;
	if (b->is_packet) {
		if (b->n_bytes < PACKET_HEAD_BYTES + 4u)
			return false;
		b->at_ns = (uint64_t)get32(b->bytes + 12) << 32 | get32(b->bytes + 16);
		b->n_frame = get32(b->bytes + 20);
		b->total_bytes = get32(b->bytes + 24);
		b->frame = b->bytes + PACKET_HEAD_BYTES;
		if (b->n_frame > b->n_bytes - PACKET_HEAD_BYTES - 4u)
			return false;
		read_options(b, PACKET_HEAD_BYTES + padded(b->n_frame));
	} else if (b->is_end) {
		if (b->n_bytes < STATISTICS_HEAD_BYTES + 4u)
			return false;
		read_options(b, STATISTICS_HEAD_BYTES);
	}
	return true;
}

static bool add(struct hg_blocks *blocks, const void *bytes, size_t n)
{
	if (blocks->n + n > blocks->size) {
		size_t size = (blocks->n + n) * 2u;
		uint8_t *buf = realloc(blocks->buf, size);

		if (buf == NULL)
			return false;
		blocks->buf = buf;
		blocks->size = size;
	}
	memcpy(blocks->buf + blocks->n, bytes, n);
	blocks->n += n;
	return true;
}

bool hg_blocks_feed(struct hg_blocks *blocks, const void *bytes, size_t n)
{
	size_t at = 0;

	if (!add(blocks, bytes, n))
		return false;
	while (blocks->n - at >= LEAST_BYTES) {
		struct hg_block b = {.bytes = blocks->buf + at};

		b.n_bytes = get32(b.bytes + 4);
		if (b.n_bytes < LEAST_BYTES || b.n_bytes % 4u != 0 ||
		    b.n_bytes > HG_BLOCKS_MAX_BYTES)
			return false;
		if (b.n_bytes > blocks->n - at)
			break;
		if (!read_block(&b) || !blocks->on_block(blocks->user, &b))
			return false;
		at += b.n_bytes;
	}
	memmove(blocks->buf, blocks->buf + at, blocks->n - at);
	blocks->n -= at;
	return true;
}

void hg_blocks_fini(struct hg_blocks *blocks)
{
	free(blocks->buf);
	blocks->buf = NULL;
	blocks->n = blocks->size = 0;
}
