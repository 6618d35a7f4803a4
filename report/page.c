/* The page of a run: see page.h. SPDX-License-Identifier: Apache-2.0 */
#include "report/page.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* Confusion matrices of more classes are too large to be read. */
enum { CLASSES_SHOWN = 40 };

static const char style[] =
    ":root{--bg:#fff;--fg:#1b1f24;--soft:#667;--line:#d8dde3;--a:#2563c9;--b:#d9622b;--c:#2a9158;"
    "--d:#8a4fc4}"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e8eb;--soft:#98a1ab;--line:#"
    "333a42;"
    "--a:#6ea8ff;--b:#ff9a66;--c:#5fd39a;--d:#c49aff}}"
    "body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;max-width:1120px;"
    "margin:2em auto;padding:0 1em}"
    "h1{font-size:1.6em;margin:0}h2{font-size:1.15em;margin:2em 0 .6em}"
    "table{border-collapse:collapse;font-size:13px}"
    "td,th{padding:3px 10px;text-align:right;border-bottom:1px solid "
    "var(--line);white-space:nowrap}"
    "th{font-weight:600;color:var(--soft)}td.l,th.l{text-align:left}"
    ".wide{overflow-x:auto}"
    "dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:10px}"
    "dt{color:var(--soft);font-size:12px}dd{margin:0;font-size:1.15em}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:12px}"
    "figure{margin:0}figcaption{font-weight:600;font-size:13px}"
    "figcaption span{display:inline-block;width:14px;height:3px;margin:0 5px 3px 12px}"
    "svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--soft)}"
    "polyline{fill:none;stroke-width:1.6}"
    ".s0{stroke:var(--a)}.s1{stroke:var(--b)}.s2{stroke:var(--c)}.s3{stroke:var(--d)}"
    ".k0{background:var(--a)}.k1{background:var(--b)}.k2{background:var(--c)}.k3{background:var(--"
    "d)}"
    ".grid{stroke:var(--line)}line.mark{stroke:var(--soft);stroke-dasharray:3 3}"
    "svg.small{width:96px;height:22px;vertical-align:middle}svg.small path{fill:var(--a)}"
    ".samples{display:flex;flex-wrap:wrap;gap:12px}.samples div{width:104px;font-size:12px;"
    "line-height:1.3}.samples img{width:96px;image-rendering:pixelated;display:block}"
    ".wrong{color:var(--b)}.confusion td{text-align:center;padding:3px 6px}.confusion "
    "td.l{text-align:left}"
    "pre{background:color-mix(in srgb,var(--fg) 5%,transparent);padding:1em;overflow-x:auto;"
    "font-size:12px}";

/* ---- cells ---- */

static void add_cell(Text *t, const char *text, bool left)
{
    text_add(t, left ? "<td class=l>" : "<td>");
    html_add(t, text);
    text_add(t, "</td>");
}

/* Empty where there is no number. */
static void add_number(Text *t, double v, const char *format)
{
    char text[40] = "";
    if (isfinite(v))
        snprintf(text, sizeof text, format, v);
    add_cell(t, text, false);
}

static void add_bits(Text *t, int bits)
{
    add_number(t, bits > 0 ? (double)bits : (double)NAN, "%.0f");
}

static void add_picture_cell(Text *t, const Histogram *h)
{
    text_add(t, "<td>");
    if (h && h->count > 0)
        chart_add_histogram(t, h);
    text_add(t, "</td>");
}

/* ---- parts ---- */

static void add_facts(Text *t, const Page *p)
{
    text_add(t, "<dl>");
    for (int i = 0; i < p->fact_count; i++) {
        text_add(t, "<div><dt>");
        html_add(t, p->facts[i].name);
        text_add(t, "<dd>");
        html_add(t, p->facts[i].value);
        text_add(t, "</div>");
    }
    text_add(t, "</dl>\n");
}

static void add_charts(Text *t, const Page *p)
{
    if (p->chart_count == 0)
        return;
    text_add(t, "<h2>Course of the training</h2><div class=charts>\n");
    for (int i = 0; i < p->chart_count; i++)
        chart_add(t, &p->charts[i]);
    text_add(t, "</div>\n");
}

static void add_layer(Text *t, const PageLayer *l)
{
    text_add(t, "<tr>");
    add_cell(t, l->name, true);
    add_cell(t, l->kind, true);
    add_cell(t, l->shape, false);
    add_bits(t, l->weight_bits);
    add_bits(t, l->output_bits);
    add_number(t, l->low, "%.4g");
    add_number(t, l->high, "%.4g");
    add_number(t, l->weight_sqnr, "%.1f");
    add_number(t, l->output_sqnr, "%.1f");
    add_number(t, 100 * l->sparsity, "%.1f %%");
    add_number(t, l->bytes > 0 ? (double)l->bytes : NAN, "%.0f");
    add_picture_cell(t, l->weights);
    add_picture_cell(t, l->outputs);
    text_add(t, "</tr>\n");
}

static void add_layers(Text *t, const Page *p)
{
    if (p->layer_count == 0)
        return;
    text_add(t,
             "<h2>Layers</h2><div class=wide><table><tr><th class=l>layer<th class=l>operation"
             "<th>output<th title=\"of the weights\">bits w<th title=\"of the output\">bits y"
             "<th>low<th>high<th title=\"signal to quantization noise of the weights, dB\">SQNR w"
             "<th title=\"of the output, dB\">SQNR y<th>zeros<th>bytes<th>weights<th>outputs"
             "</tr>\n");
    for (int i = 0; i < p->layer_count; i++)
        add_layer(t, &p->layers[i]);
    text_add(t, "</table></div>\n");
}

/* The share of its row gives a cell its color: blue on the diagonal, orange off it. */
static void add_confusion_row(Text *t, const Page *p, int label)
{
    const int64_t *row = p->confusion + (size_t)label * (size_t)p->classes;
    int64_t all = 0;
    for (int k = 0; k < p->classes; k++)
        all += row[k];
    text_add(t, "<tr>");
    add_cell(t, p->class_names[label], true);
    for (int k = 0; k < p->classes; k++) {
        const double share = all > 0 ? 100 * (double)row[k] / (double)all : 0;
        text_printf(t, "<td style=\"background:color-mix(in srgb,var(--%c) %.0f%%,transparent)\">",
                    k == label ? 'a' : 'b', k == label ? share * 0.6 : share);
        if (row[k] > 0)
            text_printf(t, "%" PRId64, row[k]);
        text_add(t, "</td>");
    }
    text_printf(t, "<td>%.1f %%</td></tr>\n", all > 0 ? 100 * (double)row[label] / (double)all : 0);
}

static void add_confusion(Text *t, const Page *p)
{
    if (!p->confusion || p->classes > CLASSES_SHOWN)
        return;
    text_add(t, "<h2>Confusion</h2><div class=wide><table class=confusion>"
                "<tr><th class=l>is \\ taken for");
    for (int k = 0; k < p->classes; k++) {
        text_add(t, "<th>");
        html_add(t, p->class_names[k]);
    }
    text_add(t, "<th>right</tr>\n");
    for (int k = 0; k < p->classes; k++)
        add_confusion_row(t, p, k);
    text_add(t, "</table></div>\n");
}

static void add_samples(Text *t, const Page *p)
{
    if (p->sample_count == 0)
        return;
    text_add(t, "<h2>Samples</h2><div class=samples>\n");
    for (int i = 0; i < p->sample_count; i++) {
        const PageSample *s = &p->samples[i];
        text_printf(t, "<div%s>", s->right ? "" : " class=wrong");
        html_add_picture(t, &s->picture, s->label);
        html_add(t, s->prediction);
        if (!isnan(s->confidence))
            text_printf(t, " %.0f %%", 100 * s->confidence);
        if (!s->right) {
            text_add(t, "<br>is ");
            html_add(t, s->label);
        }
        text_add(t, "</div>\n");
    }
    text_add(t, "</div>\n");
}

void page_print(const Page *p, Text *t)
{
    text_add(t, "<!doctype html>\n<html lang=en><meta charset=utf-8>"
                "<meta name=viewport content=\"width=device-width\"><title>");
    html_add(t, p->title);
    text_add(t, "</title><style>");
    text_add(t, style);
    text_add(t, "</style>\n<h1>");
    html_add(t, p->title);
    text_add(t, "</h1>\n");
    add_facts(t, p);
    add_charts(t, p);
    add_confusion(t, p);
    add_samples(t, p);
    add_layers(t, p);
    if (p->config) {
        text_add(t, "<h2>Configuration</h2><pre>");
        html_add(t, p->config);
        text_add(t, "</pre>\n");
    }
    text_add(t, "</html>\n");
}
