/* text: puts sentences together in a buffer of the caller's.
 *
 * Why        Messages and quantities are made where there is neither stdio nor memory to allocate.
 * Model      A cursor in a buffer. What does not fit is cut, and has_room says that it was.
 * Promise    The buffer is terminated after every call, if it has a byte at all.
 * Units      bytes. Memory: the caller's buffer. Threads: one owner. Errors: none.
 * Used by    core/error, core/units, core/contract, core/admit.
 */
#ifndef HG_CORE_TEXT_H
#define HG_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hg_text {
	char *buf;
	size_t size; /* of buf, in bytes, with the terminator */
	size_t n_bytes; /* written so far, without the terminator */
	bool has_room; /* false once something was cut */
};

void hg_text_init(struct hg_text *text, char *buf, size_t size);
void hg_text_add(struct hg_text *text, const char *string);
void hg_text_add_char(struct hg_text *text, char c);
void hg_text_add_u64(struct hg_text *text, uint64_t value);
/* Adds "name[idx]", as paths are written. */
void hg_text_add_index(struct hg_text *text, const char *name, uint32_t idx);
/* Adds what somebody wrote, in quotation marks: cut after 40 bytes, and with '?' for what is not
 * printable ASCII, so that it cannot spoil a terminal or a log. */
void hg_text_add_quoted(struct hg_text *text, const char *string);

#endif
