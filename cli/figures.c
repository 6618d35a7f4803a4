/* A model's figures as JSON: see figures.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/figures.h"

#include <stdio.h>

static void json_figure(Json *j, const char *stage, const char *name, double value)
{
    char key[64];
    snprintf(key, sizeof key, "%s%s%s", stage ? stage : "", stage ? "_" : "", name);
    if (value >= 0)
        json_real(j, key, value);
    else
        json_text(j, key, NULL);
}

void json_figures(Json *j, const char *stage, const Figures *f)
{
    if (f->mse >= 0) {
        json_figure(j, stage, "mse", f->mse);
        json_figure(j, stage, "auc", f->auc);
    } else {
        json_figure(j, stage, "accuracy", f->accuracy);
    }
}
