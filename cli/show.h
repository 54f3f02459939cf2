/* show: the live table, as text.
 *
 * Why        What the host promises and what each got, on one screen of 80 columns.
 * Model      Pure: an answer of /v1/status in, lines out. Rates in bits per second of the last second. Of
 *            each contract: demand and guarantee for sending, what it got both ways, the longer of the p99
 *            waits, the limit that held it longest and for what share of the second, and of the seconds
 *            judged how many were kept, both ways.
 *            Last lines say the units and what a guarantee for receiving covers, where there is one.
 * Memory     None. Threads: one.
 * Errors     HG_EXIT_NOT_FOUND: no uplink of that name.
 */
#ifndef HG_CLI_SHOW_H
#define HG_CLI_SHOW_H

#include "cli/cli.h"

/* uplink NULL: all of them. */
HG_MUST_CHECK int hg_show_status(const struct hg_cli *cli, const json_t *status,
				 const char *uplink);

/* One figure of a row, as the table shows it. Each writes HG_SHOW_CELL_BYTES at most and returns buf. */
#define HG_SHOW_CELL_BYTES 32
char *hg_show_held(char *buf, const json_t *row); /* "link 87 %"; "-" */
char *hg_show_kept(char *buf, const json_t *row); /* "100 %"; "-" where nothing is promised */
/* A guarantee or a maximum. */
bool hg_show_is_promised(const json_t *row, const char *dir);
bool hg_show_is_missed(const json_t *row);
/* row[dir][part][key] as a number; 0 where it is not there. */
json_int_t hg_show_number(const json_t *row, const char *dir, const char *part, const char *key);

#endif
