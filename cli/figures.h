/* A model's figures as JSON. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_FIGURES_H
#define HONE_CLI_FIGURES_H

#include "cli/json.h"
#include "trainer/figures.h"

/* "accuracy", or "mse" and "auc" where there is an error; each behind "<stage>_" unless stage is NULL.
 * What was not measured is null. */
void json_figures(Json *j, const char *stage, const Figures *f);

#endif
