#include "drivers/registry.h"

#include "core/text.h"
#include "drivers/dummy.h"
#include "drivers/netns.h"
#include "drivers/packet.h"
#include "drivers/simnic.h"
#include "drivers/tap.h"
#include "drivers/text.h"
#ifdef HG_WITH_VHOST
#include "drivers/vhost.h"
#endif
#include "drivers/xdp.h"

#include <stdio.h>
#include <string.h>

const struct hg_driver *const hg_drivers[] = {
	&hg_driver_tap,    &hg_driver_packet, &hg_driver_xdp,
#ifdef HG_WITH_VHOST
	&hg_driver_vhost,
#endif
	&hg_driver_simnic, &hg_driver_dummy,  NULL, /* the end */
};

#define N_DRIVERS (sizeof(hg_drivers) / sizeof(hg_drivers[0]) - 1u)

const struct hg_driver *hg_driver_find(const char *name)
{
	for (unsigned i = 0; i < N_DRIVERS; i++)
		if (strcmp(hg_drivers[i]->name, name) == 0)
			return hg_drivers[i];
	return NULL;
}

/* The names of all drivers, or of those that take a network namespace. */
static void list_names(bool is_in_netns, char *ret_list, size_t size)
{
	ret_list[0] = '\0';
	for (unsigned i = 0; i < N_DRIVERS; i++) {
		if (is_in_netns && !hg_drivers[i]->is_in_netns)
			continue;
		strncat(ret_list, ret_list[0] != '\0' ? ", " : "", size - strlen(ret_list) - 1u);
		strncat(ret_list, hg_drivers[i]->name, size - strlen(ret_list) - 1u);
	}
}

static int refuse_driver(const char *name, struct hg_error *reterr)
{
	const char *names[N_DRIVERS + 1] = {NULL};
	char list[120];
	const char *nearest;

	for (unsigned i = 0; i < N_DRIVERS; i++)
		names[i] = hg_drivers[i]->name;
	list_names(/* is_in_netns= */ false, list, sizeof(list));
	nearest = hg_dev_text_nearest(name, names);
	return hg_error_set(reterr, -HG_EINVAL, "there is no driver ", name, "; there are ", list,
			    nearest != NULL ? "; did you mean " : "",
			    nearest != NULL ? nearest : "", nearest != NULL ? "?" : "", NULL);
}

/* The driver of a device text and what stands behind it, checked against each other. */
static int find(const char *device, const struct hg_driver **ret_driver,
		struct hg_dev_text *ret_text, struct hg_error *reterr)
{
	const struct hg_driver *driver;
	int r = hg_dev_text_parse(device, ret_text, reterr);

	if (r < 0)
		return r;
	driver = hg_driver_find(ret_text->driver);
	if (driver == NULL)
		return refuse_driver(ret_text->driver, reterr);
	if (driver->is_wrapper && ret_text->inner == NULL)
		return hg_error_set(reterr, -HG_EINVAL, driver->name,
				    " stands in front of another device: ", driver->name,
				    "(...)+DEVICE", NULL);
	if (!driver->is_wrapper && ret_text->name == NULL)
		return hg_error_set(reterr, -HG_EINVAL, driver->name,
				    " does not stand in front of another device: ", driver->name,
				    ":NAME", NULL);
	*ret_driver = driver;
	return 0;
}

static int check_netns(const struct hg_driver *driver, const char *netns, struct hg_error *reterr)
{
	char list[120], quoted[64];
	struct hg_text text;

	if (driver->is_in_netns || netns == NULL || netns[0] == '\0')
		return 0;
	hg_text_init(&text, quoted, sizeof(quoted));
	hg_text_add_quoted(&text, netns);
	list_names(/* is_in_netns= */ true, list, sizeof(list));
	return hg_error_set(reterr, -HG_EINVAL, "a ", driver->name,
			    " device is in no network namespace, so that it cannot be in ", quoted,
			    ": leave it out; it is for ", list, NULL);
}

int hg_dev_check(const char *device, const char *netns, struct hg_error *reterr)
{
	const struct hg_driver *driver = NULL;

	do {
		struct hg_dev_text text;
		int r = find(device, &driver, &text, reterr);

		if (r == 0)
			r = driver->check(device, reterr);
		if (r < 0)
			return r;
		device = text.inner;
	} while (device != NULL);
	return check_netns(driver, netns, reterr);
}

void hg_dev_place(const char *device, const char *netns, char *ret_place)
{
	const struct hg_driver *driver = NULL;
	struct hg_dev_text text = {.inner = device};
	struct hg_netns_id id = {0};

	ret_place[0] = '\0';
	while (text.inner != NULL) {
		device = text.inner;
		if (find(device, &driver, &text, NULL) < 0)
			return;
	}
	if (driver->place != NULL) {
		driver->place(device, ret_place);
		return;
	}
	/* A namespace that is not there yet has its name alone. */
	if (hg_netns_watch(netns, &id, NULL) == 0)
		netns = "";
	snprintf(ret_place, HG_DEVICE_PLACE_BYTES, "%s:%s %s %llx %llx", driver->name, text.name,
		 netns, (unsigned long long)id.dev, (unsigned long long)id.ino);
}

bool hg_dev_is_shared(const char *device)
{
	const struct hg_driver *driver = NULL;
	struct hg_dev_text text = {.inner = device};

	while (text.inner != NULL)
		if (find(text.inner, &driver, &text, NULL) < 0)
			return false;
	return driver->set_macs != NULL;
}

int hg_dev_open(const struct hg_dev_cfg *cfg, struct hg_dev **ret_dev, struct hg_error *reterr)
{
	struct hg_dev_cfg own = *cfg;
	const struct hg_driver *driver = NULL;
	struct hg_dev_text text;
	int r = hg_dev_check(cfg->device, cfg->netns, reterr);

	if (r == 0)
		r = find(cfg->device, &driver, &text, reterr);
	if (r < 0)
		return r;
	own.open_inner = hg_dev_open;
	return driver->open(&own, ret_dev, reterr);
}
