/* Figures from outputs: see score.h. Images are added in order, so that sums in double do not depend on
 * how they were batched. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/score.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

int scorer_open(Scorer *s, const LossOptions *loss, int outputs, int64_t images, Error *e)
{
    *s = (Scorer){.outputs = outputs, .room = images};
    if (loss)
        s->loss = *loss;
    if (s->loss.target != LOSS_OF_INPUT)
        return HONE_OK;
    s->target = malloc((size_t)outputs * sizeof *s->target);
    s->images = malloc(((size_t)images + 1) * sizeof *s->images); /* 0 images are some bytes too */
    if (!s->target || !s->images)
        return error_memory(e, "an evaluation", (size_t)images * sizeof *s->images);
    return HONE_OK;
}

void scorer_close(Scorer *s)
{
    free(s->target);
    free(s->images);
    *s = (Scorer){.outputs = 0};
}

int scorer_largest(const double *v, int count)
{
    int top = 0;
    for (int i = 1; i < count; i++)
        if (v[i] > v[top])
            top = i;
    return top;
}

#define LEAST_PROBABILITY (1.0 / 512)

void scorer_outputs(const int8_t *codes, size_t count, Grid grid, bool softmax, double *row)
{
    for (size_t k = 0; k < count; k++) {
        const double v = (double)grid.scale * (codes[k] - grid.zero_point);
        row[k] = !softmax ? v : log(v > LEAST_PROBABILITY ? v : LEAST_PROBABILITY);
    }
}

void scorer_add(Scorer *s, const double *outputs, const uint8_t *pixels, int32_t label)
{
    assert(s->n < s->room);
    for (int i = 0; s->target && i < s->outputs; i++)
        s->target[i] = (pixels[i] - 128) / 128.0;
    double loss = loss_of_sample((LossKind)s->loss.kind, outputs, s->outputs, s->target, label);
    if (s->images)
        s->images[s->n] = (ScoredImage){loss, label};
    else
        s->correct += scorer_largest(outputs, s->outputs) == label;
    s->loss_sum += loss;
    s->n++;
}

void scorer_finish(Scorer *s, Evaluation *v)
{
    double n = s->n > 0 ? (double)s->n : 1;
    *v = (Evaluation){
        .figures = figures_none(), .loss = s->loss_sum / n, .n = s->n, .correct = s->correct};
    if (s->images) {
        v->figures.mse = v->loss;
        v->figures.auc = figures_auc(s->images, (size_t)s->n);
    } else {
        v->figures.accuracy = (double)s->correct / n;
    }
}
