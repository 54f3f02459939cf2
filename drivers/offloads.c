#include "drivers/offloads.h"

#include "drivers/driver.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* Linux 6.18 has 64. */
#define FEATURES_MAX 256u

struct known {
	const char *name;
	uint32_t cap;
};

static const struct known all_known[] = {
	{"tx-tcp-segmentation", HG_DEV_TX_TSO4},
	{"tx-tcp6-segmentation", HG_DEV_TX_TSO6},
	{"tx-tcp-ecn-segmentation", HG_DEV_TX_ECN},
	{"tx-udp-segmentation", HG_DEV_TX_USO},
};

struct strings {
	struct ethtool_gstrings head;
	char names[FEATURES_MAX][ETH_GSTRING_LEN];
};

struct bits {
	struct ethtool_gfeatures head;
	struct ethtool_get_features_block blocks[FEATURES_MAX / 32u];
};

static bool ask(int fd, const char *interface, void *question)
{
	struct ifreq request = {.ifr_data = question};

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1u);
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static uint32_t cap_of(const char *name)
{
	for (unsigned i = 0; i < sizeof(all_known) / sizeof(all_known[0]); i++) {
		if (strncmp(name, all_known[i].name, ETH_GSTRING_LEN) == 0)
			return all_known[i].cap;
	}
	return 0;
}

uint32_t hg_offloads_of(int fd, const char *interface)
{
	struct {
		struct ethtool_sset_info head;
		uint32_t n;
	} count = {
		.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = UINT64_C(1) << ETH_SS_FEATURES}};
	struct bits bits = {.head = {.cmd = ETHTOOL_GFEATURES, .size = FEATURES_MAX / 32u}};
	struct strings *strings = calloc(1, sizeof(*strings));
	uint32_t caps = HG_DEV_TX_CSUM;

	if (strings == NULL || !ask(fd, interface, &count) || count.n > FEATURES_MAX)
		goto out;
	strings->head = (struct ethtool_gstrings){
		.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = count.n};
	if (!ask(fd, interface, strings) || !ask(fd, interface, &bits))
		goto out;
	for (uint32_t i = 0; i < count.n; i++) {
		if (bits.blocks[i / 32u].active >> i % 32u & 1u)
			caps |= cap_of(strings->names[i]);
	}
out:
	free(strings);
	return caps;
}
