/* A configuration's file: what can be wrong with it before its first letter is read. */
#include "api/config.h"

#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bytes {
	char *data;
	size_t n, size;
};

static int code_of(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return -HG_ENOENT;
	case EACCES:
	case EPERM:
		return -HG_EPERM;
	case ENOMEM:
		return -HG_ENOMEM;
	default:
		return -HG_EIO;
	}
}

static int fail(struct hg_error *err, const char *what, int error)
{
	return hg_error_set(err, code_of(error), what, ": ", strerror(error), NULL);
}

static int check_kind(int fd, bool may_wait, struct hg_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(err, "cannot look at the file", errno);
	if (S_ISDIR(st.st_mode))
		return hg_error_set(err, -HG_EINVAL,
				    "this is a directory; a configuration file is expected", NULL);
	if (!S_ISREG(st.st_mode) && !may_wait)
		return hg_error_set(err, -HG_EINVAL,
				    "this is a pipe or a device; a regular file is expected", NULL);
	if (S_ISREG(st.st_mode) && st.st_size > (off_t)HG_YAML_MAX_BYTES)
		return hg_error_set(err, -HG_EINVAL, "the file is larger than 64 MiB", NULL);
	return 0;
}

/* Room for one byte more than is allowed, so that a pipe that brings too much is noticed. */
static int make_room(struct bytes *b, struct hg_error *err)
{
	size_t size = b->size > 0 ? b->size * 2u : 64u << 10;
	char *data;

	if (b->n < b->size)
		return 0;
	if (b->n > HG_YAML_MAX_BYTES)
		return hg_error_set(err, -HG_EINVAL, "the file is larger than 64 MiB", NULL);
	data = realloc(b->data, size);
	if (data == NULL)
		return hg_error_set(err, -HG_ENOMEM, "not enough memory to read the file", NULL);
	b->data = data;
	b->size = size;
	return 0;
}

static int read_all(int fd, struct bytes *b, struct hg_error *err)
{
	for (;;) {
		ssize_t n;
		int rc = make_room(b, err);

		if (rc < 0)
			return rc;
		n = read(fd, b->data + b->n, b->size - b->n);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return fail(err, "cannot read the file", errno);
		if (n > 0)
			b->n += (size_t)n;
	}
}

/* may_wait: for who writes into a pipe. */
static int read_file(const char *path, bool may_wait, char **ret_text, size_t *ret_n_bytes,
		     struct hg_error *reterr)
{
	struct bytes b = {0};
	bool is_stdin = may_wait && strcmp(path, "-") == 0;
	int flags = O_RDONLY | O_CLOEXEC | (may_wait ? 0 : O_NONBLOCK | O_NOCTTY);
	int fd = is_stdin ? STDIN_FILENO : open(path, flags);
	int rc;

	if (fd < 0)
		return fail(reterr, "cannot open the file", errno);
	rc = check_kind(fd, may_wait, reterr);
	if (rc == 0)
		rc = read_all(fd, &b, reterr);
	if (!is_stdin)
		close(fd);
	if (rc < 0) {
		free(b.data);
		return rc;
	}
	*ret_text = b.data;
	*ret_n_bytes = b.n;
	return 0;
}

int hg_config_read_file(const char *path, char **ret_text, size_t *ret_n_bytes,
			struct hg_error *reterr)
{
	return read_file(path, /* may_wait= */ true, ret_text, ret_n_bytes, reterr);
}

int hg_config_read_now(const char *path, char **ret_text, size_t *ret_n_bytes,
		       struct hg_error *reterr)
{
	return read_file(path, /* may_wait= */ false, ret_text, ret_n_bytes, reterr);
}

int hg_config_load_file(const char *path, hg_config_device_fn check_device, struct hg_desired **ret,
			struct hg_error *reterr)
{
	char *text;
	size_t n_bytes;
	int rc = hg_config_read_file(path, &text, &n_bytes, reterr);

	if (rc < 0)
		return rc;
	rc = hg_config_parse(text, n_bytes, check_device, ret, reterr);
	free(text);
	return rc;
}
