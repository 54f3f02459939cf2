#include "core/admit.h"

#include "core/depth.h"
#include "core/fnv.h"
#include "core/mirror.h"
#include "core/owner.h"
#include "core/port.h"
#include "core/text.h"

#include <string.h>

#define PPM UINT64_C(1000000)
/* Contracts named in a refusal: enough to see who it is about, short enough to read. */
#define N_LARGEST 3u
#define ETHERNET_BYTES 18u /* addresses, type, and a VLAN tag */

struct admission {
	const struct hg_desired *desired;
	uint64_t *scratch;
	size_t n_slots; /* of scratch as a hash table; a power of two */
	struct hg_error *reterr;
};

/* ---- paths -------------------------------------------------------------------------------------- */

enum kind { UPLINK, TENANT, INSTANCE, PORT };

static const char *const kind_name[] = {"uplink", "tenant", "instance", "port"};
static const char *const kind_key[] = {"uplinks", "tenants", "instances", "ports"};

/* What stands behind the index of a thing's parent in the path: its place among its brothers, as
 * the flat arrays keep the order of the file. */
static uint32_t place_of(const struct hg_desired *d, enum kind kind, uint32_t idx)
{
	uint32_t place = 0;

	for (uint32_t i = 0; i < idx; i++) {
		if (kind == INSTANCE)
			place += d->instances[i].tenant_idx == d->instances[idx].tenant_idx;
		else
			place += d->ports[i].instance_idx == d->ports[idx].instance_idx;
	}
	return place;
}

/* Puts where the thing stands in front of the path. Of a thing whose parent is not there, the place
 * in the flat array is all there is. */
static int at(const struct admission *a, enum kind kind, uint32_t idx, const char *field, int rc)
{
	const struct hg_desired *d = a->desired;

	hg_error_at(a->reterr, field);
	if (kind == PORT) {
		if (d->ports[idx].instance_idx >= d->n_instances) {
			hg_error_at_index(a->reterr, kind_key[PORT], idx);
			return rc;
		}
		hg_error_at_index(a->reterr, kind_key[PORT], place_of(d, PORT, idx));
		idx = d->ports[idx].instance_idx;
		kind = INSTANCE;
	}
	if (kind == INSTANCE && d->instances[idx].tenant_idx < d->n_tenants) {
		hg_error_at_index(a->reterr, kind_key[INSTANCE], place_of(d, INSTANCE, idx));
		idx = d->instances[idx].tenant_idx;
		kind = TENANT;
	}
	hg_error_at_index(a->reterr, kind_key[kind], idx);
	return rc;
}

/* ---- names and addresses ------------------------------------------------------------------------ */

static uint32_t count(const struct hg_desired *d, enum kind kind)
{
	switch (kind) {
	case UPLINK:
		return d->n_uplinks;
	case TENANT:
		return d->n_tenants;
	case INSTANCE:
		return d->n_instances;
	default:
		return d->n_ports;
	}
}

static const char *name_of(const struct hg_desired *d, enum kind kind, uint32_t idx)
{
	switch (kind) {
	case UPLINK:
		return d->uplinks[idx].name;
	case TENANT:
		return d->tenants[idx].name;
	case INSTANCE:
		return d->instances[idx].name;
	default:
		return d->ports[idx].name;
	}
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name(const char *name)
{
	if (memchr(name, '\0', HG_NAME_BYTES) == NULL || !is_alnum(name[0]))
		return false;
	for (; *name != '\0'; name++) {
		if (!is_alnum(*name) && *name != '.' && *name != '_' && *name != '-')
			return false;
	}
	return true;
}

static void clear_slots(const struct admission *a)
{
	memset(a->scratch, 0, a->n_slots * sizeof(a->scratch[0]));
}

static int check_names(const struct admission *a, enum kind kind)
{
	clear_slots(a);
	for (uint32_t idx = 0; idx < count(a->desired, kind); idx++) {
		const char *name = name_of(a->desired, kind, idx);
		size_t slot;

		if (!is_name(name))
			return at(a, kind, idx, "name",
				  hg_error_set(a->reterr, -HG_EINVAL,
					       "a name is 1 to 63 of a-z 0-9 . _ - and begins with "
					       "a letter"
					       " or digit",
					       NULL));
		slot = hg_fnv_slot(name, strlen(name), 0, a->n_slots - 1u);
		for (; a->scratch[slot] != 0; slot = (slot + 1u) & (a->n_slots - 1u)) {
			uint32_t other = (uint32_t)(a->scratch[slot] - 1u);

			if (strcmp(name, name_of(a->desired, kind, other)) == 0)
				return at(a, kind, idx, "name",
					  hg_error_set(a->reterr, -HG_EINVAL, "there is another ",
						       kind_name[kind], " called ", name, NULL));
		}
		a->scratch[slot] = idx + 1u;
	}
	return 0;
}

static bool is_individual(const uint8_t mac[HG_MAC_BYTES])
{
	static const uint8_t zero[HG_MAC_BYTES];

	return (mac[0] & 1u) == 0 && memcmp(mac, zero, HG_MAC_BYTES) != 0;
}

static int check_owners(const struct admission *a)
{
	uint32_t idx = 0;
	int rc = hg_owner_check(a->desired, a->scratch, a->n_slots, &idx, a->reterr);

	return rc < 0 ? at(a, PORT, idx, /* field= */ "", rc) : 0;
}

/* ---- single fields ------------------------------------------------------------------------------ */

static int bad_idx(const struct admission *a, enum kind parent)
{
	return hg_error_set(a->reterr, -HG_EINVAL, "belongs to no ", kind_name[parent],
			    " that there is", NULL);
}

static int check_indices(const struct admission *a)
{
	const struct hg_desired *d = a->desired;

	for (uint32_t i = 0; i < d->n_tenants; i++) {
		if (d->tenants[i].uplink_idx >= d->n_uplinks)
			return at(a, TENANT, i, "uplink", bad_idx(a, UPLINK));
	}
	for (uint32_t i = 0; i < d->n_instances; i++) {
		if (d->instances[i].tenant_idx >= d->n_tenants)
			return at(a, INSTANCE, i, "tenant", bad_idx(a, TENANT));
	}
	for (uint32_t i = 0; i < d->n_ports; i++) {
		if (d->ports[i].instance_idx >= d->n_instances)
			return at(a, PORT, i, "instance", bad_idx(a, INSTANCE));
	}
	return 0;
}

static int out_of_range(const struct admission *a, uint64_t got, uint64_t lo, uint64_t hi)
{
	char shown[96];
	struct hg_text text;

	hg_text_init(&text, shown, sizeof(shown));
	hg_text_add_u64(&text, got);
	hg_text_add(&text, " is out of range: allowed is ");
	hg_text_add_u64(&text, lo);
	hg_text_add(&text, " to ");
	hg_text_add_u64(&text, hi);
	return hg_error_set(a->reterr, -HG_EINVAL, shown, NULL);
}

static bool is_mtu(uint32_t mtu)
{
	return mtu >= HG_MTU_MIN && mtu <= HG_MTU_MAX;
}

uint64_t hg_admit_least_depth_bytes(uint32_t mtu)
{
	uint64_t packet_bytes = (uint64_t)mtu + ETHERNET_BYTES + HG_WIRE_OVERHEAD_BYTES;

	return packet_bytes > HG_DEPTH_MIN_BYTES ? packet_bytes : HG_DEPTH_MIN_BYTES;
}

static char *format_time(char *buf, size_t size, uint64_t ns)
{
	return hg_time_format(buf, size, (hg_ns)ns);
}

static const char *const limit_keys[] = {"limits.broadcast", "limits.multicast", "limits.unknown"};

static int check_limits(const struct admission *a, enum kind kind, uint32_t idx,
			const struct hg_flood_rates *limits)
{
	const uint32_t rates[] = {limits->broadcast_pkts_per_s, limits->multicast_pkts_per_s,
				  limits->unknown_pkts_per_s};

	for (unsigned i = 0; i < 3; i++) {
		if (rates[i] != 0 && (rates[i] < HG_FLOOD_RATE_MIN_PKTS_PER_S ||
				      rates[i] > HG_FLOOD_RATE_MAX_PKTS_PER_S))
			return at(a, kind, idx, limit_keys[i],
				  out_of_range(a, rates[i], HG_FLOOD_RATE_MIN_PKTS_PER_S,
					       HG_FLOOD_RATE_MAX_PKTS_PER_S));
	}
	return 0;
}

struct range {
	uint64_t lo, hi;
	char *(*format)(char *buf, size_t size, uint64_t value);
	const char *or_else; /* for 0, which is allowed as well; NULL: it is not */
};

static int check_range(const struct admission *a, uint32_t idx, const char *field, uint64_t value,
		       struct range range)
{
	char got[32], lo[32], hi[32];

	if ((value >= range.lo && value <= range.hi) || (value == 0 && range.or_else != NULL))
		return 0;
	return at(a, UPLINK, idx, field,
		  hg_error_set(a->reterr, -HG_EINVAL, range.format(got, sizeof(got), value),
			       " is out of range: allowed is ",
			       range.format(lo, sizeof(lo), range.lo), " to ",
			       range.format(hi, sizeof(hi), range.hi), range.or_else, NULL));
}

/* What stands in and before the card's queue. */
static int check_inflight(const struct admission *a, uint32_t idx)
{
	const struct hg_desired_uplink *uplink = &a->desired->uplinks[idx];
	const struct range depth = {hg_admit_least_depth_bytes(uplink->mtu), HG_DEPTH_MAX_BYTES,
				    hg_size_format, ", or auto"};
	const struct range cut = {HG_CUT_MIN_NS, HG_CUT_MAX_NS, format_time, ", or never"};
	uint32_t scale_ppm = uplink->depth_scale_ppm;
	int rc = check_range(a, idx, "depth", uplink->depth_bytes, depth);

	if (rc < 0)
		return rc;
	if (scale_ppm != 0 &&
	    (scale_ppm < HG_DEPTH_SCALE_MIN_PPM || scale_ppm > HG_DEPTH_SCALE_MAX_PPM))
		return at(a, UPLINK, idx, "depth_scale",
			  hg_error_set(a->reterr, -HG_EINVAL,
				       "the factor is out of range: allowed is 1 to 16", NULL));
	return check_range(a, idx, "cut", (uint64_t)uplink->cut_ns, cut);
}

static int check_uplink(const struct admission *a, uint32_t idx)
{
	const struct hg_desired_uplink *uplink = &a->desired->uplinks[idx];
	const struct range capacity = {HG_RATE_MIN_BYTES_PER_S, HG_RATE_MAX_BYTES_PER_S,
				       hg_rate_format, NULL};
	int rc;

	if (!is_mtu(uplink->mtu))
		return at(a, UPLINK, idx, "mtu",
			  out_of_range(a, uplink->mtu, HG_MTU_MIN, HG_MTU_MAX));
	rc = check_range(a, idx, "capacity", uplink->capacity_bytes_per_s, capacity);
	if (rc == 0)
		rc = check_limits(a, UPLINK, idx, &uplink->limits);
	return rc < 0 ? rc : check_inflight(a, idx);
}

/* Tenants are not put in order, and do not behave: their instances are, and do. */
static int check_tenant(const struct admission *a, uint32_t idx)
{
	static const char *const keys[HG_N_DIRS][2] = {
		{"contract.out.priority", "contract.out.behaviour"},
		{"contract.in.priority", "contract.in.behaviour"}};
	const struct hg_contract *contract = &a->desired->tenants[idx].contract;
	int rc = hg_contract_validate(contract, a->reterr);

	if (rc < 0)
		return at(a, TENANT, idx, "contract", rc);
	rc = hg_cpu_credits_validate(&a->desired->tenants[idx].pool, a->reterr);
	if (rc < 0)
		return at(a, TENANT, idx, "pool", rc);
	if (a->desired->tenants[idx].vlan > HG_VLAN_MAX)
		return at(a, TENANT, idx, "vlan",
			  out_of_range(a, a->desired->tenants[idx].vlan, 0, HG_VLAN_MAX));
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		bool has_priority = contract->dir[dir].priority != HG_PRIORITY_NORMAL;

		if (contract->dir[dir].classes.n > 0)
			return at(a, TENANT, idx, "contract.classes",
				  hg_error_set(a->reterr, -HG_EINVAL,
					       "this is said of instances, not of a tenant", NULL));
		if (has_priority || contract->dir[dir].behaviour != HG_FOLLOW_DEPTH)
			return at(a, TENANT, idx, keys[dir][has_priority ? 0 : 1],
				  hg_error_set(a->reterr, -HG_EINVAL,
					       "this is said of instances, not of a tenant", NULL));
	}
	return 0;
}

static int check_port(const struct admission *a, uint32_t idx)
{
	const struct hg_desired_port *port = &a->desired->ports[idx];
	uint16_t own = hg_desired_vlan(a->desired, port);
	int rc;

	if (!is_mtu(port->mtu))
		return at(a, PORT, idx, "mtu", out_of_range(a, port->mtu, HG_MTU_MIN, HG_MTU_MAX));
	if (own > HG_VLAN_MAX)
		return at(a, PORT, idx, "vlan", out_of_range(a, own, 0, HG_VLAN_MAX));
	rc = hg_port_check_vlans(port, own, a->reterr);
	if (rc < 0)
		return at(a, PORT, idx, "vlans", rc);
	if (port->has_mac && !is_individual(port->mac))
		return at(a, PORT, idx, "mac",
			  hg_error_set(a->reterr, -HG_EINVAL,
				       "a port's MAC address is an individual one: its first byte"
				       " even, and not all zero",
				       NULL));
	rc = hg_port_check_addresses(port, a->reterr);
	if (rc < 0)
		return at(a, PORT, idx, "addresses", rc);
	if (port->max_learned > HG_PORT_LEARN_MAX)
		return at(a, PORT, idx, "learn",
			  out_of_range(a, port->max_learned, 0, HG_PORT_LEARN_MAX));
	return check_limits(a, PORT, idx, &port->limits);
}

/* Two instances cannot share a control group: its use would be booked twice. */
static int check_groups(const struct admission *a)
{
	const struct hg_desired_instance *instances = a->desired->instances;

	clear_slots(a);
	for (uint32_t idx = 0; idx < a->desired->n_instances; idx++) {
		const char *group = instances[idx].cpu.cgroup;
		size_t slot;

		group += strspn(group, "/");
		slot = hg_fnv_slot(group, strlen(group), 0, a->n_slots - 1u);
		if (group[0] == '\0')
			continue;
		for (; a->scratch[slot] != 0; slot = (slot + 1u) & (a->n_slots - 1u)) {
			const struct hg_desired_instance *other = &instances[a->scratch[slot] - 1u];

			if (strcmp(group, other->cpu.cgroup + strspn(other->cpu.cgroup, "/")) == 0)
				return at(a, INSTANCE, idx, "cpu.cgroup",
					  hg_error_set(a->reterr, -HG_EINVAL, "the control group ",
						       group, " is ", other->name, "'s", NULL));
		}
		a->scratch[slot] = idx + 1u;
	}
	return 0;
}

static int check_instance(const struct admission *a, uint32_t idx)
{
	const struct hg_desired_instance *instance = &a->desired->instances[idx];
	const struct hg_desired_tenant *tenant = &a->desired->tenants[instance->tenant_idx];
	int rc = hg_contract_validate(&instance->contract, a->reterr);

	if (rc < 0)
		return at(a, INSTANCE, idx, "contract", rc);
	rc = hg_cpu_validate(&instance->cpu, a->reterr);
	if (rc < 0)
		return at(a, INSTANCE, idx, "cpu", rc);
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		uint64_t min = instance->contract.dir[dir].min_bytes_per_s;
		uint64_t max = tenant->contract.dir[dir].max_bytes_per_s;
		char min_text[32], max_text[32];

		if (max == 0 || min <= max)
			continue;
		return at(a, INSTANCE, idx, dir == HG_OUT ? "contract.out.min" : "contract.in.min",
			  hg_error_set(a->reterr, -HG_EINVAL,
				       hg_rate_format(min_text, sizeof(min_text), min),
				       " is more than the max of tenant ", tenant->name, ", ",
				       hg_rate_format(max_text, sizeof(max_text), max), NULL));
	}
	return 0;
}

static int check_fields(const struct admission *a)
{
	const struct hg_desired *d = a->desired;
	int rc = 0;

	if (d->oversubscription_ppm < 1 || d->oversubscription_ppm > HG_OVERSUBSCRIPTION_MAX_PPM) {
		rc = out_of_range(a, d->oversubscription_ppm, 1, HG_OVERSUBSCRIPTION_MAX_PPM);
		hg_error_at(a->reterr, "oversubscription");
		return rc;
	}
	for (uint32_t i = 0; i < d->n_uplinks && rc == 0; i++)
		rc = check_uplink(a, i);
	for (uint32_t i = 0; i < d->n_tenants && rc == 0; i++)
		rc = check_tenant(a, i);
	for (uint32_t i = 0; i < d->n_instances && rc == 0; i++)
		rc = check_instance(a, i);
	for (uint32_t i = 0; i < d->n_ports && rc == 0; i++)
		rc = check_port(a, i);
	return rc;
}

static int check_mirrors(const struct admission *a)
{
	uint32_t idx = 0;
	int rc = hg_mirror_check(a->desired, &idx, a->reterr);

	return rc < 0 ? at(a, PORT, idx, /* field= */ "", rc) : 0;
}

/* ---- sums --------------------------------------------------------------------------------------- */

/* The contracts that weigh most in a sum, largest first; of two alike the one that came first. */
struct largest {
	const char *name[N_LARGEST];
	uint64_t bytes_per_s[N_LARGEST]; /* 0: none */
};

static void enter(struct largest *l, const char *name, uint64_t bytes_per_s)
{
	for (unsigned i = 0; i < N_LARGEST; i++) {
		const char *next_name = l->name[i];
		uint64_t next = l->bytes_per_s[i];

		if (bytes_per_s <= next)
			continue;
		l->name[i] = name;
		l->bytes_per_s[i] = bytes_per_s;
		name = next_name;
		bytes_per_s = next;
	}
}

static void add_rate(struct hg_text *text, const char *before, uint64_t bytes_per_s)
{
	char shown[32];

	hg_text_add(text, before);
	hg_text_add(text, hg_rate_format(shown, sizeof(shown), bytes_per_s));
}

static void add_largest(struct hg_text *text, const struct largest *l)
{
	for (unsigned i = 0; i < N_LARGEST && l->bytes_per_s[i] > 0; i++) {
		hg_text_add(text, i == 0 ? "; largest: " : ", ");
		hg_text_add(text, l->name[i]);
		add_rate(text, " ", l->bytes_per_s[i]);
	}
}

/* "1.5" for 1,500,000. */
static void add_factor(struct hg_text *text, uint32_t ppm)
{
	uint32_t rest = ppm % (uint32_t)PPM;

	hg_text_add_u64(text, ppm / PPM);
	if (rest > 0)
		hg_text_add_char(text, '.');
	for (; rest > 0; rest = rest * 10 % (uint32_t)PPM)
		hg_text_add_char(text, (char)('0' + rest * 10 / PPM));
}

/* Leaves in scratch[t] the sum of the minima of tenant t's instances. */
static void add_up_instances(const struct admission *a, unsigned dir)
{
	const struct hg_desired *d = a->desired;

	memset(a->scratch, 0, d->n_tenants * sizeof(a->scratch[0]));
	for (uint32_t i = 0; i < d->n_instances; i++)
		a->scratch[d->instances[i].tenant_idx] +=
			d->instances[i].contract.dir[dir].min_bytes_per_s;
}

/* Tenant t's instances are promised more than `limit`, which is its min or max. */
static int refuse_tenant(const struct admission *a, uint32_t t, unsigned dir, uint64_t limit,
			 const char *limit_name)
{
	const struct hg_desired *d = a->desired;
	const char *const field = dir == HG_OUT ? "contract.out.min" : "contract.in.min";
	struct largest largest = {0};
	char sentence[HG_ERROR_TEXT_BYTES];
	struct hg_text text;
	uint64_t sum = 0;
	uint32_t passed_at = UINT32_MAX;

	for (uint32_t i = 0; i < d->n_instances; i++) {
		uint64_t min = d->instances[i].contract.dir[dir].min_bytes_per_s;

		if (d->instances[i].tenant_idx != t)
			continue;
		enter(&largest, d->instances[i].name, min);
		sum += min;
		if (sum > limit && passed_at == UINT32_MAX)
			passed_at = i;
	}
	hg_text_init(&text, sentence, sizeof(sentence));
	hg_text_add(&text, "the guarantees (");
	hg_text_add(&text, hg_dir_name((enum hg_dir)dir));
	hg_text_add(&text, ") of the instances of tenant ");
	hg_text_add(&text, d->tenants[t].name);
	add_rate(&text, " sum to ", sum);
	hg_text_add(&text, ", more than its ");
	hg_text_add(&text, limit_name);
	add_rate(&text, " of ", limit);
	add_largest(&text, &largest);
	return at(a, INSTANCE, passed_at, field,
		  hg_error_set(a->reterr, -HG_ENOSPC, sentence, NULL));
}

static int check_tenants(const struct admission *a, unsigned dir)
{
	for (uint32_t t = 0; t < a->desired->n_tenants; t++) {
		const struct hg_policy *p = &a->desired->tenants[t].contract.dir[dir];
		uint64_t sum = a->scratch[t];

		if (p->min_bytes_per_s > 0 && sum > p->min_bytes_per_s)
			return refuse_tenant(a, t, dir, p->min_bytes_per_s, "min");
		if (p->max_bytes_per_s > 0 && sum > p->max_bytes_per_s)
			return refuse_tenant(a, t, dir, p->max_bytes_per_s, "max");
	}
	return 0;
}

/* What tenant t is promised; scratch holds the sums of its instances. */
static uint64_t promised_to(const struct admission *a, uint32_t t, unsigned dir)
{
	uint64_t own = a->desired->tenants[t].contract.dir[dir].min_bytes_per_s;

	return own > a->scratch[t] ? own : a->scratch[t];
}

/* capacity <= 2^37 and a factor <= 2^27: no product passes 64 bits. */
static uint64_t may_promise(const struct admission *a, uint32_t uplink_idx)
{
	uint64_t paced =
		a->desired->uplinks[uplink_idx].capacity_bytes_per_s * HG_ROOT_PACE_PPM / PPM;

	return paced * a->desired->oversubscription_ppm / PPM;
}

static int refuse_uplink(const struct admission *a, uint32_t uplink_idx, unsigned dir)
{
	const struct hg_desired *d = a->desired;
	const struct hg_desired_uplink *uplink = &d->uplinks[uplink_idx];
	uint64_t limit = may_promise(a, uplink_idx), sum = 0;
	const char *field = dir == HG_OUT ? "contract.out.min" : "contract.in.min";
	uint32_t passed_at = UINT32_MAX;
	struct largest largest = {0};
	char sentence[HG_ERROR_TEXT_BYTES];
	struct hg_text text;

	for (uint32_t t = 0; t < d->n_tenants; t++) {
		if (d->tenants[t].uplink_idx != uplink_idx)
			continue;
		enter(&largest, d->tenants[t].name, promised_to(a, t, dir));
		sum += promised_to(a, t, dir);
		if (sum > limit && passed_at == UINT32_MAX)
			passed_at = t;
	}
	hg_text_init(&text, sentence, sizeof(sentence));
	hg_text_add(&text, "the guarantees (");
	hg_text_add(&text, hg_dir_name((enum hg_dir)dir));
	hg_text_add(&text, ") on uplink ");
	hg_text_add(&text, uplink->name);
	add_rate(&text, " sum to ", sum);
	add_rate(&text, ", but ", limit);
	add_rate(&text, " can be promised: 99.5 % of its capacity of ",
		 uplink->capacity_bytes_per_s);
	if (d->oversubscription_ppm != HG_OVERSUBSCRIPTION_NONE_PPM) {
		hg_text_add(&text, ", oversubscribed ");
		add_factor(&text, d->oversubscription_ppm);
		hg_text_add(&text, " times");
	}
	add_largest(&text, &largest);
	if (d->tenants[passed_at].contract.dir[dir].min_bytes_per_s < a->scratch[passed_at])
		field = "instances";
	return at(a, TENANT, passed_at, field, hg_error_set(a->reterr, -HG_ENOSPC, sentence, NULL));
}

static int check_uplinks(const struct admission *a, unsigned dir)
{
	const struct hg_desired *d = a->desired;

	for (uint32_t u = 0; u < d->n_uplinks; u++) {
		uint64_t sum = 0;

		for (uint32_t t = 0; t < d->n_tenants; t++) {
			if (d->tenants[t].uplink_idx == u)
				sum += promised_to(a, t, dir);
		}
		if (sum > may_promise(a, u))
			return refuse_uplink(a, u, dir);
	}
	return 0;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

size_t hg_admit_scratch_words(const struct hg_desired *desired)
{
	size_t n_slots = 1, n = hg_owner_count(desired);

	for (enum kind kind = UPLINK; kind <= PORT; kind++) {
		if (count(desired, kind) > n)
			n = count(desired, kind);
	}
	/* At most half full, so that a chain of taken slots stays short. */
	while (n_slots < 2 * n || n_slots < 2)
		n_slots *= 2;
	return n_slots;
}

int hg_admit(const struct hg_desired *desired, uint64_t *scratch, size_t n_scratch_words,
	     struct hg_error *reterr)
{
	const struct admission a = {desired, scratch, hg_admit_scratch_words(desired), reterr};
	int rc;

	if (n_scratch_words < a.n_slots)
		return hg_error_set(reterr, -HG_EINVAL, "too little scratch for admission", NULL);
	if ((rc = check_indices(&a)) < 0)
		return rc;
	for (enum kind kind = UPLINK; kind <= PORT; kind++) {
		if ((rc = check_names(&a, kind)) < 0)
			return rc;
	}
	if ((rc = check_fields(&a)) < 0)
		return rc;
	if ((rc = check_groups(&a)) < 0)
		return rc;
	if ((rc = check_owners(&a)) < 0)
		return rc;
	if ((rc = check_mirrors(&a)) < 0)
		return rc;
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		add_up_instances(&a, dir);
		if ((rc = check_tenants(&a, dir)) < 0)
			return rc;
		if ((rc = check_uplinks(&a, dir)) < 0)
			return rc;
	}
	return 0;
}
