/* human: quantities for people, short enough for a column.
 *
 * Why        Configuration text (core/units.h) is exact and reads back; a live table wants three digits.
 * Model      Rates in bits per second, as in contracts: "812M", "1.25G". Times: "220us", "1.4ms".
 * Promise    At most HG_HUMAN_BYTES - 1 characters; three significant digits or fewer.
 * Memory     The caller's buffer, always terminated; each returns it. Threads: any. Errors: none.
 */
#ifndef HG_API_HUMAN_H
#define HG_API_HUMAN_H

#include "core/units.h"

#define HG_HUMAN_BYTES 16

/* "812M"; 0 is "0". */
char *hg_human_rate(char *buf, uint64_t bytes_per_s);
/* "1.25 Gbit/s", for sentences. */
char *hg_human_rate_long(char *buf, uint64_t bytes_per_s);
/* "220us"; 0 is "0"; HG_NEVER, a quantile beyond what core/histogram.h tells apart, is ">2.15s". */
char *hg_human_time(char *buf, hg_ns ns);
/* "64KiB", in steps of 1,024, as the sizes of the configuration. */
char *hg_human_size(char *buf, uint64_t bytes);
/* "87 %", "0.3 %", "<0.1 %" for what is not quite nothing. */
char *hg_human_share(char *buf, uint64_t part, uint64_t whole);
/* "41 min", "12 s", "2.2 h", "3.1 days": lengths that people plan with. HG_NEVER is "-". */
char *hg_human_long(char *buf, hg_ns ns);
/* Processor credits: "34.2", "-0.35", "1234"; of cpu_ns of processor time. */
char *hg_human_credits(char *buf, int64_t cpu_ns);

#endif
