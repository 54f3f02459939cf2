/* path_frame: the frame that all switches of bench/path.py forward: 64 bytes with the check sequence, UDP over IPv4,
 * of instance 0 to somebody outside. The ports are what flows differ in; the sum over them is left out, as UDP allows.
 */
#ifndef HG_BENCH_PATH_FRAME_H
#define HG_BENCH_PATH_FRAME_H

#include <stdint.h>
#include <string.h>

enum {
	PATH_FRAME_BYTES = 60,
	PATH_DST_AT = 2, /* the number of an instance in the address that it goes to */
	PATH_SRC_AT = 8, /* likewise in the one that it comes from */
	PATH_ADDRESS_AT = 26, /* of who sends */
	PATH_FLOW_AT = 34, /* the ports */
};

/* As bytes of the addresses, 02:00:NN:NN:NN:NN and 10.0.0.1 on; outside: 06:00:00:00:00:01, 10.255.0.1. */
static inline void path_frame(uint8_t frame[PATH_FRAME_BYTES], uint32_t instance)
{
	static const uint8_t first[PATH_FRAME_BYTES] = {
		6,    0, 0, 0,  0,    1,    2, 0, 0,  0,  0, 0, 8, 0, /* Ethernet */
		0x45, 0, 0, 46, 0x12, 0x34, 0, 0, 64, 17, 0, 0, /* IPv4 */
		10,   0, 0, 0,  10,   255,  0, 1, /* from, to */
		0,    0, 0, 0,  0,    26,   0, 0, /* UDP: ports, length, no sum */
	};
	uint32_t sum = 0;

	memcpy(frame, first, PATH_FRAME_BYTES);
	for (unsigned i = 0; i < 4; i++) {
		uint32_t shift = 24u - 8u * i;

		frame[PATH_SRC_AT + i] = (uint8_t)(instance >> shift);
		frame[PATH_ADDRESS_AT + i] = (uint8_t)((0x0a000001u + instance) >> shift);
	}
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1u];
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = ~((sum & 0xffffu) + (sum >> 16)) & 0xffffu;
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

#endif
