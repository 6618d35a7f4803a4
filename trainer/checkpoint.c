/* Saving and restoring a run: see checkpoint.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 320

void progress_init(Progress *p)
{
    *p = (Progress){.best_step = -1, .test_step = -1};
#define SET(name) p->name##_figures = figures_none();
    PROGRESS_FIGURES(SET)
#undef SET
}

/* ---- the arrays, for saving and loading alike ---- */

static int add_array(StateDict *d, const char *folder, const Param *p, StateType type, void *data,
                     Error *e)
{
    char name[NAME_BYTES];
    int length = snprintf(name, sizeof name, "%s/%s", folder, p->name);
    if (length < 0 || length >= (int)sizeof name)
        return error_set(e, HONE_ERR_CONFIG, "the name '%s' is too long for a checkpoint", p->name);
    return state_add_shape(d, name, type, p->shape, data, e);
}

static const char *folder_of(const Param *p)
{
    return p->role == PARAM_STATE ? "states" : "params";
}

static int add_params(StateDict *d, const Session *s, Error *e)
{
    int status = HONE_OK;
    for (int i = 0; i < s->graph.param_count && status == HONE_OK; i++) {
        const Param *p = s->graph.params[i];
        status = add_array(d, folder_of(p), p, STATE_REAL, params_at(&s->params, p), e);
    }
    return status;
}

static int add_optimizer(StateDict *d, const Session *s, Optimizer *o, Error *e)
{
    int status = HONE_OK;
    for (int k = 0; o && k < optimizer_state_count(o); k++) {
        char folder[64];
        snprintf(folder, sizeof folder, "optimizer/%s", optimizer_state_name(o, k));
        for (int i = 0; i < s->graph.param_count && status == HONE_OK; i++) {
            const Param *p = s->graph.params[i];
            if (p->role != PARAM_STATE)
                status = add_array(d, folder, p, STATE_REAL, optimizer_state(o, k) + p->offset, e);
        }
    }
    return status;
}

static int add_masks(StateDict *d, const Session *s, Pruner *pruner, Error *e)
{
    int status = HONE_OK;
    for (int i = 0; pruner && i < s->graph.param_count && status == HONE_OK; i++) {
        const Param *p = s->graph.params[i];
        if (p->role == PARAM_WEIGHT)
            status = add_array(d, "masks", p, STATE_U8, pruner_masks(pruner) + p->offset, e);
    }
    return status;
}

static int add_arrays(StateDict *d, const Session *s, Optimizer *o, Pruner *pruner, Error *e)
{
    int status = add_params(d, s, e);
    if (status == HONE_OK)
        status = add_optimizer(d, s, o, e);
    if (status == HONE_OK)
        status = add_masks(d, s, pruner, e);
    return status;
}

/* ---- saving ---- */

static int set_progress(StateDict *d, const Progress *p, Error *e)
{
    int status = HONE_OK;
#define SET(name)                                                                                  \
    if (status == HONE_OK)                                                                         \
        status = state_set_int(d, #name, p->name, e);
    PROGRESS_INTS(SET)
#undef SET
#define SET(name)                                                                                  \
    if (status == HONE_OK)                                                                         \
        status = state_set_double(d, #name, p->name, e);
    PROGRESS_REALS(SET)
#undef SET
    return status;
}

static int set_figures(StateDict *d, const Progress *p, Error *e)
{
    int status = HONE_OK;
#define SET(name)                                                                                  \
    if (status == HONE_OK)                                                                         \
        status = state_set_double(d, #name "_accuracy", p->name##_figures.accuracy, e);            \
    if (status == HONE_OK)                                                                         \
        status = state_set_double(d, #name "_mse", p->name##_figures.mse, e);                      \
    if (status == HONE_OK)                                                                         \
        status = state_set_double(d, #name "_auc", p->name##_figures.auc, e);
    PROGRESS_FIGURES(SET)
#undef SET
    return status;
}

int checkpoint_save(const char *path, const Session *s, Optimizer *optimizer, Pruner *pruner,
                    const Progress *progress, Error *e)
{
    StateDict d = {0};
    Text config = {0};
    config_print(s->config, &config);
    int status = text_failed(&config) ? error_memory(e, "a checkpoint", config.room) : HONE_OK;
    if (status == HONE_OK)
        status = state_add_text(&d, "config", text_string(&config), e);
    if (status == HONE_OK)
        status = set_progress(&d, progress, e);
    if (status == HONE_OK)
        status = set_figures(&d, progress, e);
    if (status == HONE_OK)
        status = add_arrays(&d, s, optimizer, pruner, e);
    if (status == HONE_OK)
        status = store_save(path, &d, e);
    state_release(&d);
    text_release(&config);
    return status;
}

/* ---- reading ---- */

static int read_progress(const Store *store, Progress *p, Error *e)
{
    int status = HONE_OK;
#define GET(name)                                                                                  \
    if (status == HONE_OK)                                                                         \
        status = store_int(store, #name, &p->name, e);
    PROGRESS_INTS(GET)
#undef GET
#define GET(name)                                                                                  \
    if (status == HONE_OK)                                                                         \
        status = store_double(store, #name, &p->name, e);
    PROGRESS_REALS(GET)
#undef GET
    return status;
}

static int read_figures(const Store *store, Progress *p, Error *e)
{
    int status = HONE_OK;
#define GET(name)                                                                                  \
    if (status == HONE_OK)                                                                         \
        status = store_double(store, #name "_accuracy", &p->name##_figures.accuracy, e);           \
    if (status == HONE_OK)                                                                         \
        status = store_double(store, #name "_mse", &p->name##_figures.mse, e);                     \
    if (status == HONE_OK)                                                                         \
        status = store_double(store, #name "_auc", &p->name##_figures.auc, e);
    PROGRESS_FIGURES(GET)
#undef GET
    return status;
}

int checkpoint_open(Checkpoint *c, const char *path, const char *const *sets, size_t count,
                    Error *e)
{
    char *text = NULL;
    *c = (Checkpoint){0};
    int status = store_open(&c->store, path, e);
    if (status != HONE_OK)
        return status;
    status = read_progress(c->store, &c->progress, e);
    if (status == HONE_OK)
        status = read_figures(c->store, &c->progress, e);
    if (status == HONE_OK)
        status = store_text(c->store, "config", &text, e);
    if (status == HONE_OK)
        status = config_parse(&c->config, text, path, sets, count, e);
    free(text);
    if (status != HONE_OK)
        checkpoint_close(c);
    return status;
}

void checkpoint_close(Checkpoint *c)
{
    store_close(c->store);
    config_release(&c->config);
    *c = (Checkpoint){0};
}

/* The file may have states that this model lacks (ranges, say), but no parameters. */
static int check_known(const Checkpoint *c, const StateDict *wanted, Error *e)
{
    const StateDict *have = store_contents(c->store);
    char label[STATE_LABEL_BYTES];
    for (size_t i = 0; i < have->count; i++) {
        const StateEntry *entry = &have->entries[i];
        if (strncmp(entry->name, "params/", 7) == 0 && !state_find(wanted, entry->name))
            return error_set(e, HONE_ERR_SHAPE,
                             "%s: there is '/%s' %s, the model has no such tensor",
                             store_path(c->store), entry->name,
                             state_shape_label(entry->rank, entry->dims, label));
    }
    return HONE_OK;
}

/* Training stops where a number is none, and saves nothing; but files come from elsewhere, too. */
static int check_finite(const Checkpoint *c, const Session *s, Error *e)
{
    for (int i = 0; i < s->graph.param_count; i++) {
        const Param *p = s->graph.params[i];
        const Real *v = params_at(&s->params, p);
        for (size_t k = 0; k < p->count; k++)
            if (!isfinite(v[k]))
                return error_set(e, HONE_ERR_DATA, "%s: number %zu of '/%s/%s' is %g",
                                 store_path(c->store), k, folder_of(p), p->name, (double)v[k]);
    }
    return HONE_OK;
}

int checkpoint_restore(const Checkpoint *c, Session *s, Optimizer *optimizer, Pruner *pruner,
                       Error *e)
{
    StateDict d = {0};
    int status = add_arrays(&d, s, optimizer, pruner, e);
    if (status == HONE_OK)
        status = check_known(c, &d, e);
    if (status == HONE_OK)
        status = store_load(c->store, &d, e);
    if (status == HONE_OK)
        status = check_finite(c, s, e);
    if (status == HONE_OK && pruner)
        status = pruner_check(pruner, e);
    state_release(&d);
    return status;
}
