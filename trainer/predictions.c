/* Confusion and examples: see predictions.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/predictions.h"

#include <stdlib.h>
#include <string.h>

typedef struct Watch {
    Predictions *p;
    size_t bytes;      /* of an image */
    LossOutput output; /* what outputs are */
    double *row;       /* [classes], of one image */
} Watch;

static void judge(const Watch *w, const double *outputs, Prediction *is)
{
    const int classes = w->p->classes;
    memcpy(w->row, outputs, (size_t)classes * sizeof *w->row);
    loss_probabilities(w->output, w->row, classes);
    is->predicted = scorer_largest(outputs, classes);
    is->confidence = w->row[is->predicted];
}

static void keep(const Watch *w, Prediction *to, const Prediction *is, const uint8_t *pixels)
{
    uint8_t *room = to->pixels;
    memcpy(room, pixels, w->bytes);
    *to = *is;
    to->pixels = room;
}

/* Into the list ordered by confidence; the least confident falls out when it is full. */
static void keep_wrong(const Watch *w, const Prediction *is, const uint8_t *pixels)
{
    Predictions *p = w->p;
    int at = p->wrong_count;
    if (at == p->room && (at == 0 || p->wrong[at - 1].confidence >= is->confidence))
        return;
    if (at == p->room)
        at--;
    else
        p->wrong_count++;
    const Prediction last = p->wrong[at];
    for (; at > 0 && p->wrong[at - 1].confidence < is->confidence; at--)
        p->wrong[at] = p->wrong[at - 1];
    p->wrong[at] = last;
    keep(w, &p->wrong[at], is, pixels);
}

static void each(void *context, const Batch *b, int image, const double *outputs)
{
    const Watch *w = context;
    Predictions *p = w->p;
    Prediction is = {.label = b->labels[image]};
    const uint8_t *pixels = b->pixels + (size_t)image * w->bytes;
    judge(w, outputs, &is);
    p->confusion[(size_t)is.label * (size_t)p->classes + (size_t)is.predicted]++;
    if (p->first_count < p->room)
        keep(w, &p->first[p->first_count++], &is, pixels);
    if (is.label != is.predicted)
        keep_wrong(w, &is, pixels);
}

static int allocate(Predictions *p, size_t bytes, Error *e)
{
    const size_t cells = (size_t)p->classes * (size_t)p->classes;
    p->confusion = calloc(cells, sizeof *p->confusion);
    p->wrong = calloc((size_t)p->room + 1, sizeof *p->wrong);
    p->first = calloc((size_t)p->room + 1, sizeof *p->first);
    bool enough = p->confusion && p->wrong && p->first;
    for (int i = 0; i < p->room && enough; i++) {
        p->wrong[i].pixels = malloc(bytes);
        p->first[i].pixels = malloc(bytes);
        enough = p->wrong[i].pixels && p->first[i].pixels;
    }
    return enough ? HONE_OK : error_memory(e, "predictions", cells * sizeof *p->confusion);
}

int predictions_new(Predictions *p, const Session *s, bool integer, int shown,
                    const TrainEvents *events, Error *e)
{
    const DatasetInfo *info = dataset_info(s->dataset);
    Watch watch = {p, info->sample_bytes, loss_output(&s->config->options->train.loss), NULL};
    EvaluateOptions how = {
        .split = DATASET_TEST, .events = events, .each = each, .context = &watch};
    Evaluation v;
    *p = (Predictions){.classes = info->classes, .room = shown};
    int status = allocate(p, info->sample_bytes, e);
    watch.row = calloc((size_t)p->classes, sizeof *watch.row);
    if (status == HONE_OK && !watch.row)
        status = error_memory(e, "predictions", (size_t)p->classes * sizeof *watch.row);
    if (status == HONE_OK)
        status = integer ? evaluate_integer(&v, s, &how, e) : evaluate_model(&v, s, &how, e);
    free(watch.row);
    if (status != HONE_OK)
        predictions_free(p);
    return status;
}

void predictions_free(Predictions *p)
{
    for (int i = 0; i < p->room; i++) {
        if (p->wrong)
            free(p->wrong[i].pixels);
        if (p->first)
            free(p->first[i].pixels);
    }
    free(p->confusion);
    free(p->wrong);
    free(p->first);
    *p = (Predictions){0};
}
