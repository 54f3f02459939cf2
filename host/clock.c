#include "host/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static hg_ns read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (hg_ns)now.tv_sec * HG_NS_PER_S + now.tv_nsec;
}

hg_ns hg_clock_now_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

hg_ns hg_clock_boot_ns(void)
{
	return read_ns(CLOCK_BOOTTIME);
}

hg_ns hg_clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

void hg_clock_boot_id(const char *root, char ret_id[HG_BOOT_ID_BYTES])
{
	char path[4096];
	FILE *file;

	ret_id[0] = '\0';
	snprintf(path, sizeof(path), "%s/proc/sys/kernel/random/boot_id", root);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	if (fgets(ret_id, HG_BOOT_ID_BYTES, file) == NULL)
		ret_id[0] = '\0';
	ret_id[strcspn(ret_id, "\n")] = '\0';
	fclose(file);
}

/* The line "cpu user nice system idle iowait irq softirq steal ..." sums over all processors, in ticks
 * of 1/USER_HZ (proc(5)). */
static int parse_stat(FILE *file, uint64_t *ret_ticks)
{
	return fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %" SCNu64, ret_ticks) == 1;
}

int hg_clock_stolen_ns(const char *root, hg_ns *ret_stolen_ns, struct hg_error *reterr)
{
	char path[4096];
	uint64_t ticks;
	FILE *file;
	int is_read;

	snprintf(path, sizeof(path), "%s/proc/stat", root);
	file = fopen(path, "re");
	if (file == NULL)
		return hg_error_set(reterr, errno == ENOENT ? -HG_ENOENT : -HG_EIO, "cannot read ",
				    path, ": ", strerror(errno), NULL);
	is_read = parse_stat(file, &ticks);
	fclose(file);
	if (!is_read)
		return hg_error_set(reterr, -HG_EINVAL, path,
				    " does not begin with the times of the processors", NULL);
	*ret_stolen_ns = (hg_ns)ticks * (HG_NS_PER_S / (hg_ns)sysconf(_SC_CLK_TCK));
	return 0;
}
