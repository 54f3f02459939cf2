#include "tests/component/offload/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80

/* One frame, without its tag, as it is looked at. */
struct seen {
	struct check *check;
	const struct wire *got;
	uint8_t frame[WIRE_MAX_BYTES];
	uint32_t n_bytes, csum_start;
	struct layout at; /* end: of IP in this frame */
	uint32_t n_payload, n_parts;
	bool is_first, is_last;
};

static bool wrong(struct seen *s, const char *format, ...)
{
	va_list args;
	int n = snprintf(s->check->why, sizeof(s->check->why), "frame %u: ", s->check->n_frames);

	va_start(args, format);
	vsnprintf(s->check->why + n, sizeof(s->check->why) - (size_t)n, format, args);
	va_end(args);
	return false;
}

static bool is_equal(struct seen *s, const char *what, uint32_t got, uint32_t want)
{
	return got == want || wrong(s, "%s is %u (%x), want %u (%x)", what, got, got, want, want);
}

/* Bytes [from, to) are the reference's, which begin there, too. */
static bool is_same(struct seen *s, const char *what, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		if (s->frame[i] != s->check->sent->bytes[i])
			return wrong(s, "%s: byte %u is %02x, want %02x", what, i, s->frame[i],
				     s->check->sent->bytes[i]);
	}
	return true;
}

/* ---- Ethernet ----------------------------------------------------------------------------------- */

static bool take_tag(struct seen *s)
{
	const struct wire *got = s->got;
	uint32_t n_tag = s->check->is_tagged ? WIRE_TAG_BYTES : 0;

	if (got->n_bytes > WIRE_MAX_BYTES || got->n_bytes < WIRE_ETHER_BYTES + n_tag + 20)
		return wrong(s, "%u bytes", got->n_bytes);
	if (n_tag > 0 && !(is_equal(s, "the tag's type", wire_get16(got->bytes + 12), 0x8100) &&
			   is_equal(s, "the tag", wire_get16(got->bytes + 14), s->check->tci)))
		return false;
	memcpy(s->frame, got->bytes, 12);
	s->n_bytes = got->n_bytes - n_tag;
	memcpy(s->frame + 12, got->bytes + 12 + n_tag, s->n_bytes - 12);
	if (got->needs_csum && got->csum_start < n_tag)
		return wrong(s, "csum_start %u", got->csum_start);
	s->csum_start = got->csum_start - n_tag;
	return is_same(s, "Ethernet", 0, WIRE_ETHER_BYTES);
}

/* ---- what is left to do ------------------------------------------------------------------------- */

static bool may_be_whole(const struct takes *takes, const struct wire *got)
{
	if (!takes->csum || (got->is_ecn && !takes->ecn))
		return false;
	switch (got->gso) {
	case WIRE_TSO4:
		return takes->tso4;
	case WIRE_TSO6:
		return takes->tso6;
	case WIRE_USO:
		return takes->uso;
	default:
		return true;
	}
}

static bool check_description(struct seen *s)
{
	const struct check *c = s->check;
	const struct wire *got = s->got;
	uint32_t n_ip = s->n_bytes - WIRE_ETHER_BYTES;

	if (got->needs_csum && !c->takes.csum)
		return wrong(s, "a checksum is left to a receiver that takes none");
	if (got->gso == WIRE_PLAIN)
		return n_ip <= c->takes.mtu ||
		       wrong(s, "%u bytes of IP, MTU %u", n_ip, c->takes.mtu);
	if (!may_be_whole(&c->takes, got))
		return wrong(s, "a segment of kind %d%s for a receiver that takes none", got->gso,
			     got->is_ecn ? " with ECN" : "");
	if (!got->needs_csum)
		return wrong(s, "a segment without a checksum to do");
	if (s->at.payload - WIRE_ETHER_BYTES + got->gso_bytes > c->takes.mtu)
		return wrong(s, "parts of %u, MTU %u", got->gso_bytes, c->takes.mtu);
	return is_equal(s, "the kind of segment", got->gso, c->sent->gso) &&
	       is_equal(s, "the payload of a part", got->gso_bytes, c->sent->gso_bytes) &&
	       is_equal(s, "ECN of the segment", got->is_ecn, c->sent->is_ecn && s->is_first);
}

/* ---- where it belongs --------------------------------------------------------------------------- */

static bool find_place(struct seen *s)
{
	struct check *c = s->check;
	uint32_t n_all = shape_layout(c->shape).end - s->at.payload;
	uint32_t n_left = n_all - c->n_payload, gso = c->sent->gso_bytes;

	s->is_first = c->n_payload == 0;
	s->at.end = s->n_bytes;
	s->n_parts = 1;
	if (c->sent->gso == WIRE_PLAIN) {
		s->at.end -= c->shape->n_padding;
		s->n_payload = n_all;
		s->is_last = true;
		return is_equal(s, "the frame's length", s->n_bytes, c->sent->n_bytes);
	}
	if (s->n_bytes <= s->at.payload)
		return wrong(s, "no payload");
	s->n_payload = s->n_bytes - s->at.payload;
	s->is_last = s->n_payload == n_left;
	if (s->n_payload > n_left)
		return wrong(s, "%u bytes of payload, %u are left", s->n_payload, n_left);
	if (s->got->gso == WIRE_PLAIN)
		return is_equal(s, "payload", s->n_payload, n_left < gso ? n_left : gso);
	s->n_parts = (s->n_payload + gso - 1) / gso;
	return s->is_last || is_equal(s, "payload beyond whole parts", s->n_payload % gso, 0);
}

/* ---- IP ----------------------------------------------------------------------------------------- */

static bool check_ip4(struct seen *s)
{
	const uint8_t *ip = s->frame + WIRE_ETHER_BYTES,
		      *sent = s->check->sent->bytes + WIRE_ETHER_BYTES;
	uint32_t id = (wire_get16(sent + 4) + s->check->n_parts) & 0xffff,
		 n_header = (ip[0] & 15u) * 4u;

	return is_same(s, "IPv4 version, length, service", 14, 16) &&
	       is_equal(s, "IPv4 total length", wire_get16(ip + 2), s->at.end - WIRE_ETHER_BYTES) &&
	       is_equal(s, "IPv4 identification", wire_get16(ip + 4), id) &&
	       is_same(s, "IPv4 fragment, TTL, protocol", 20, 24) &&
	       is_equal(s, "IPv4 header's sum", wire_fold(wire_sum(0, ip, n_header)), 0xffff) &&
	       is_same(s, "IPv4 addresses and options", 26, s->at.l4);
}

static bool check_ip6(struct seen *s)
{
	return is_same(s, "IPv6 version, class, label", 14, 18) &&
	       is_equal(s, "IPv6 payload length", wire_get16(s->frame + 18),
			s->at.end - WIRE_ETHER_BYTES - 40) &&
	       is_same(s, "IPv6 addresses and extensions", 20, s->at.l4);
}

/* ---- transport ---------------------------------------------------------------------------------- */

static bool check_sum(struct seen *s)
{
	uint32_t n_l4 = s->at.end - s->at.l4, offset = s->check->shape->is_udp ? 6 : 16;
	const uint8_t *l4 = s->frame + s->at.l4;
	uint16_t field = (uint16_t)wire_get16(l4 + offset);
	uint16_t pseudo =
		wire_pseudo_sum(s->frame, s->at.l4, s->check->shape->is_udp ? 17 : 6, n_l4);

	if (s->got->needs_csum)
		return is_equal(s, "csum_start", s->csum_start, s->at.l4) &&
		       is_equal(s, "csum_offset", s->got->csum_offset, offset) &&
		       is_equal(s, "the pseudo header's sum", field, pseudo);
	if (s->check->shape->is_udp && field == 0)
		return wrong(s, "UDP's checksum is 0");
	return is_equal(s, "the transport's sum", wire_fold(wire_sum(pseudo, l4, n_l4)), 0xffff);
}

static bool check_tcp(struct seen *s)
{
	const uint8_t *tcp = s->frame + s->at.l4, *sent = s->check->sent->bytes + s->at.l4;
	uint8_t flags = sent[13];

	if (!s->is_last)
		flags &= (uint8_t)~TCP_FIN_PSH;
	if (!s->is_first)
		flags &= (uint8_t)~TCP_CWR;
	return is_same(s, "TCP ports", s->at.l4, s->at.l4 + 4) &&
	       is_equal(s, "TCP sequence number", wire_get32(tcp + 4),
			wire_get32(sent + 4) + s->check->n_payload) &&
	       is_same(s, "TCP acknowledgement, offset", s->at.l4 + 8, s->at.l4 + 13) &&
	       is_equal(s, "TCP flags", tcp[13], flags) &&
	       is_same(s, "TCP window", s->at.l4 + 14, s->at.l4 + 16) &&
	       is_same(s, "TCP urgent pointer, options", s->at.l4 + 18, s->at.payload);
}

static bool check_udp(struct seen *s)
{
	return is_same(s, "UDP ports", s->at.l4, s->at.l4 + 4) &&
	       is_equal(s, "UDP length", wire_get16(s->frame + s->at.l4 + 4), s->at.end - s->at.l4);
}

static bool check_payload(struct seen *s)
{
	const uint8_t *want = s->check->sent->bytes + s->at.payload + s->check->n_payload;
	const uint8_t *got = s->frame + s->at.payload;

	for (uint32_t i = 0; i < s->n_payload; i++) {
		if (got[i] != want[i])
			return wrong(s, "payload byte %u is %02x, want %02x",
				     s->check->n_payload + i, got[i], want[i]);
	}
	return s->check->sent->gso != WIRE_PLAIN || is_same(s, "padding", s->at.end, s->n_bytes);
}

void check_begin(struct check *check, const struct shape *shape, const struct wire *sent,
		 const struct takes *takes)
{
	*check = (struct check){.shape = shape, .sent = sent, .takes = *takes};
}

const char *check_feed(struct check *check, const struct wire *got)
{
	static struct seen s;

	s.check = check;
	s.got = got;
	s.at = shape_layout(check->shape);
	if (check->is_done) {
		wrong(&s, "more than was sent");
		return check->why;
	}
	if (!take_tag(&s) || !find_place(&s) || !check_description(&s) ||
	    !(check->shape->is_ip6 ? check_ip6(&s) : check_ip4(&s)) ||
	    !(check->shape->is_udp ? check_udp(&s) : check_tcp(&s)) || !check_sum(&s) ||
	    !check_payload(&s))
		return check->why;
	check->n_payload += s.n_payload;
	check->n_parts += s.n_parts;
	check->n_frames++;
	check->is_done = s.is_last;
	return NULL;
}
