#include "core/text.h"

/* Enough to recognise what one wrote, and little enough to leave room for the sentence. */
#define QUOTED_MAX_BYTES 40u

void hg_text_init(struct hg_text *text, char *buf, size_t size)
{
	text->buf = buf;
	text->size = size;
	text->n_bytes = 0;
	text->has_room = size > 0;
	if (size > 0)
		buf[0] = '\0';
}

void hg_text_add_char(struct hg_text *text, char c)
{
	if (text->n_bytes + 1 >= text->size) {
		text->has_room = false;
		return;
	}
	text->buf[text->n_bytes++] = c;
	text->buf[text->n_bytes] = '\0';
}

void hg_text_add(struct hg_text *text, const char *string)
{
	for (; *string != '\0'; string++)
		hg_text_add_char(text, *string);
}

void hg_text_add_u64(struct hg_text *text, uint64_t value)
{
	char digits[20]; /* 2^64 - 1 has 20 */
	unsigned n = 0;

	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (n > 0)
		hg_text_add_char(text, digits[--n]);
}

void hg_text_add_index(struct hg_text *text, const char *name, uint32_t idx)
{
	hg_text_add(text, name);
	hg_text_add_char(text, '[');
	hg_text_add_u64(text, idx);
	hg_text_add_char(text, ']');
}

void hg_text_add_quoted(struct hg_text *text, const char *string)
{
	hg_text_add_char(text, '"');
	for (unsigned i = 0; string[i] != '\0'; i++) {
		if (i == QUOTED_MAX_BYTES) {
			hg_text_add(text, "...");
			break;
		}
		hg_text_add_char(text, string[i] >= ' ' && string[i] <= '~' ? string[i] : '?');
	}
	hg_text_add_char(text, '"');
}
