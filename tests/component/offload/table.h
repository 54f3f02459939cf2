/* table: cases of offloads between all pairs of ends, and what became of them.
 *
 * Model      For each ordered pair the shapes that the sender can send are sent in windows, and what arrives is
 *            checked (check.h). A window ends with a frame that is due whatever happened before it, so that what is
 *            lost is known without waiting for it. What is larger than the receiver's MTU must be dropped and
 *            counted (too_big), no more and no less.
 * Threads    The test's.
 */
#ifndef HG_TESTS_COMPONENT_OFFLOAD_TABLE_H
#define HG_TESTS_COMPONENT_OFFLOAD_TABLE_H

#include "tests/component/offload/ends.h"

#define TABLE_ENDS_MAX 32u

/* What a receiver takes, as the table tells it. */
enum table_takes { TABLE_TAKES_NONE, TABLE_TAKES_CSUM, TABLE_TAKES_TSO, N_TABLE_TAKES };

struct table {
	struct host host;
	struct end ends[TABLE_ENDS_MAX];
	uint32_t n_ends;
	uint64_t n_ok[N_END_KINDS][N_END_KINDS][N_OFFLOADS][N_TABLE_TAKES];
	uint64_t n_cases, n_frames, n_bytes, n_too_big, n_wrong;
};

/* Which ports are trunks: what they send and receive carries a tag. Others of the tenant are in its VLAN. */
enum table_vlan { TABLE_NO_VLAN, TABLE_ALL_TRUNKS, TABLE_EVEN_TRUNKS, TABLE_ODD_TRUNKS };

/* A host with an end for each row of cfgs (ended by a row without a name), and `uplink`'s behind the uplink unless
 * it is NULL. */
void table_open(struct table *table, const struct end_cfg *cfgs, const struct end_cfg *uplink);
void table_set_vlan(struct table *table, enum table_vlan vlan);
/* All pairs. only_uplink: those of which one is the uplink. */
void table_run(struct table *table, bool is_short, bool only_uplink);
void table_print(const struct table *table, const char *title);
/* Closes the host, and fails the test if a case was wrong. */
void table_close(struct table *table);

#endif
