/* blocks: a capture's stream, cut into the blocks of pcapng.
 *
 * Why        What comes from the socket ends anywhere; a file that can be read, and a line for each packet, are
 *            made of whole blocks.
 * Model      Bytes are fed as they come; each whole block is handed on once, with what is in it.
 * Memory     One block, at most HG_BLOCKS_MAX_BYTES; it allocates. Threads: one.
 * Errors     What is no block ends it: feed says false.
 */
#ifndef HG_CLI_BLOCKS_H
#define HG_CLI_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Larger than any that headgate writes. */
#define HG_BLOCKS_MAX_BYTES (256u * 1024u)
#define HG_BLOCKS_TEXT_BYTES 200u

struct hg_block {
	const uint8_t *bytes; /* the whole block, as it is written to a file */
	size_t n_bytes;
	bool is_packet, is_end;
	/* Of a packet. */
	uint64_t at_ns; /* real time */
	bool is_out; /* what the instance sends */
	const uint8_t *frame;
	uint32_t n_frame, total_bytes; /* here; of the whole frame */
	/* Of the end. */
	uint64_t missed_pkts;
	char why[HG_BLOCKS_TEXT_BYTES];
};

/* Returns whether it is to go on. */
typedef bool (*hg_block_fn)(void *user, const struct hg_block *block);

struct hg_blocks {
	hg_block_fn on_block;
	void *user;
	uint8_t *buf;
	size_t n, size;
};

/* False: it was no block, there was no memory, or on_block said so. */
bool hg_blocks_feed(struct hg_blocks *blocks, const void *bytes, size_t n);
void hg_blocks_fini(struct hg_blocks *blocks);

#endif
