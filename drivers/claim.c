#include "drivers/claim.h"

#include "drivers/netns.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int hg_claim(int if_idx, const char *name, struct hg_error *reterr)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), n, r = 0;

	if (fd < 0)
		return hg_errno_refuse(reterr, errno, "cannot claim the interface", name);
	/* The first byte stays zero: abstract. */
	n = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1u, "headgate/interface/%d", if_idx);
	if (bind(fd, (const struct sockaddr *)&at,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1u + (size_t)n)) == 0)
		return fd;
	if (errno == EADDRINUSE)
		r = hg_error_set(reterr, -HG_EBUSY, "the interface ", name,
				 " is attached to headgate already", NULL);
	else
		r = hg_errno_refuse(reterr, errno, "cannot claim the interface", name);
	close(fd);
	return r;
}
