/* peer: messages with descriptors between a process and the one that it started in its place.
 *
 * Why        S7.11: a planned restart hands over what is open, and neither side may believe the other longer than
 *            it lives.
 * Model      A pair of connected sockets, which keep messages apart. A message is text: a word that says what it
 *            is, and what belongs to it behind a space; and up to HG_PEER_FDS_MAX descriptors.
 *            Who is started finds its end at HG_PEER_FD, which the variable HG_PEER_VARIABLE says, and no other
 *            descriptor of ours but the standard ones.
 *            It is a child of this process, or of this one's parent (is_beside): a service manager waits for the
 *            end of its own children alone, so that one which is to be its main process has to be one.
 * Memory     Caller's. Descriptors received are the caller's, close-on-exec. Threads: any, one for an end.
 * Errors     -EIO the other side has ended, or the system's reason; -ETIMEDOUT; start: also -ENOENT, -EPERM.
 * Used by    apps/.
 */
#ifndef HG_HOST_PEER_H
#define HG_HOST_PEER_H

#include "core/error.h"
#include "core/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HG_PEER_TEXT_BYTES 1024u
#define HG_PEER_FDS_MAX 8u
#define HG_PEER_FD 3
#define HG_PEER_VARIABLE "HEADGATE_TAKE_OVER"

struct hg_peer_message {
	char text[HG_PEER_TEXT_BYTES];
	int fds[HG_PEER_FDS_MAX];
	unsigned n_fds;
};

/* One that was started. */
struct hg_peer_process {
	pid_t pid; /* 0: none */
	int pidfd;
};

/* Starts the program at `path` with these arguments (argv[argc] NULL), and returns this side's end. */
HG_MUST_CHECK int hg_peer_start(const char *path, char *const *argv, bool is_beside,
				struct hg_peer_process *ret_process, int *ret_fd,
				struct hg_error *reterr);
/* Waits for its end for so long, then brings it about, and says how it ended: of another's child the exit code is not
 * to be known. */
void hg_peer_end(struct hg_peer_process *process, hg_ns for_ns, char *ret_text, size_t size);
/* It goes on by itself. */
void hg_peer_forget(struct hg_peer_process *process);

HG_MUST_CHECK int hg_peer_send(int fd, const char *text, const int *fds, unsigned n_fds,
			       struct hg_error *reterr);
/* The next message, waiting for it up to for_ns. */
HG_MUST_CHECK int hg_peer_receive(int fd, hg_ns for_ns, struct hg_peer_message *ret_message,
				  struct hg_error *reterr);
void hg_peer_close_fds(struct hg_peer_message *message);

/* What stands behind the message's word, if it is this one; else NULL. */
const char *hg_peer_is(const struct hg_peer_message *message, const char *word);

#endif
