#include "drivers/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int open_netns(const char *netns, struct hg_error *reterr)
{
	char path[256];
	int n, fd;

	n = snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns);
	if (n >= (int)sizeof(path))
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
	fd = open_netns(netns, reterr);
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
