#include "core/error.h"
#include "core/text.h"

#include <stdarg.h>
#include <string.h>

void hg_error_clear(struct hg_error *err)
{
	if (err != NULL)
		*err = (struct hg_error){0};
}

int hg_error_set(struct hg_error *err, int code, ...)
{
	struct hg_text text;
	va_list parts;

	if (err == NULL || err->code != 0)
		return code;
	err->code = code;
	err->path[0] = '\0';
	err->line = 0;
	err->column = 0;
	hg_text_init(&text, err->text, sizeof(err->text));
	va_start(parts, code);
	for (;;) {
		const char *part = va_arg(parts, const char *);

		if (part == NULL)
			break;
		hg_text_add(&text, part);
	}
	va_end(parts);
	return code;
}

void hg_error_at(struct hg_error *err, const char *prefix)
{
	char behind[HG_ERROR_PATH_BYTES];
	struct hg_text path;

	if (err == NULL || prefix[0] == '\0')
		return;
	memcpy(behind, err->path, sizeof(behind));
	hg_text_init(&path, err->path, sizeof(err->path));
	hg_text_add(&path, prefix);
	if (behind[0] != '\0' && behind[0] != '[')
		hg_text_add_char(&path, '.');
	hg_text_add(&path, behind);
}

void hg_error_at_index(struct hg_error *err, const char *name, uint32_t idx)
{
	char prefix[48];
	struct hg_text text;

	hg_text_init(&text, prefix, sizeof(prefix));
	hg_text_add_index(&text, name, idx);
	hg_error_at(err, prefix);
}

const char *hg_error_name(int code)
{
	switch (-code) {
	case HG_EPERM:
		return "EPERM";
	case HG_ENOENT:
		return "ENOENT";
	case HG_EIO:
		return "EIO";
	case HG_EAGAIN:
		return "EAGAIN";
	case HG_ENOMEM:
		return "ENOMEM";
	case HG_EBUSY:
		return "EBUSY";
	case HG_EEXIST:
		return "EEXIST";
	case HG_EINVAL:
		return "EINVAL";
	case HG_ENOSPC:
		return "ENOSPC";
	case HG_ENOTSUP:
		return "ENOTSUP";
	case HG_ETIMEDOUT:
		return "ETIMEDOUT";
	default:
		return "?";
	}
}
