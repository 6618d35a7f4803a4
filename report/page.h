/* report.html: one page about one run, readable without a network. Takes plain numbers; who gathers
 * them is trainer/report.h.
 *
 *     Page p = {.title = "mobilenet_qat", ...};
 *     Text t = {0};
 *     page_print(&p, &t);
 *
 * Everything is borrowed. Parts that are empty are left out. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_REPORT_PAGE_H
#define HONE_REPORT_PAGE_H

#include "report/chart.h"
#include "report/html.h"

/* A line of the table of facts: "parameters", "392,842". */
typedef struct PageFact {
    const char *name, *value;
} PageFact;

/* A weighted or other quantized layer. Numbers that do not exist are NaN; bits of float are 0. */
typedef struct PageLayer {
    const char *name, *kind;
    const char *shape;                  /* of its output, as text */
    int weight_bits, output_bits;       /* 0: not quantized, or none */
    double low, high;                   /* range of the output */
    double weight_sqnr, output_sqnr;    /* dB */
    double sparsity;                    /* zeros among the weights, 0..1; NaN without weights */
    int64_t bytes;                      /* of weights and biases as they are stored; 0: none */
    const Histogram *weights, *outputs; /* or NULL */
} PageLayer;

typedef struct PageSample {
    HtmlPicture picture;
    const char *label, *prediction;
    double confidence; /* probability of the prediction; NaN: unknown */
    bool right;
} PageSample;

typedef struct Page {
    const char *title;
    const PageFact *facts;
    int fact_count;
    const Chart *charts;
    int chart_count;
    const PageLayer *layers;
    int layer_count;
    const int64_t *confusion; /* [classes][classes], row: label, column: prediction; or NULL */
    const char *const *class_names; /* [classes] */
    int classes;
    const PageSample *samples;
    int sample_count;
    const char *config; /* the configuration, as YAML */
} Page;

/* Appends the page. */
void page_print(const Page *p, Text *t);

#endif
