#include "control/state.h"

#include <stdlib.h>
#include <string.h>

void hg_state_init(struct hg_desired *state)
{
	*state = (struct hg_desired){.oversubscription_ppm = HG_OVERSUBSCRIPTION_NONE_PPM};
}

void hg_state_fini(struct hg_desired *state)
{
	free(state->uplinks);
	free(state->tenants);
	free(state->instances);
	free(state->ports);
	hg_state_init(state);
}

/* NULL only for want of memory: an empty array has an address too. */
static void *copy_array(const void *from, size_t n, size_t size)
{
	void *to = calloc(n + 1u, size);

	if (to != NULL && n > 0)
		memcpy(to, from, n * size);
	return to;
}

int hg_state_copy(const struct hg_desired *from, struct hg_desired *ret_copy,
		  struct hg_error *reterr)
{
	struct hg_desired copy = *from;

	copy.uplinks = copy_array(from->uplinks, from->n_uplinks, sizeof(*copy.uplinks));
	copy.tenants = copy_array(from->tenants, from->n_tenants, sizeof(*copy.tenants));
	copy.instances = copy_array(from->instances, from->n_instances, sizeof(*copy.instances));
	copy.ports = copy_array(from->ports, from->n_ports, sizeof(*copy.ports));
	if (!copy.uplinks || !copy.tenants || !copy.instances || !copy.ports) {
		hg_state_fini(&copy);
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for the desired state", NULL);
	}
	*ret_copy = copy;
	return 0;
}
