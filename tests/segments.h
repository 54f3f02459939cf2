/* segments: random segments for tests, in all the kinds that there are.
 *
 * Why        Whatever takes a segment apart is to be tested on the same ones.
 * Model      A shape is drawn from a seed, and written into a frame (tests/frames.h).
 */
#ifndef HG_TESTS_SEGMENTS_H
#define HG_TESTS_SEGMENTS_H

#include "tests/frames.h"
#include "tests/harness.h"

struct segment_shape {
	bool is_ip4, is_tcp, has_extension;
	uint32_t n_tags, n_ip_options, n_tcp_options, n_payload, gso_bytes;
	uint8_t flags;
};

static inline void segment_make(struct frame *f, const struct segment_shape *s, uint8_t seed)
{
	uint8_t dst[6], src[6], proto = s->is_tcp ? HG_IP_TCP : HG_IP_UDP;

	frame_mac(dst, 2);
	frame_mac(src, 1);
	frame_eth(f, dst, src);
	for (uint32_t i = 0; i < s->n_tags; i++)
		frame_tag(f, HG_ETHERTYPE_VLAN, 10 + i);
	if (s->is_ip4) {
		frame_ip4(f, proto, s->n_ip_options);
	} else {
		frame_ip6(f, s->has_extension ? HG_IP_DEST_OPTIONS : proto);
		if (s->has_extension)
			frame_extension(f, proto, 16);
	}
	if (s->is_tcp)
		frame_tcp(f, s->flags, s->n_tcp_options);
	else
		frame_udp(f);
	frame_payload(f, s->n_payload, seed);
	frame_finish(f);
}

static inline struct segment_shape segment_random_shape(uint64_t *seed)
{
	struct segment_shape s = {
		.is_ip4 = hg_test_between(seed, 0, 1),
		.is_tcp = hg_test_between(seed, 0, 3) > 0,
		.has_extension = hg_test_between(seed, 0, 1),
		.n_tags = (uint32_t)hg_test_between(seed, 0, 2),
		.n_ip_options = 4u * (uint32_t)hg_test_between(seed, 0, 10),
		.n_tcp_options = 4u * (uint32_t)hg_test_between(seed, 0, 10),
		.flags = (uint8_t)hg_test_random(seed),
	};

	s.n_payload = (uint32_t)hg_test_between(seed, 48, hg_test_between(seed, 100, 65000));
	s.gso_bytes = (uint32_t)hg_test_between(
		seed, 48, s.n_payload < 9000 ? s.n_payload : hg_test_between(seed, 100, 9000));
	return s;
}

#endif
