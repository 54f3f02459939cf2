/* figures: how a benchmark program hands its numbers to bench/run.
 *
 * Model      One line a figure on stdout, "figure NAME VALUE"; whatever is for people goes to stderr.
 * Units      in the name: worst_window_error_packets, ns_per_packet.
 * Used by    the programs in bench/; read by bench/harness.py.
 */
#ifndef HG_BENCH_FIGURES_H
#define HG_BENCH_FIGURES_H

#include <stdio.h>

static inline void hg_figure(const char *name, double value)
{
	printf("figure %s %.9g\n", name, value);
	fflush(stdout);
}

#endif
