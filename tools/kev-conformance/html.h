// The frame of a page: its head with the style sheet, the end, and the pieces that the pages have in common.
//
// A page is one file that needs no script, no font and no other file. It follows the reader's light or dark setting,
// prints, and can be read down to the width of a telephone. Colour never stands alone: each cell has its word.
#ifndef HTML_H
#define HTML_H

#include "grid.h"
#include "mark.h"

// Up to and including <h1>. `verdict` is the line below it; `good` decides about its colour.
void html_open(FILE *out, const char *title, const char *verdict, bool good);
void html_close(FILE *out);

// The name of a case or a point, which may be broken after '/', '_' and '-'.
void html_name(FILE *out, const char *name);

// A row of a <dl class="facts">; nothing if the value is empty.
void html_fact(FILE *out, const char *name, const char *value);

// A table cell with a mark: its word, below it `small` (may be empty), `hint` as title (may be empty), and a link to
// the element `target` of the page (NULL: none).
void html_cell(FILE *out, const struct mark *mark, const char *small, const char *hint, const char *target);

// What each mark means, and how often it was given; marks that were not given are left out.
void html_legend(FILE *out, const unsigned count[MARK_COUNT]);

// A table in the box in which it scrolls if it is wide, up to and including <tbody>. `label` is for readers who cannot
// see it; `caption` may be empty; `columns` are the heads, with '|' between.
void html_table_open(FILE *out, const char *style, const char *label, const char *caption, const char *columns);
void html_table_close(FILE *out);

#endif
