#include "cli/table.h"

#include <string.h>

#define CELL_BYTES 128

static const char *const codes[] = {
	[HG_PLAIN] = "",         [HG_BOLD] = "\033[1m",    [HG_RED] = "\033[31m",
	[HG_GREEN] = "\033[32m", [HG_YELLOW] = "\033[33m", [HG_DIM] = "\033[2m",
};

void hg_table_text(const struct hg_cli *cli, enum hg_colour colour, const char *text)
{
	bool is_coloured = cli->has_colour && colour != HG_PLAIN;

	fprintf(cli->out, "%s%s%s", is_coloured ? codes[colour] : "", text,
		is_coloured ? "\033[0m" : "");
}

void hg_table_wrap(FILE *out, unsigned column, unsigned indent, const char *text)
{
	bool is_first = true; /* in its line */

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (!is_first && column + 1 + n > HG_TABLE_WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
			is_first = true;
		}
		fprintf(out, "%s%.*s", is_first ? "" : " ", (int)n, text);
		column += (unsigned)n + !is_first;
		is_first = false;
		text += n + (text[n] == ' ');
	}
	fputc('\n', out);
}

void hg_table_cell(const struct hg_cli *cli, const struct hg_column *columns, unsigned column,
		   enum hg_colour colour, const char *text)
{
	bool is_last = columns[column + 1].title == NULL;
	int width = columns[column].width, room = width < 0 ? -width : width;
	char cell[CELL_BYTES];

	if (is_last && width < 0) {
		hg_table_text(cli, colour, text);
		fputc('\n', cli->out);
		return;
	}
	snprintf(cell, sizeof(cell), "%*.*s", width, room, text);
	if ((int)strlen(text) > room && room > 0)
		cell[room - 1] = '~';
	hg_table_text(cli, colour, cell);
	fputc(is_last ? '\n' : ' ', cli->out);
}

void hg_table_head(const struct hg_cli *cli, const struct hg_column *columns)
{
	for (unsigned i = 0; columns[i].title != NULL; i++)
		hg_table_cell(cli, columns, i, HG_BOLD, columns[i].title);
}

static unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

void hg_table_page(FILE *out, const char *text, unsigned n_rows)
{
	/* Behind the last line there is another, on which the cursor stands. */
	unsigned n_lines = count_lines(text), n_room = n_rows > 2 ? n_rows - 1u : n_lines;
	unsigned n_shown = n_lines <= n_room ? n_lines : n_room - 1u;

	fputs("\033[H", out);
	for (unsigned i = 0; i < n_shown; i++) {
		size_t n = strcspn(text, "\n");

		fprintf(out, "\033[K%.*s\n", (int)n, text);
		text += n + 1;
	}
	if (n_shown < n_lines)
		fprintf(out, "\033[K\033[0m... %u lines more than this terminal has room for\n",
			n_lines - n_shown);
	else
		fputs(text, out); /* what ends a colour */
	fputs("\033[J", out);
}
