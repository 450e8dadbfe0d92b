// The frame of html.h. The style sheet names each colour once, for light and for dark.
#include "html.h"

#include "escape.h"

#include <string.h>

static const char style_sheet[] =
  ":root{color-scheme:light dark;--page:#fff;--text:#1c2128;--soft:#57606a;--line:#d0d7de;--head:#f3f5f7;"
  "--link:#0a58ca;--ok:#e4f5e8;--ok-text:#135a26;--fail:#c4202f;--fail-text:#fff;--less:#ffe3b3;--less-text:#6b3d00;"
  "--known:#efe2fb;--known-text:#5b2a8c;--info:#dcecfb;--info-text:#134a7c;--skip:#eceef0;--skip-text:#57606a}\n"
  "@media screen and (prefers-color-scheme:dark){:root{--page:#14181d;--text:#e3e7eb;--soft:#a0a9b3;--line:#39424c;"
  "--head:#1e242b;--link:#7fb2ff;--ok:#173522;--ok-text:#93dba6;--fail:#d93a48;--fail-text:#fff;--less:#523a0d;"
  "--less-text:#ffd48a;--known:#3a2752;--known-text:#d9bff5;--info:#16344f;"
  "--info-text:#a6d0f7;--skip:#262d35;--skip-text:#a0a9b3}}\n"
  "*{box-sizing:border-box}\n"
  "body{margin:0 auto;max-width:84rem;padding:1.2rem;background:var(--page);color:var(--text);"
  "font:1rem/1.45 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
  "h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}a{color:var(--link)}"
  "p{margin:.4rem 0;max-width:48rem}code{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:.92em}\n"
  ".verdict{font-weight:600;border-left:.3rem solid var(--ok-text);padding-left:.6rem}"
  ".verdict.bad{border-color:var(--fail)}\n"
  "dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.8rem 0}"
  "dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;overflow-wrap:anywhere}\n"
  ".legend{display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;padding:0;margin:.8rem 0;list-style:none;font-size:.92rem}"
  ".legend b{display:inline-block;min-width:3.4rem;text-align:center;border-radius:.2rem;padding:0 .35rem}\n"
  ".box{overflow:auto;max-height:88vh;border:1px solid var(--line);border-radius:.3rem}"
  ".box:focus-visible{outline:2px solid var(--link)}\n"
  "table{border-collapse:separate;border-spacing:0;width:100%;font-size:.88rem}"
  "caption{text-align:left;padding:.5rem .6rem;color:var(--soft);background:var(--head)}"
  "caption span{position:sticky;left:.6rem;display:inline-block;max-width:calc(100vw - 4rem)}\n"
  "th,td{padding:.28rem .5rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}"
  "thead th{position:sticky;top:0;background:var(--head);z-index:1}"
  "tbody th{font-weight:600;background:var(--page);overflow-wrap:break-word}\n"
  "table.grid td,table.grid thead th{text-align:center;vertical-align:middle;border-left:1px solid var(--line)}"
  "table.grid tbody th,table.grid thead :is(td,th:first-child){position:sticky;left:0;text-align:left;"
  "border-left:0;width:1%;vertical-align:middle;white-space:nowrap}"
  "table.grid thead :is(td,th:first-child){top:0;z-index:2;background:var(--head)}"
  "table.grid thead th{white-space:nowrap}table.grid wbr{display:none}\n"
  "table.num td{text-align:right;font-variant-numeric:tabular-nums}table.num thead th+th{text-align:right}"
  "table.sides :is(th,td):nth-child(2){text-align:left!important}"
  "tbody tr:last-child>*{border-bottom:0}td.mark{text-align:center;white-space:nowrap}\n"
  ".ok{background:var(--ok);color:var(--ok-text)}.fail{background:var(--fail);color:var(--fail-text);font-weight:700}"
  ".less{background:var(--less);color:var(--less-text);font-weight:600}"
  ".known{background:var(--known);color:var(--known-text)}.info{background:var(--info);color:var(--info-text)}"
  ".skip{background:var(--skip);color:var(--skip-text)}.none{color:var(--soft)}"
  "td small{display:block;font-weight:400;font-size:.78em;white-space:nowrap}td a.in{color:inherit}\n"
  "tr:target>*{box-shadow:inset 0 2px var(--link),inset 0 -2px var(--link)}"
  ".kind{color:var(--soft);font-weight:400;font-size:.85em}summary{cursor:pointer;margin:.6rem 0}\n";

// Narrow screens, and paper.
static const char style_of_media[] =
  "@media(max-width:40rem){body{padding:.7rem;font-size:.94rem}"
  "dl.facts{grid-template-columns:1fr;gap:0}dl.facts dd{margin-bottom:.35rem}"
  "table.grid tbody th{white-space:normal;min-width:6.5rem;max-width:8rem}"
  "table.grid wbr{display:inline}"
  "table.list thead{display:none}table.list tr{display:block;padding:.4rem 0;border-bottom:1px solid var(--line)}"
  "table.list :is(th,td){display:block;border:0;padding:.1rem .6rem}"
  "table.list td.mark{display:inline-block;margin:.1rem .6rem;border-radius:.2rem}}\n"
  "@media print{:root{color-scheme:light}body{max-width:none;padding:0;font-size:9pt}.box{overflow:visible;"
  "max-height:none;border:0}thead th,table.grid :is(th,td){position:static!important}"
  "tr{break-inside:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}td.fail{border:2px solid}}\n";

void html_open(FILE *out, const char *title, const char *verdict, bool good) {
  fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", out);
  escape_xml(out, title);
  fputs("</title>\n<style>\n", out);
  fputs(style_sheet, out);
  fputs(style_of_media, out);
  fputs("</style>\n</head>\n<body>\n<main>\n<h1>", out);
  escape_xml(out, title);
  fprintf(out, "</h1>\n<p class=\"verdict%s\">", good ? "" : " bad");
  escape_xml(out, verdict);
  fputs("</p>\n", out);
}

void html_close(FILE *out) {
  fputs("</main>\n</body>\n</html>\n", out);
}

void html_name(FILE *out, const char *name) {
  while (*name != 0) {
    char part[64];
    size_t length = strcspn(name, "/_-");
    if (name[length] != 0) length++;
    snprintf(part, sizeof part, "%.*s", (int)length, name);
    escape_xml(out, part);
    if (name[length] != 0) fputs("<wbr>", out);
    name += length;
  }
}

void html_fact(FILE *out, const char *name, const char *value) {
  if (value[0] == 0) return;
  fprintf(out, "<dt>%s</dt><dd>", name);
  escape_xml(out, value);
  fputs("</dd>\n", out);
}

void html_cell(FILE *out, const struct mark *mark, const char *small, const char *hint, const char *target) {
  fprintf(out, "<td class=\"mark %s\"", mark->style);
  if (hint[0] != 0) {
    fputs(" title=\"", out);
    escape_xml(out, hint);
    fputc('"', out);
  }
  fputc('>', out);
  if (target != NULL) {
    fputs("<a class=\"in\" href=\"#", out);
    escape_xml(out, target);
    fputs("\">", out);
  }
  fputs(mark->word, out);
  if (target != NULL) fputs("</a>", out);
  if (small[0] != 0) {
    fputs("<small>", out);
    escape_xml(out, small);
    fputs("</small>", out);
  }
  fputs("</td>", out);
}

void html_legend(FILE *out, const unsigned count[MARK_COUNT]) {
  fputs("<ul class=\"legend\" aria-label=\"What the marks mean, and how often each was given\">\n", out);
  for (int i = 0; i < MARK_COUNT; i++)
    if (count[i] > 0)
      fprintf(out, "<li><b class=\"%s\">%s</b> %u: %s</li>\n", marks[i].style, marks[i].word, count[i],
              marks[i].meaning);
  fputs("</ul>\n", out);
}

void html_table_open(FILE *out, const char *style, const char *label, const char *caption, const char *columns) {
  fprintf(out, "<div class=\"box\" role=\"region\" tabindex=\"0\" aria-label=\"%s\">\n", label);
  fprintf(out, "<table class=\"%s\">\n", style);
  if (caption[0] != 0) fprintf(out, "<caption><span>%s</span></caption>\n", caption);
  fputs("<thead><tr>", out);
  for (size_t length; *columns != 0; columns += length + (columns[length] == '|')) {
    length = strcspn(columns, "|");
    // The corner of a grid has no head.
    if (length == 0)
      fputs("<td></td>", out);
    else
      fprintf(out, "<th scope=\"col\">%.*s</th>", (int)length, columns);
  }
  fputs("</tr></thead>\n<tbody>\n", out);
}

void html_table_close(FILE *out) {
  fputs("</tbody>\n</table>\n</div>\n", out);
}
