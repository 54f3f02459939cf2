/* files: a host made of files, below a folder of its own.
 *
 * Why        Control groups, mounts and the like are files: a test that writes them plays the kernel.
 * Memory     None. Threads: one. Errors: the test fails.
 */
#ifndef HG_TESTS_COMPONENT_FILES_H
#define HG_TESTS_COMPONENT_FILES_H

#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline void files_make_folder(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		HG_TEST_FAIL("%s: %s", path, strerror(errno));
}

/* Writes ROOT FOLDER/FILE; folders are made as needed. */
static inline void files_put(const char *root, const char *folder, const char *file,
			     const char *text)
{
	char path[512];
	size_t n_bytes = strlen(text);
	int fd;

	snprintf(path, sizeof(path), "%s%s", root, folder);
	for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		files_make_folder(path);
		*at = '/';
	}
	files_make_folder(path);
	snprintf(path, sizeof(path), "%s%s/%s", root, folder, file);
	/* Written over and not emptied first: file systems take that for a file that is replaced, and wait for the disk. */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	HG_CHECK(fd >= 0);
	HG_CHECK_EQ(write(fd, text, n_bytes), (ssize_t)n_bytes);
	HG_CHECK_EQ(ftruncate(fd, (off_t)n_bytes), 0);
	close(fd);
}

static inline int files_remove_one(const char *path, const struct stat *st, int type,
				   struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* A folder and all that is in it. */
static inline void files_drop(const char *path)
{
	(void)nftw(path, files_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
