/* view: what is in force and what was measured, as JSON.
 *
 * Why        One place decides the shapes that docs/api.md promises.
 * Model      Reads hg_control_desired() and the status functions; keeps nothing.
 * Units      in the keys: _bytes, _bytes_per_s, _ns, _ppm. Memory: the caller json_decref()s.
 * Threads    The control lane. Cost: linear in what is shown.
 * Errors     NULL: no memory, or, where a name is given, no such thing (hg_view_find_*() tell).
 */
#ifndef HG_API_VIEW_H
#define HG_API_VIEW_H

#include "api/connections.h"
#include "control/control.h"

#include <jansson.h>

#define HG_VIEW_NONE UINT32_MAX

uint32_t hg_view_find_tenant(const struct hg_desired *desired, const char *name);
uint32_t hg_view_find_instance(const struct hg_desired *desired, const char *name);
uint32_t hg_view_find_port(const struct hg_desired *desired, const char *name);
uint32_t hg_view_find_uplink(const struct hg_desired *desired, const char *name);

json_t *hg_view_host(const struct hg_control *control, const char *version, hg_ns now_ns);
json_t *hg_view_uplink(const struct hg_control *control, uint32_t idx);
/* With what each instance has in its card. */
json_t *hg_view_uplink_whole(const struct hg_control *control, uint32_t idx);
json_t *hg_view_uplinks(const struct hg_control *control);
json_t *hg_view_tenant(const struct hg_control *control, uint32_t idx);
json_t *hg_view_tenants(const struct hg_control *control);
json_t *hg_view_instance(const struct hg_control *control, uint32_t idx);
json_t *hg_view_instances(const struct hg_control *control);
json_t *hg_view_port(const struct hg_control *control, uint32_t idx);
json_t *hg_view_ports(const struct hg_control *control);
/* How many there are, and what was refused, by reason. */
json_t *hg_view_connections(const struct hg_connections *connections);
/* host, uplinks, tenants with their instances. */
json_t *hg_view_status(const struct hg_control *control, const char *version, hg_ns now_ns);

#endif
