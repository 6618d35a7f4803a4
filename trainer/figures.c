/* Figures of a model: see figures.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

Figures figures_none(void)
{
    return (Figures){FIGURE_NONE, FIGURE_NONE, FIGURE_NONE};
}

bool figures_known(const Figures *f)
{
    return f->accuracy >= 0 || f->mse >= 0;
}

bool figures_better(const Figures *a, const Figures *b)
{
    if (a->mse >= 0)
        return b->mse < 0 || a->mse < b->mse;
    return a->accuracy > b->accuracy;
}

const char *figures_name(const Figures *f)
{
    return f->mse >= 0 ? "mean squared error" : "accuracy";
}

FiguresText figures_text(const Figures *f)
{
    FiguresText t = {"-"};
    if (f->mse >= 0 && f->auc >= 0)
        snprintf(t.text, sizeof t.text, "%.4g (AUC %.4f)", f->mse, f->auc);
    else if (f->mse >= 0)
        snprintf(t.text, sizeof t.text, "%.4g", f->mse);
    else if (f->accuracy >= 0)
        snprintf(t.text, sizeof t.text, "%.2f %%", 100 * f->accuracy);
    return t;
}

static void add_figure(Json *j, const char *stage, const char *name, double value)
{
    char key[64];
    snprintf(key, sizeof key, "%s%s%s", stage ? stage : "", stage ? "_" : "", name);
    json_real(j, key, value >= 0 ? value : NAN);
}

void figures_json(const Figures *f, bool classifies, const char *stage, Json *j)
{
    if (classifies) {
        add_figure(j, stage, "accuracy", f->accuracy);
    } else {
        add_figure(j, stage, "mse", f->mse);
        add_figure(j, stage, "auc", f->auc);
    }
}

/* ---- area under the curve ---- */

static int by_score(const void *a, const void *b)
{
    const ScoredImage *x = a, *y = b;
    return (x->score > y->score) - (x->score < y->score);
}

/* Twice the number of pairs an anomaly wins, so that ties stay whole. */
double figures_auc(ScoredImage *images, size_t count)
{
    int64_t below[2] = {0}, wins = 0; /* images of each label with a smaller score */
    if (count > 0)
        qsort(images, count, sizeof *images, by_score);
    for (size_t begin = 0, end; begin < count; begin = end) {
        int64_t equal[2] = {0};
        for (end = begin; end < count && images[end].score == images[begin].score; end++) {
            if (images[end].label != 0 && images[end].label != 1)
                return FIGURE_NONE;
            equal[images[end].label]++;
        }
        if (end == begin) /* a score that is not a number */
            return FIGURE_NONE;
        wins += equal[1] * (2 * below[0] + equal[0]);
        below[0] += equal[0];
        below[1] += equal[1];
    }
    if (below[0] == 0 || below[1] == 0)
        return FIGURE_NONE;
    return (double)wins / (2 * (double)below[0] * (double)below[1]);
}
