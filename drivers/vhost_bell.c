#include "drivers/vhost_bell.h"

#include <rte_vhost.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Of the protocol (QEMU, docs/interop/vhost-user.rst): a question without a payload, and its answer's length. */
#define GET_FEATURES 1u
#define VERSION 1u
#define ANSWER_BYTES (12u + sizeof(uint64_t))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int bell_fd = -1; /* our end */

/* A socket at which the library can find us, in a directory of our own. */
static int listen_at(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 &&
	    (bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 || listen(fd, 1) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The library at the other end; -1: it does not come. */
static int connect_library(const char *path, int listen_fd)
{
	static const struct rte_vhost_device_ops no_calls;

	if (rte_vhost_driver_register(path, RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT) <
	    0)
		return -1;
	if (rte_vhost_driver_callback_register(path, &no_calls) == 0 &&
	    rte_vhost_driver_start(path) == 0)
		return accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	rte_vhost_driver_unregister(path);
	return -1;
}

static int hang(struct hg_error *reterr)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char directory[] = "/tmp/headgate-XXXXXX";
	int fd;

	if (mkdtemp(directory) == NULL)
		return hg_error_set(reterr, -HG_EIO,
				    "vhost needs a directory in /tmp for a moment: ",
				    strerrordesc_np(errno), NULL);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/bell", directory);
	fd = listen_at(&at);
	if (fd >= 0) {
		bell_fd = connect_library(at.sun_path, fd);
		close(fd);
		(void)unlink(at.sun_path);
	}
	(void)rmdir(directory);
	return bell_fd >= 0 ? 0
			    : hg_error_set(reterr, -HG_EIO, "vhost does not connect to ",
					   at.sun_path, NULL);
}

int hg_vhost_bell_hang(struct hg_error *reterr)
{
	int r;

	pthread_mutex_lock(&lock);
	r = bell_fd >= 0 ? 0 : hang(reterr);
	pthread_mutex_unlock(&lock);
	return r;
}

void hg_vhost_bell_ring(void)
{
	static const uint32_t question[3] = {GET_FEATURES, VERSION, 0};
	uint8_t answer[ANSWER_BYTES];

	pthread_mutex_lock(&lock);
	if (send(bell_fd, question, sizeof(question), MSG_NOSIGNAL) == sizeof(question))
		(void)recv(bell_fd, answer, sizeof(answer), MSG_WAITALL);
	pthread_mutex_unlock(&lock);
}
