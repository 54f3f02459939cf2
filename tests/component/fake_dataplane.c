#include "tests/component/fake_dataplane.h"

#include "dataplane/handover.h"

#include "drivers/driver.h"

#include <stdlib.h>
#include <string.h>

void hg_dp_cfg_init(struct hg_dp_cfg *cfg)
{
	*cfg = (struct hg_dp_cfg){.n_workers = 1};
}

int hg_dp_create(const struct hg_dp_cfg *cfg, struct hg_dp **ret_dp, struct hg_error *reterr)
{
	struct hg_dp *dp = calloc(1, sizeof(*dp));

	(void)cfg;
	if (dp == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory", NULL);
	dp->host.n_buffers = 1000;
	dp->host.free_buffers = 990;
	*ret_dp = dp;
	return 0;
}

static void free_desired(struct hg_desired *desired)
{
	free(desired->uplinks);
	free(desired->tenants);
	free(desired->instances);
	free(desired->ports);
}

void hg_dp_destroy(struct hg_dp *dp, bool keep_devices)
{
	(void)keep_devices;
	if (dp == NULL)
		return;
	free_desired(&dp->desired);
	free(dp);
}

int hg_dev_check(const char *device, const char *netns, struct hg_error *reterr)
{
	(void)netns;
	if (strchr(device, ':') == NULL)
		return hg_error_set(reterr, -HG_EINVAL, "no such driver: ", device, NULL);
	return 0;
}

void hg_dev_place(const char *device, const char *netns, char *ret_place)
{
	(void)device;
	(void)netns;
	ret_place[0] = '\0';
}

int hg_dp_check(const struct hg_desired *desired, struct hg_error *reterr)
{
	for (uint32_t i = 0; i < desired->n_ports; i++) {
		if (strchr(desired->ports[i].device, ':') == NULL)
			return hg_error_set(reterr, -HG_EINVAL,
					    "no such driver: ", desired->ports[i].device, NULL);
	}
	return 0;
}

static void *copy(const void *from, size_t n, size_t size)
{
	void *to = calloc(n + 1, size);

	if (to != NULL && n > 0)
		memcpy(to, from, n * size);
	return to;
}

static struct fake_named *find(struct fake_named *all, const char *name)
{
	for (unsigned i = 0; i < FAKE_MAX; i++) {
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	}
	for (unsigned i = 0; i < FAKE_MAX; i++) {
		if (all[i].name[0] == '\0') {
			strcpy(all[i].name, name);
			all[i].link = HG_PORT_UP;
			return &all[i];
		}
	}
	abort();
}

int hg_dp_apply(struct hg_dp *dp, const struct hg_desired *desired, struct hg_error *reterr)
{
	struct hg_desired desired_copy = *desired;

	if (dp->fail_apply != 0 && dp->fail_apply_after-- == 0) {
		int code = dp->fail_apply;

		dp->fail_apply = 0;
		return hg_error_set(reterr, code, "the fake packet lane was told to fail", NULL);
	}
	desired_copy.uplinks =
		copy(desired->uplinks, desired->n_uplinks, sizeof(*desired->uplinks));
	desired_copy.tenants =
		copy(desired->tenants, desired->n_tenants, sizeof(*desired->tenants));
	desired_copy.instances =
		copy(desired->instances, desired->n_instances, sizeof(*desired->instances));
	desired_copy.ports = copy(desired->ports, desired->n_ports, sizeof(*desired->ports));
	if (!desired_copy.uplinks || !desired_copy.tenants || !desired_copy.instances ||
	    !desired_copy.ports) {
		free_desired(&desired_copy);
		return hg_error_set(reterr, -HG_ENOMEM, "no memory", NULL);
	}
	free_desired(&dp->desired);
	dp->desired = desired_copy;
	dp->n_applied++;
	dp->host.generation++;
	return 0;
}

int hg_dp_bring_back(struct hg_dp *dp, const struct hg_desired *desired, struct hg_error *reterr)
{
	return hg_dp_apply(dp, desired, reterr);
}

int hg_dp_apply_move(struct hg_dp *dp, const struct hg_desired *desired,
		     const struct hg_dp_move *move, struct hg_error *reterr)
{
	struct fake_named *leaving = NULL;
	int r;

	if (move->leaving_idx != HG_DP_NOBODY)
		leaving = find(dp->instances, dp->desired.instances[move->leaving_idx].name);
	r = hg_dp_apply(dp, desired, reterr);
	if (r < 0)
		return r;
	if (leaving != NULL) {
		*move->ret_left = leaving->state;
		memcpy(move->ret_flows, leaving->flow, sizeof(leaving->flow));
		/* The packet lane forgets who is gone. */
		memset(leaving, 0, sizeof(*leaving));
	}
	if (move->arriving_idx != HG_DP_NOBODY)
		find(dp->instances, desired->instances[move->arriving_idx].name)->state =
			*move->arriving;
	return 0;
}

int hg_dp_save(struct hg_dp *dp, uint32_t instance_idx, struct hg_instance_state *ret,
	       struct hg_error *reterr)
{
	(void)reterr;
	*ret = find(dp->instances, dp->desired.instances[instance_idx].name)->state;
	return 0;
}

bool hg_dp_wait_sent(struct hg_dp *dp, uint32_t instance_idx, hg_ns at_most_ns)
{
	(void)dp;
	(void)instance_idx;
	(void)at_most_ns;
	return true;
}

int hg_dp_announce(struct hg_dp *dp, uint32_t port_idx, uint32_t *ret_n, struct hg_error *reterr)
{
	const struct hg_desired_port *port = &dp->desired.ports[port_idx];

	(void)reterr;
	*ret_n = port->n_addresses > 0 ? port->n_addresses : port->has_mac;
	dp->n_announced += *ret_n;
	return 0;
}

unsigned hg_dp_retry(struct hg_dp *dp)
{
	dp->n_retried++;
	return 0;
}

struct fake_named *fake_tenant(struct hg_dp *dp, const char *name)
{
	return find(dp->tenants, name);
}

struct fake_named *fake_instance(struct hg_dp *dp, const char *name)
{
	return find(dp->instances, name);
}

struct fake_named *fake_port(struct hg_dp *dp, const char *name)
{
	return find(dp->ports, name);
}

struct fake_named *fake_uplink(struct hg_dp *dp, const char *name)
{
	return find(dp->uplinks, name);
}

void fake_traffic(struct fake_named *of, uint64_t offered_bytes, uint64_t sent_bytes, hg_ns wait_ns)
{
	struct hg_dp_flow *flow = &of->flow[HG_OUT];

	flow->offered_bytes += offered_bytes;
	flow->link_offered_bytes += offered_bytes;
	flow->sent_bytes += sent_bytes;
	flow->link_bytes += sent_bytes;
	flow->queued_bytes += offered_bytes - sent_bytes;
	flow->link_queued_bytes += offered_bytes - sent_bytes;
	flow->held_ns[HG_LIMIT_LINK] += (uint64_t)wait_ns;
	flow->wait_ns += (uint64_t)wait_ns;
	flow->held_by = wait_ns > 0 ? HG_LIMIT_LINK : HG_LIMIT_NONE;
	flow->is_active = true;
	hg_histogram_add(&flow->wait, 300 * HG_NS_PER_US, 100);
}

bool hg_dp_publish(struct hg_dp *dp)
{
	(void)dp;
	return true;
}

void hg_dp_sample_host(struct hg_dp *dp, struct hg_dp_host_sample *ret)
{
	*ret = dp->host;
}

void hg_dp_sample_tenant(struct hg_dp *dp, uint32_t tenant_idx, enum hg_dir dir,
			 struct hg_dp_flow *ret)
{
	*ret = find(dp->tenants, dp->desired.tenants[tenant_idx].name)->flow[dir];
}

void hg_dp_sample_instance(struct hg_dp *dp, uint32_t instance_idx, enum hg_dir dir,
			   struct hg_dp_flow *ret)
{
	*ret = find(dp->instances, dp->desired.instances[instance_idx].name)->flow[dir];
}

void hg_dp_sample_port(struct hg_dp *dp, uint32_t port_idx, struct hg_dp_port_sample *ret)
{
	const struct fake_named *port = find(dp->ports, dp->desired.ports[port_idx].name);

	*ret = port->port;
	ret->link = port->link;
	memcpy(ret->reason, port->reason, sizeof(ret->reason));
}

void hg_dp_sample_uplink(struct hg_dp *dp, uint32_t uplink_idx, struct hg_dp_uplink_sample *ret)
{
	const struct fake_named *uplink = find(dp->uplinks, dp->desired.uplinks[uplink_idx].name);

	*ret = uplink->uplink;
	ret->link = uplink->link;
	memcpy(ret->reason, uplink->reason, sizeof(ret->reason));
}

unsigned hg_dp_sample_depth(struct hg_dp *dp, uint32_t uplink_idx, uint64_t first,
			    struct hg_depth_sample *ret_samples, unsigned n, uint64_t *ret_first)
{
	const struct fake_named *uplink = find(dp->uplinks, dp->desired.uplinks[uplink_idx].name);
	unsigned n_found = 0;

	if (first < uplink->depth_gone)
		first = uplink->depth_gone;
	while (n_found < n && first + n_found < uplink->n_depth) {
		ret_samples[n_found] = uplink->depth[first + n_found];
		n_found++;
	}
	*ret_first = first;
	return n_found;
}

/* ---- captures ----------------------------------------------------------------------------------- */

int hg_dp_capture_open(struct hg_dp *dp, bool is_uplink, uint32_t idx,
		       const struct hg_capture_cfg *cfg, struct hg_capture **ret_capture,
		       struct hg_error *reterr)
{
	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++) {
		struct hg_capture *c;

		if (dp->captures[i] != NULL)
			continue;
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			return hg_error_set(reterr, -HG_ENOMEM, "no memory", NULL);
		c->cfg = *cfg;
		c->is_uplink = is_uplink;
		c->idx = idx;
		*ret_capture = dp->captures[i] = c;
		return 0;
	}
	return hg_error_set(reterr, -HG_EBUSY, "as many captures run as there may be: by ",
			    dp->captures[0]->cfg.who, NULL);
}

void fake_show(struct hg_capture *c, hg_ns at_ns, enum hg_dir dir, uint8_t fill, uint32_t n_bytes)
{
	uint32_t n_kept = n_bytes < c->cfg.snap_bytes ? n_bytes : c->cfg.snap_bytes;

	c->stats.passed_pkts++;
	if (c->n_pkts == FAKE_CAPTURE_PKTS) {
		c->stats.missed_pkts++;
		return;
	}
	memset(c->bytes[c->n_pkts], fill, n_kept);
	c->pkts[c->n_pkts] = (struct hg_capture_pkt){.at_ns = at_ns,
						     .total_bytes = n_bytes,
						     .n_bytes = n_kept,
						     .dir = dir,
						     .bytes = c->bytes[c->n_pkts]};
	c->n_pkts++;
}

bool hg_dp_capture_peek(const struct hg_capture *capture, struct hg_capture_pkt *ret_pkt)
{
	if (capture->n_taken == capture->n_pkts)
		return false;
	*ret_pkt = capture->pkts[capture->n_taken];
	return true;
}

void hg_dp_capture_take(struct hg_capture *capture)
{
	capture->n_taken++;
}

void hg_dp_capture_sample(struct hg_capture *capture, struct hg_capture_stats *ret_stats)
{
	*ret_stats = capture->stats;
}

void hg_dp_capture_stop(struct hg_dp *dp, struct hg_capture *capture)
{
	(void)dp;
	capture->is_stopped = true;
}

void hg_dp_capture_close(struct hg_dp *dp, struct hg_capture *capture)
{
	for (unsigned i = 0; i < HG_CAPTURES_MAX; i++) {
		if (dp->captures[i] == capture)
			dp->captures[i] = NULL;
	}
	free(capture);
}

/* ---- handing over: there are no packets and no devices ------------------------------------------- */

uint64_t hg_dp_freeze(struct hg_dp *dp, hg_ns for_ns)
{
	(void)dp;
	(void)for_ns;
	return 0;
}

void hg_dp_thaw(struct hg_dp *dp)
{
	(void)dp;
}

size_t hg_dp_carry_size(const struct hg_dp *dp)
{
	(void)dp;
	return 1;
}

size_t hg_dp_carry_out(struct hg_dp *dp, void *memory, struct hg_dp_carried *ret)
{
	(void)dp;
	memset(memory, 'x', 1);
	*ret = (struct hg_dp_carried){0};
	return 1;
}

int hg_dp_carry_in(struct hg_dp *dp, const void *memory, size_t n_bytes, struct hg_dp_carried *ret,
		   struct hg_error *reterr)
{
	(void)dp;
	if (n_bytes != 1 || *(const char *)memory != 'x')
		return hg_error_set(reterr, -HG_EINVAL, "not what was carried out", NULL);
	*ret = (struct hg_dp_carried){0};
	return 0;
}

size_t hg_dp_standing_size(const struct hg_dp *dp)
{
	(void)dp;
	return 8;
}

void hg_dp_standing_out(struct hg_dp *dp, void *memory)
{
	(void)dp;
	memset(memory, 's', 8);
}

int hg_dp_standing_in(struct hg_dp *dp, const void *memory, size_t n_bytes, uint32_t *ret_n,
		      struct hg_error *reterr)
{
	if (n_bytes != 8 || *(const char *)memory != 's')
		return hg_error_set(reterr, -HG_EINVAL, "not what was written", NULL);
	*ret_n = dp->desired.n_instances;
	return 0;
}

unsigned hg_dp_n_devices(const struct hg_dp *dp)
{
	return dp->desired.n_uplinks + dp->desired.n_ports;
}

unsigned hg_dp_hand(struct hg_dp *dp, struct hg_dp_device *ret_devices, unsigned n)
{
	(void)dp;
	(void)ret_devices;
	(void)n;
	return 0;
}

void hg_dp_adopt(struct hg_dp *dp, const struct hg_dp_device *devices, unsigned n)
{
	(void)dp;
	(void)devices;
	(void)n;
}

void hg_dp_let_go(struct hg_dp *dp)
{
	(void)dp;
}
