#include "api/statefile.h"

#include "core/fnv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER                                                                             \
	"# headgated: the state in force; made from configuration %016" PRIx64 "-%" PRIu64 \
	"; do not edit\n"
#define HEADER_SCAN \
	"# headgated: the state in force; made from configuration %16" SCNx64 "-%" SCNu64
/* The header with both numbers at their longest. */
#define HEADER_BYTES 160

/* It has to notice an edit, not an attack: who may write either file is root already. */
struct hg_source hg_statefile_source(const char *text, size_t n_bytes)
{
	return (struct hg_source){.hash = hg_fnv(HG_FNV_BASIS, text, n_bytes), .n_bytes = n_bytes};
}

/* ---- save --------------------------------------------------------------------------------------- */

static int fail(struct hg_error *reterr, const char *path, int error)
{
	int code = error == EACCES || error == EPERM || error == EROFS ? -HG_EPERM : -HG_EIO;

	return hg_error_set(reterr, code, "cannot save the state to ", path, ": ", strerror(error),
			    NULL);
}

static int write_all(int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, text, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		text += written;
		n -= (size_t)written;
	}
	return 0;
}

/* Makes the rename itself durable. */
static int sync_folder(const char *path)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);
	int fd, rc;

	snprintf(folder, sizeof(folder), "%.*s%s", (int)n, path,
		 slash == NULL ? "."
		 : n == 0      ? "/"
			       : "");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

static int write_aside(const char *aside, const char *header, const char *text, size_t n_bytes)
{
	int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	int error = 0;

	if (fd < 0)
		return errno;
	if (write_all(fd, header, strlen(header)) < 0 || write_all(fd, text, n_bytes) < 0 ||
	    fsync(fd) < 0)
		error = errno;
	if (close(fd) < 0 && error == 0)
		error = errno;
	return error;
}

int hg_statefile_save(const char *path, struct hg_source source, const struct hg_desired *desired,
		      struct hg_error *reterr)
{
	char header[HEADER_BYTES], aside[4096], *text;
	size_t n_bytes;
	int error, rc = hg_config_export_yaml(desired, &text, &n_bytes, reterr);

	if (rc < 0)
		return rc;
	snprintf(header, sizeof(header), HEADER, source.hash, source.n_bytes);
	if (snprintf(aside, sizeof(aside), "%s.new", path) >= (int)sizeof(aside)) {
		free(text);
		return fail(reterr, path, ENAMETOOLONG);
	}
	error = write_aside(aside, header, text, n_bytes);
	free(text);
	if (error == 0 && rename(aside, path) < 0)
		error = errno;
	if (error != 0) {
		unlink(aside);
		return fail(reterr, path, error);
	}
	return sync_folder(path) < 0 ? fail(reterr, path, errno) : 0;
}

/* ---- load --------------------------------------------------------------------------------------- */

int hg_statefile_load(const char *path, struct hg_source source, hg_config_device_fn check_device,
		      struct hg_desired **ret, struct hg_error *reterr)
{
	char header[HEADER_BYTES] = "", *text;
	struct hg_source made_from;
	size_t n_bytes;
	int rc = hg_config_read_now(path, &text, &n_bytes, reterr);

	if (rc < 0)
		return rc;
	memcpy(header, text, n_bytes < sizeof(header) - 1u ? n_bytes : sizeof(header) - 1u);
	if (sscanf(header, HEADER_SCAN, &made_from.hash, &made_from.n_bytes) != 2)
		rc = hg_error_set(reterr, -HG_EINVAL, "its first line is not that of a saved state",
				  NULL);
	else if (made_from.hash != source.hash || made_from.n_bytes != source.n_bytes)
		rc = hg_error_set(reterr, -HG_EAGAIN,
				  "it was made from another content of the configuration file",
				  NULL);
	else
		rc = hg_config_parse(text, n_bytes, check_device, ret, reterr);
	free(text);
	return rc;
}
