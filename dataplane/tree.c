#include "dataplane/tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *hg_lazy_alloc(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void hg_lazy_free(void *memory, size_t bytes)
{
	if (memory != NULL)
		(void)munmap(memory, bytes);
}

static bool make_inflight(struct hg_tree *tree, const struct hg_inflight_cfg *cfg, hg_ns now_ns)
{
	void *memory;

	tree->inflight_bytes = hg_inflight_size(cfg);
	memory = hg_lazy_alloc(tree->inflight_bytes);
	if (memory != NULL)
		tree->inflight = hg_inflight_init(memory, cfg, now_ns);
	return memory != NULL;
}

int hg_tree_create(const struct hg_tree_limits *limits, enum hg_dir dir, uint32_t uplink_slot,
		   hg_ns now_ns, struct hg_tree **ret_tree, struct hg_error *reterr)
{
	struct hg_sched_cfg cfg = {
		.max_tenants = limits->max_tenants,
		.max_instances = limits->max_instances,
		.max_queued_pkts = limits->max_queued_pkts,
		.pkt_base = limits->pkt_base,
		.caps = limits->caps,
	};
	struct hg_tree *tree = calloc(1, sizeof(*tree));
	int r;

	if (tree == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a scheduler", NULL);
	tree->dir = dir;
	tree->uplink_slot = uplink_slot;
	if (limits->inflight != NULL && !make_inflight(tree, limits->inflight, now_ns)) {
		hg_tree_destroy(tree);
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for in-flight control",
				    NULL);
	}
	if (tree->inflight != NULL)
		cfg.window = hg_inflight_window(tree->inflight);
	tree->memory_bytes = hg_sched_size(&cfg);
	tree->memory = hg_lazy_alloc(tree->memory_bytes);
	if (tree->memory == NULL) {
		hg_tree_destroy(tree);
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for a scheduler", NULL);
	}
	r = hg_sched_init(tree->memory, &cfg, now_ns, &tree->sched, reterr);
	if (r != 0) {
		hg_tree_destroy(tree);
		return r;
	}
	*ret_tree = tree;
	return 0;
}

void hg_tree_destroy(struct hg_tree *tree)
{
	if (tree == NULL)
		return;
	hg_lazy_free(tree->memory, tree->memory_bytes);
	hg_lazy_free(tree->inflight, tree->inflight_bytes);
	free(tree);
}
