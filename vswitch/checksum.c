#include "vswitch/checksum.h"

#include "vswitch/bytes.h"

#include <string.h>

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffffu) + (sum >> 16);
	return (uint32_t)sum;
}

uint32_t hg_checksum_sum(const uint8_t *bytes, uint32_t n)
{
	uint64_t sum = 0;
	uint32_t n_words = n / 4u, word;
	uint16_t folded;
	uint8_t result[2], tail[4] = {0};

	/* In the machine's own order: byte order does not matter to a ones' complement sum until its end. */
	for (uint32_t i = 0; i < n_words; i++) {
		memcpy(&word, bytes + 4u * i, 4);
		sum += word;
	}
	memcpy(tail, bytes + 4u * n_words, n % 4u);
	memcpy(&word, tail, 4);
	folded = (uint16_t)fold(sum + word);
	memcpy(result, &folded, 2);
	return hg_bytes_get16(result);
}

uint32_t hg_checksum_sum_chain(const struct hg_pkt *pkt, uint32_t offset)
{
	uint64_t sum = 0;
	bool is_odd = false; /* a buffer that begins in the middle of a word counts swapped */

	for (; pkt != NULL; pkt = pkt->next) {
		uint32_t n_here, part;

		if (offset >= pkt->n_bytes) {
			offset -= pkt->n_bytes;
			continue;
		}
		n_here = pkt->n_bytes - offset;
		part = hg_checksum_sum(pkt->data + offset, n_here);
		sum += is_odd ? (part & 0xffu) << 8 | part >> 8 : part;
		is_odd ^= (n_here & 1u) != 0;
		offset = 0;
	}
	return fold(sum);
}

void hg_checksum_complete(struct hg_pkt *pkt)
{
	uint16_t csum;

	if ((pkt->flags & HG_PKT_NEEDS_CSUM) == 0)
		return;
	csum = hg_checksum_finish(hg_checksum_sum_chain(pkt, pkt->csum_start));
	hg_bytes_put16(pkt->data + pkt->csum_start + pkt->csum_offset, csum != 0 ? csum : 0xffffu);
	pkt->flags &= (uint8_t)~HG_PKT_NEEDS_CSUM;
	pkt->flags |= HG_PKT_CSUM_VALID;
}
