/* Runs a fuzz target over every file of the directories named on the command line. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t n = 0, room = 0, got;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	do {
		uint8_t *more;

		room = room * 2 + 4096;
		more = realloc(data, room);
		if (more == NULL)
			abort();
		data = more;
		got = fread(data + n, 1, room - n, f);
		n += got;
	} while (n == room);
	fclose(f);
	/* A copy of the exact size, so that a sanitizer sees a read past the end. */
	data = realloc(data, n > 0 ? n : 1);
	printf("%s: %zu bytes\n", path, n);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

static int replay_directory(const char *dir)
{
	struct dirent *entry;
	int n_files = 0;
	DIR *d = opendir(dir);

	if (d == NULL) {
		perror(dir);
		return -1;
	}
	while ((entry = readdir(d)) != NULL) {
		char path[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (replay_file(path) < 0) {
			closedir(d);
			return -1;
		}
		n_files++;
	}
	closedir(d);
	return n_files;
}

int main(int argc, char **argv)
{
	int n_files = 0;

	for (int i = 1; i < argc; i++) {
		int n = replay_directory(argv[i]);

		if (n < 0)
			return 1;
		n_files += n;
	}
	printf("%d files\n", n_files);
	return n_files > 0 ? 0 : 1;
}
