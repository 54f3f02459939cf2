#include "drivers/text.h"

#include "core/text.h"

#include <string.h>

/* As IFNAMSIZ - 1, which this file may not include. */
#define INTERFACE_BYTES_MAX 15u

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static int refuse(struct hg_error *reterr, const char *device, const char *why)
{
	char quoted[64];
	struct hg_text text;

	hg_text_init(&text, quoted, sizeof(quoted));
	hg_text_add_quoted(&text, device);
	return hg_error_set(reterr, -HG_EINVAL, "the device ", quoted, " ", why,
			    "; a device is DRIVER:NAME, DRIVER(KEY=VALUE,...):NAME or "
			    "WRAPPER(KEY=VALUE,...)+DEVICE",
			    NULL);
}

/* Copies the characters up to `end` that are fit for a word; returns how many, 0 if none or too many. */
static size_t copy_word(const char *from, char *to, size_t size)
{
	size_t n = 0;

	while (is_word_char(from[n]))
		n++;
	if (n == 0 || n >= size)
		return 0;
	memcpy(to, from, n);
	to[n] = '\0';
	return n;
}

static size_t copy_value(const char *from, char *to, size_t size)
{
	size_t n = strcspn(from, ",() ");

	if (n == 0 || n >= size)
		return 0;
	memcpy(to, from, n);
	to[n] = '\0';
	return n;
}

/* Reads "(key=value,...)" at `at`; returns the place behind it, or NULL with *ret_why. */
static const char *parse_params(const char *at, struct hg_dev_text *text, const char **ret_why)
{
	at++;
	while (*at != ')') {
		size_t n;

		if (text->n_params == HG_DEV_PARAMS_MAX) {
			*ret_why = "has too many parameters";
			return NULL;
		}
		n = copy_word(at, text->params[text->n_params].key, HG_DEV_WORD_BYTES);
		at += n;
		if (n == 0 || *at != '=') {
			*ret_why = "has a parameter that is not KEY=VALUE";
			return NULL;
		}
		at++;
		n = copy_value(at, text->params[text->n_params].value, HG_DEV_VALUE_BYTES);
		at += n;
		if (n == 0 || (*at != ',' && *at != ')')) {
			*ret_why = "has a parameter without a value, or no closing bracket";
			return NULL;
		}
		text->n_params++;
		if (*at == ',')
			at++;
	}
	return at + 1;
}

int hg_dev_text_parse(const char *device, struct hg_dev_text *ret_text, struct hg_error *reterr)
{
	struct hg_dev_text text = {0};
	const char *at = device, *why = NULL;
	size_t n = copy_word(at, text.driver, sizeof(text.driver));

	if (n == 0)
		return refuse(reterr, device, "does not begin with the name of a driver");
	at += n;
	if (*at == '(') {
		at = parse_params(at, &text, &why);
		if (at == NULL)
			return refuse(reterr, device, why);
	}
	if (*at != ':' && *at != '+')
		return refuse(reterr, device, "has no ':' or '+' behind the driver");
	if (at[1] == '\0')
		return refuse(reterr, device, "ends where a name was to follow");
	if (*at == ':')
		text.name = at + 1;
	else
		text.inner = at + 1;
	for (unsigned i = 0; i < text.n_params; i++)
		for (unsigned k = 0; k < i; k++)
			if (strcmp(text.params[i].key, text.params[k].key) == 0)
				return refuse(reterr, device, "gives a parameter twice");
	*ret_text = text;
	return 0;
}

const char *hg_dev_text_param(const struct hg_dev_text *text, const char *key)
{
	for (unsigned i = 0; i < text->n_params; i++)
		if (strcmp(text->params[i].key, key) == 0)
			return text->params[i].value;
	return NULL;
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance; words longer than HG_DEV_WORD_BYTES are as far as can be. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[HG_DEV_WORD_BYTES + 1];
	size_t n_a = strlen(a), n_b = strlen(b);

	if (n_a > HG_DEV_WORD_BYTES || n_b > HG_DEV_WORD_BYTES)
		return HG_DEV_WORD_BYTES;
	for (unsigned k = 0; k <= n_b; k++)
		row[k] = k;
	for (unsigned i = 1; i <= n_a; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned k = 1; k <= n_b; k++) {
			unsigned change = diagonal + (a[i - 1] != b[k - 1]);

			diagonal = row[k];
			row[k] = smaller(change, smaller(row[k], row[k - 1]) + 1);
		}
	}
	return row[n_b];
}

const char *hg_dev_text_nearest(const char *word, const char *const *words)
{
	const char *nearest = NULL;
	unsigned least = smaller(4, (unsigned)strlen(word) / 2u + 1u);

	for (; *words != NULL; words++) {
		unsigned edits = distance(word, *words);

		if (edits < least) {
			least = edits;
			nearest = *words;
		}
	}
	return nearest;
}

static void add_list(struct hg_text *text, const char *const *words)
{
	for (unsigned i = 0; words[i] != NULL; i++) {
		hg_text_add(text, i > 0 ? ", " : "");
		hg_text_add(text, words[i]);
	}
}

/* "WHAT "x" is not one of a, b, c; did you mean a?" */
static int refuse_word(struct hg_error *reterr, const char *what, const char *word,
		       const char *const *words)
{
	char sentence[HG_ERROR_TEXT_BYTES];
	const char *nearest = hg_dev_text_nearest(word, words);
	struct hg_text text;

	hg_text_init(&text, sentence, sizeof(sentence));
	hg_text_add(&text, what);
	hg_text_add(&text, " ");
	hg_text_add_quoted(&text, word);
	if (words[0] == NULL) {
		hg_text_add(&text, " is not known: this driver has no parameters");
	} else {
		hg_text_add(&text, " is not one of: ");
		add_list(&text, words);
	}
	if (nearest != NULL) {
		hg_text_add(&text, "; did you mean ");
		hg_text_add(&text, nearest);
		hg_text_add(&text, "?");
	}
	return hg_error_set(reterr, -HG_EINVAL, sentence, NULL);
}

int hg_dev_text_allow(const struct hg_dev_text *text, const char *const *keys,
		      struct hg_error *reterr)
{
	for (unsigned i = 0; i < text->n_params; i++) {
		bool is_known = false;

		for (unsigned k = 0; keys[k] != NULL; k++)
			is_known = is_known || strcmp(keys[k], text->params[i].key) == 0;
		if (!is_known)
			return refuse_word(reterr, "the device parameter", text->params[i].key,
					   keys);
	}
	return 0;
}

int hg_dev_text_number(const struct hg_dev_text *text, const char *key, uint64_t lo, uint64_t hi,
		       uint64_t *ret, struct hg_error *reterr)
{
	const char *value = hg_dev_text_param(text, key);
	char range[64];
	struct hg_text allowed;
	uint64_t number = 0;
	bool is_number = true;

	if (value == NULL)
		return 0;
	for (const char *at = value; *at != '\0'; at++) {
		is_number = is_number && *at >= '0' && *at <= '9' && number <= hi;
		if (is_number)
			number = number * 10u + (uint64_t)(*at - '0');
	}
	if (is_number && number >= lo && number <= hi) {
		*ret = number;
		return 0;
	}
	hg_text_init(&allowed, range, sizeof(range));
	hg_text_add_u64(&allowed, lo);
	hg_text_add(&allowed, " to ");
	hg_text_add_u64(&allowed, hi);
	return hg_error_set(reterr, -HG_EINVAL, "the device parameter ", key, "=", value,
			    " is not a whole number from ", range, NULL);
}

int hg_dev_text_choice(const struct hg_dev_text *text, const char *key, const char *const *words,
		       unsigned *ret, struct hg_error *reterr)
{
	const char *value = hg_dev_text_param(text, key);
	char what[96];
	struct hg_text out;

	if (value == NULL)
		return 0;
	for (unsigned i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], value) == 0) {
			*ret = i;
			return 0;
		}
	}
	hg_text_init(&out, what, sizeof(what));
	hg_text_add(&out, "the device parameter ");
	hg_text_add(&out, key);
	hg_text_add(&out, ":");
	return refuse_word(reterr, what, value, words);
}

int hg_dev_text_check_interface(const char *device, struct hg_error *reterr)
{
	static const char *const none[] = {NULL};
	struct hg_dev_text text;
	size_t n;
	int r = hg_dev_text_parse(device, &text, reterr);

	if (r < 0)
		return r;
	r = hg_dev_text_allow(&text, none, reterr);
	if (r < 0)
		return r;
	n = text.name == NULL ? 0 : strlen(text.name);
	if (n < 1 || n > INTERFACE_BYTES_MAX || strpbrk(text.name, "/: \t\n%") != NULL ||
	    strcmp(text.name, ".") == 0 || strcmp(text.name, "..") == 0)
		return refuse(reterr, device,
			      "does not name an interface (1 to 15 bytes, without '/', ':', '%' "
			      "and spaces)");
	return 0;
}
