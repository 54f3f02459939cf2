#include "tools/load/load.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DATAGRAM_MAX_BYTES 1472u /* one Ethernet frame */
/* Room for a stall of the receiver, so that only the network can lose a datagram. */
#define RECEIVE_BUFFER_BYTES (64 * 1024 * 1024)
#define SEQUENCE_MAX (UINT64_C(1) << 26) /* 67 million datagrams: 8 MiB of bits */
/* The last datagram carries this instead of payload: how many there were. */
#define LAST_MARK UINT64_C(0x6c617374)

struct datagram { /* big endian on the wire */
	uint64_t number;
	uint64_t last_mark; /* LAST_MARK: number is the count of all */
};

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = RECEIVE_BUFFER_BYTES, yes = 1;

	/* Without IP_RECVERR the kernel does not say that an interface took no datagram. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    setsockopt(fd, SOL_IP, IP_RECVERR, &yes, sizeof(yes)) < 0) {
		perror("hgload: cannot open a socket");
		exit(1);
	}
	return fd;
}

static void put(int fd, const struct hg_load_cfg *cfg, uint64_t number, uint64_t mark)
{
	char bytes[DATAGRAM_MAX_BYTES] = {0};
	size_t n = cfg->request_bytes < sizeof(struct datagram) ? sizeof(struct datagram)
		   : cfg->request_bytes > DATAGRAM_MAX_BYTES    ? DATAGRAM_MAX_BYTES
								: cfg->request_bytes;
	struct datagram d = {.number = htobe64(number), .last_mark = htobe64(mark)};

	memcpy(bytes, &d, sizeof(d));
	/* ENOBUFS: the interface's queue is full; the datagram was not taken. ECONNREFUSED: nobody heard an earlier one; this
	 * one was not sent for that. */
	while (sendto(fd, bytes, n, 0, (const struct sockaddr *)&cfg->address,
		      sizeof(cfg->address)) < 0) {
		if (errno != ENOBUFS && errno != EINTR && errno != ECONNREFUSED) {
			perror("hgload: cannot send");
			exit(1);
		}
		poll(NULL, 0, 1);
	}
}

int hg_sequence_send(const struct hg_load_cfg *cfg)
{
	int fd = open_socket();
	int64_t began_ns = hg_load_now_ns(), end_ns = began_ns + cfg->seconds * HG_LOAD_NS_PER_S;
	uint64_t sent = 0;

	for (;;) {
		int64_t now_ns = hg_load_now_ns();
		uint64_t due = (uint64_t)(now_ns - began_ns) * cfg->pkts_per_s /
			       (uint64_t)HG_LOAD_NS_PER_S;

		if (hg_load_is_over || now_ns >= end_ns || sent >= SEQUENCE_MAX)
			break;
		/* At most what four turns owe after a stall: a burst beyond the contract would be ours. */
		for (unsigned i = 0; sent < due && i <= cfg->pkts_per_s / 250; i++)
			put(fd, cfg, sent++, 0);
		poll(NULL, 0, 1);
	}
	for (unsigned i = 0; i < 20; i++) { /* any one of them suffices */
		put(fd, cfg, sent, LAST_MARK);
		poll(NULL, 0, 10);
	}
	printf("{\"total\": true, \"sent\": %llu}\n", (unsigned long long)sent);
	return 0;
}

struct seen {
	uint64_t n_distinct, n_twice, n_late, highest, n_announced;
	bool is_complete; /* the sender said how many there were */
};

static void book(struct seen *seen, uint8_t *bits, uint64_t number)
{
	if (number >= SEQUENCE_MAX)
		return;
	if (bits[number / 8] & (1u << (number % 8))) {
		seen->n_twice++;
		return;
	}
	bits[number / 8] |= (uint8_t)(1u << (number % 8));
	seen->n_distinct++;
	if (number + 1 < seen->highest)
		seen->n_late++;
	else
		seen->highest = number + 1;
}

int hg_sequence_receive(const struct hg_load_cfg *cfg)
{
	uint8_t *bits = calloc(SEQUENCE_MAX / 8, 1);
	int fd = open_socket();
	int64_t end_ns = hg_load_now_ns() + cfg->seconds * HG_LOAD_NS_PER_S;
	struct seen seen = {0};

	if (bits == NULL ||
	    bind(fd, (const struct sockaddr *)&cfg->address, sizeof(cfg->address)) < 0) {
		perror("hgload: cannot receive");
		exit(1);
	}
	puts("{\"listening\": true}");
	while (!hg_load_is_over && !seen.is_complete && hg_load_now_ns() < end_ns) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		char bytes[DATAGRAM_MAX_BYTES];
		struct datagram d;

		if (poll(&wait, 1, 100) <= 0 ||
		    recv(fd, bytes, sizeof(bytes), 0) < (ssize_t)sizeof(d))
			continue;
		memcpy(&d, bytes, sizeof(d));
		if (be64toh(d.last_mark) == LAST_MARK) {
			seen.is_complete = true;
			seen.n_announced = be64toh(d.number);
		} else {
			book(&seen, bits, be64toh(d.number));
		}
	}
	printf("{\"total\": true, \"complete\": %s, \"sent\": %llu, \"received\": %llu, "
	       "\"missing\": %lld, \"twice\": %llu, \"late\": %llu}\n",
	       seen.is_complete ? "true" : "false", (unsigned long long)seen.n_announced,
	       (unsigned long long)seen.n_distinct, (long long)(seen.n_announced - seen.n_distinct),
	       (unsigned long long)seen.n_twice, (unsigned long long)seen.n_late);
	free(bits);
	return seen.is_complete ? 0 : 1;
}
