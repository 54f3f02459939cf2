#include "drivers/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int hg_errno_refuse(struct hg_error *reterr, int errnum, const char *what, const char *name)
{
	int code;

	switch (errnum) {
	case EPERM:
	case EACCES:
		code = -HG_EPERM;
		break;
	case ENOENT:
	case ENODEV:
	case ENXIO:
		code = -HG_ENOENT;
		break;
	case EBUSY:
	case EADDRINUSE:
		code = -HG_EBUSY;
		break;
	case EEXIST:
		code = -HG_EEXIST;
		break;
	case EINVAL:
		code = -HG_EINVAL;
		break;
	case EOPNOTSUPP:
	case EPROTONOSUPPORT:
	case ENOSYS:
	case ENOTTY:
		code = -HG_ENOTSUP;
		break;
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
		code = -HG_ENOMEM;
		break;
	default:
		code = -HG_EIO;
	}
	return hg_error_set(reterr, code, what, " ", name, ": ", strerrordesc_np(errnum), NULL);
}

#define PATH_BYTES 256

static bool name_path(const char *netns, char *path)
{
	return snprintf(path, PATH_BYTES, "%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns) <
	       PATH_BYTES;
}

int hg_netns_open(const char *netns, struct hg_error *reterr)
{
	char path[PATH_BYTES];
	int fd;

	if (!name_path(netns, path))
		return hg_error_set(reterr, -HG_EINVAL, "the network namespace's name is too long",
				    NULL);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return hg_errno_refuse(reterr, errno, "cannot open the network namespace", netns);
	return fd;
}

int hg_netns_enter(const char *netns, struct hg_netns *ret_netns, struct hg_error *reterr)
{
	int fd, back_fd, r;

	ret_netns->back_fd = -1;
	if (netns == NULL || netns[0] == '\0')
		return 0;
	fd = hg_netns_open(netns, reterr);
	if (fd < 0)
		return fd;
	back_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (back_fd < 0) {
		r = hg_errno_refuse(reterr, errno, "cannot open", "/proc/thread-self/ns/net");
		close(fd);
		return r;
	}
	if (setns(fd, CLONE_NEWNET) < 0) {
		r = hg_errno_refuse(reterr, errno, "cannot enter the network namespace", netns);
		close(back_fd);
		close(fd);
		return r;
	}
	close(fd);
	ret_netns->back_fd = back_fd;
	return 0;
}

void hg_netns_leave(struct hg_netns *netns)
{
	if (netns->back_fd < 0)
		return;
	if (setns(netns->back_fd, CLONE_NEWNET) < 0)
		abort();
	close(netns->back_fd);
	netns->back_fd = -1;
}

static bool identify(const char *netns, struct hg_netns_id *ret_id)
{
	char path[PATH_BYTES];
	struct stat at;

	if (netns[0] == '\0')
		strcpy(path, "/proc/thread-self/ns/net");
	else if (!name_path(netns, path))
		return false;
	if (stat(path, &at) < 0)
		return false;
	ret_id->dev = at.st_dev;
	ret_id->ino = at.st_ino;
	return true;
}

int hg_netns_watch(const char *netns, struct hg_netns_id *ret_id, struct hg_error *reterr)
{
	*ret_id = (struct hg_netns_id){0};
	if (netns == NULL || netns[0] == '\0')
		return 0;
	if (strlen(netns) >= sizeof(ret_id->name))
		return hg_error_set(reterr, -HG_EINVAL, "the network namespace's name is too long",
				    NULL);
	strcpy(ret_id->name, netns);
	if (!identify(netns, ret_id))
		return hg_errno_refuse(reterr, errno, "cannot open the network namespace", netns);
	return 0;
}

bool hg_netns_is_there(const struct hg_netns_id *id)
{
	struct hg_netns_id now;

	return id->name[0] == '\0' ||
	       (identify(id->name, &now) && now.dev == id->dev && now.ino == id->ino);
}
