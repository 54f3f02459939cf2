#include "drivers/vhost_socket.h"

#include "drivers/netns.h"
#include "drivers/vhost.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* As many as the kernel follows. */
#define LINKS_MAX 40u

/* "/run/", "..": nobody can listen there. */
static bool ends_as_directory(const char *path)
{
	const char *end = strrchr(path, '/') + 1;

	return *end == '\0' || strcmp(end, ".") == 0 || strcmp(end, "..") == 0;
}

int hg_vhost_path(const char *name, char *ret_path, struct hg_error *reterr)
{
	int n = snprintf(ret_path, HG_VHOST_PATH_BYTES, "%s%s",
			 name[0] == '/' ? "" : HG_VHOST_DIRECTORY "/", name);

	if (n < (int)HG_VHOST_PATH_BYTES && ends_as_directory(ret_path))
		return hg_error_set(reterr, -HG_EINVAL, "the path of the socket ", name,
				    " ends as a directory's, without a name for the socket", NULL);
	if (n < (int)HG_VHOST_PATH_BYTES)
		return 0;
	return hg_error_set(reterr, -HG_EINVAL, "the path of the socket ", name,
			    " is longer than the 107 bytes that a unix socket's may have", NULL);
}

int hg_vhost_prepare_directory(const char *path, struct hg_error *reterr)
{
	char directory[HG_VHOST_PATH_BYTES];
	struct stat st;
	char *end;

	/* Others are their owners' to make. */
	if (strncmp(path, HG_VHOST_DIRECTORY "/", strlen(HG_VHOST_DIRECTORY) + 1u) == 0 &&
	    mkdir(HG_VHOST_DIRECTORY, 0755) < 0 && errno != EEXIST)
		return hg_errno_refuse(reterr, errno, "cannot make the directory",
				       HG_VHOST_DIRECTORY);
	snprintf(directory, sizeof(directory), "%s", path);
	end = strrchr(directory, '/');
	end[end == directory ? 1 : 0] = '\0';
	if (stat(directory, &st) < 0)
		return hg_errno_refuse(reterr, errno, "no directory for the socket:", directory);
	if (!S_ISDIR(st.st_mode))
		return hg_error_set(reterr, -HG_EINVAL, directory,
				    " is not a directory, where the socket ", path, " is to be",
				    NULL);
	return 0;
}

/* Where a symbolic link leads, whether anything is there or not. Returns whether the path is one. */
static bool follow(const char *path, char *ret_path)
{
	size_t n_directory = (size_t)(strrchr(path, '/') + 1 - path);
	char to[PATH_MAX];
	ssize_t n = readlink(path, to, sizeof(to) - 1u);

	if (n <= 0)
		return false;
	to[n] = '\0';
	return snprintf(ret_path, PATH_MAX, "%.*s%s", to[0] == '/' ? 0 : (int)n_directory, path,
			to) < PATH_MAX;
}

void hg_vhost_place_of(const char *path, struct hg_vhost_place *ret_place)
{
	char at[PATH_MAX], next[PATH_MAX];
	struct stat st;
	char *name;

	snprintf(at, sizeof(at), "%s", path);
	for (unsigned n = 0; n < LINKS_MAX && follow(at, next); n++)
		memcpy(at, next, sizeof(at));
	*ret_place = (struct hg_vhost_place){0};
	name = strrchr(at, '/') + 1;
	snprintf(ret_place->name, sizeof(ret_place->name), "%.*s", NAME_MAX, name);
	*name = '\0';
	if (stat(at, &st) < 0)
		return;
	ret_place->device = st.st_dev;
	ret_place->directory = st.st_ino;
}

bool hg_vhost_place_is_same(const struct hg_vhost_place *a, const struct hg_vhost_place *b)
{
	return a->directory != 0 && a->directory == b->directory && a->device == b->device &&
	       strcmp(a->name, b->name) == 0;
}

const char *hg_vhost_why_nobody(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT  ? ", where no socket is yet"
		       : errno == ELOOP ? ", a symbolic link that leads to itself"
					: "";
	return S_ISSOCK(st.st_mode) ? ", where nobody listens" : ", which is not a socket";
}

/* Who listens on the path, as "NAME (process N)". */
static int refuse_owner(int fd, const char *path, struct hg_error *reterr)
{
	char file[40], name[32] = "another process", number[16];
	struct ucred owner = {0};
	socklen_t n = sizeof(owner);
	FILE *f;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &n) < 0)
		owner.pid = 0;
	snprintf(number, sizeof(number), "%d", (int)owner.pid);
	snprintf(file, sizeof(file), "/proc/%d/comm", (int)owner.pid);
	f = fopen(file, "re");
	if (f != NULL) {
		if (fgets(name, sizeof(name), f) != NULL)
			name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	return hg_error_set(reterr, -HG_EBUSY, "the socket ", path, " belongs to ", name,
			    " (process ", number, "), which listens on it", NULL);
}

int hg_vhost_prepare_listen(const char *path, struct hg_error *reterr)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, r = hg_vhost_prepare_directory(path, reterr);

	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : hg_errno_refuse(reterr, errno, "cannot see", path);
	if (!S_ISSOCK(st.st_mode))
		return hg_error_set(reterr, -HG_EBUSY, path,
				    " is there already and is not a socket", NULL);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return hg_errno_refuse(reterr, errno, "cannot ask who owns", path);
	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1u);
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 || errno == EAGAIN)
		r = refuse_owner(fd, path, reterr);
	else if (errno == ECONNREFUSED)
		r = unlink(path) == 0 || errno == ENOENT
			    ? 0
			    : hg_errno_refuse(reterr, errno, "cannot remove the dead socket", path);
	else
		r = hg_errno_refuse(reterr, errno, "cannot ask who owns", path);
	close(fd);
	return r;
}

static bool has_option(int fd, int option, int wanted)
{
	socklen_t n = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &n) == 0 && value == wanted;
}

/* What rte_vhost_driver_register() makes for a guest that listens; nobody else in this process leaves out O_CLOEXEC. */
static bool is_new(int fd, const char *unused)
{
	struct sockaddr_un theirs;
	socklen_t n = sizeof(theirs);

	(void)unused;
	return has_option(fd, SO_DOMAIN, AF_UNIX) && has_option(fd, SO_TYPE, SOCK_STREAM) &&
	       has_option(fd, SO_ACCEPTCONN, 0) && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0 &&
	       (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 &&
	       getpeername(fd, (struct sockaddr *)&theirs, &n) < 0;
}

/* What was accepted has the path of whoever listens for its own name. */
static bool is_accepted_on(int fd, const char *path)
{
	struct sockaddr_un ours = {0}, theirs;
	socklen_t n_ours = sizeof(ours), n_theirs = sizeof(theirs);

	return getpeername(fd, (struct sockaddr *)&theirs, &n_theirs) == 0 &&
	       getsockname(fd, (struct sockaddr *)&ours, &n_ours) == 0 &&
	       ours.sun_family == AF_UNIX &&
	       strncmp(ours.sun_path, path, sizeof(ours.sun_path)) == 0;
}

static int find(bool (*is_it)(int fd, const char *path), const char *path)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd = -1;

	if (dir == NULL)
		return -1;
	while (fd < 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' && is_it(atoi(entry->d_name), path))
			fd = atoi(entry->d_name);
	}
	closedir(dir);
	return fd;
}

static int hold(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int hg_vhost_hold_new(int guess)
{
	return hold(is_new(guess, NULL) ? guess : find(is_new, NULL));
}

int hg_vhost_hold_accepted(const char *path)
{
	return hold(find(is_accepted_on, path));
}

int hg_vhost_next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd;
}

bool hg_vhost_is_event(int fd)
{
	char link[32], to[32];
	ssize_t n;
	int flags = fcntl(fd, F_GETFL);

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, to, sizeof(to) - 1u);
	if (n < 0 || flags < 0)
		return false;
	to[n] = '\0';
	return strcmp(to, "anon_inode:[eventfd]") == 0 &&
	       fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

void hg_vhost_hurry(int fd)
{
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void hg_vhost_hang_up(int fd)
{
	if (fd < 0)
		return;
	(void)shutdown(fd, SHUT_RDWR);
	close(fd);
}
