/* table: columns of text that fit a terminal.
 *
 * Why        A terminal has 80 columns, and a line broken by it is hard to read.
 * Model      A column has a title, a width, and a side. Text that is too long is cut and ends with '~'; the
 *            last column of the left side may run on. Colour is put around a cell after it was measured.
 * Memory     None of its own. Threads: one. Errors: none.
 */
#ifndef HG_CLI_TABLE_H
#define HG_CLI_TABLE_H

#include "cli/cli.h"

enum hg_colour { HG_PLAIN = 0, HG_BOLD, HG_RED, HG_GREEN, HG_YELLOW, HG_DIM };

struct hg_column {
	const char *title; /* NULL: end */
	int width; /* negative: to the left */
};

void hg_table_head(const struct hg_cli *cli, const struct hg_column *columns);
/* Prints column number `column`; the last of a line ends it. */
void hg_table_cell(const struct hg_cli *cli, const struct hg_column *columns, unsigned column,
		   enum hg_colour colour, const char *text);
/* Text in a colour, where there is any. */
void hg_table_text(const struct hg_cli *cli, enum hg_colour colour, const char *text);

/* Words in lines of at most HG_TABLE_WIDTH columns, the first of which begins behind `column` that are
 * written already, the others behind `indent` blanks; ends the line. A word is never cut. */
#define HG_TABLE_WIDTH 80u
void hg_table_wrap(FILE *out, unsigned column, unsigned indent, const char *text);

/* Lines over what a screen of n_rows shows (0: nobody knows how many), line by line: a screen that is cleared each second
 * flickers, and one that scrolls loses its first line. What finds no room is counted in the last. */
void hg_table_page(FILE *out, const char *text, unsigned n_rows);

#endif
