/* capture: a port's packets as a stream of pcapng.
 *
 * Why        A capture is no answer that is there when it is asked for: it comes while packets come, for as long
 *            as somebody reads.
 * Model      Opened by a request with its limits. read() gives the next bytes of the file, or none for now; at
 *            the end of its time, of its number of packets or of bytes, when the port goes or end() is called,
 *            it closes the file with statistics and the reason, and is over.
 * Parameters direction=both|out|in, count=N, bytes=SIZE (of the file), seconds=N, snaplen=N (0: whole frames),
 *            bpf=PROGRAM: the number of instructions, then each as "code jt jf k", with commas between, as
 *            `tcpdump -ddd` and nfbpf_compile print them. Defaults: everything, HG_CAPTURE_SECONDS,
 *            HG_CAPTURE_BYTES.
 * Promise    No file is larger than asked for, and each can be read up to its end.
 * Time       An argument. Memory: one block, beside what core/capture.h says. Threads: the control lane.
 * Errors     -EINVAL names the parameter; -EBUSY says who has the captures that there may be; -ENOMEM.
 */
#ifndef HG_API_CAPTURE_H
#define HG_API_CAPTURE_H

#include "control/control.h"

#include <stddef.h>

/* A capture that nobody ends is forgotten after ten minutes, or when it fills a disk. */
#define HG_CAPTURE_SECONDS 600u
#define HG_CAPTURE_BYTES (UINT64_C(1) << 30)

#define HG_CAPTURE_PARAMETERS "direction count bytes seconds snaplen bpf"

struct hg_capture_stream;

struct hg_capture_ask {
	bool is_uplink;
	uint32_t idx; /* of hg_control_desired() */
	const char *version; /* of headgate */
	const char *who; /* "process 4711 of user 0" */
	/* The value of a parameter; NULL: not given. */
	const char *(*parameter)(void *user, const char *key);
	void *user;
};

HG_MUST_CHECK int hg_capture_stream_open(struct hg_control *control,
					 const struct hg_capture_ask *ask, hg_ns now_ns,
					 struct hg_capture_stream **ret_stream,
					 struct hg_error *reterr);
/* Up to n bytes. Returns how many; 0: nothing now, or, if hg_capture_stream_is_over(), nothing ever. */
size_t hg_capture_stream_read(struct hg_capture_stream *stream, char *buf, size_t n, hg_ns now_ns);
bool hg_capture_stream_is_over(const struct hg_capture_stream *stream);
/* Whether read() would say more than "nothing now". */
bool hg_capture_stream_is_ready(struct hg_capture_stream *stream, hg_ns now_ns);
/* Ends it with that reason; what was captured before still comes. */
void hg_capture_stream_end(struct hg_capture_stream *stream, const char *why);
/* Takes NULL. */
void hg_capture_stream_close(struct hg_capture_stream *stream);

#endif
