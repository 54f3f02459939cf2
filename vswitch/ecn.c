#include "vswitch/ecn.h"

#include "vswitch/bytes.h"
#include "vswitch/checksum.h"

bool hg_ecn_mark(struct hg_pkt *pkt)
{
	uint8_t *ip = pkt->data + pkt->l3_offset;

	if ((pkt->l3 != HG_L3_IP4 && pkt->l3 != HG_L3_IP6) || !hg_ecn_is_capable(pkt))
		return false;
	if (pkt->l3 == HG_L3_IP4) {
		uint32_t old = hg_bytes_get16(ip), sum = hg_bytes_get16(ip + 10);

		ip[1] |= HG_ECN_CE;
		/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). */
		sum = (~sum & 0xffffu) + (~old & 0xffffu) + hg_bytes_get16(ip);
		hg_bytes_put16(ip + 10, hg_checksum_finish(sum));
	} else {
		ip[1] |= HG_ECN_CE << 4;
	}
	pkt->tos |= HG_ECN_CE;
	return true;
}
