/* Gradual magnitude pruning: see prune.h. SPDX-License-Identifier: Apache-2.0 */
#include "prune/prune.h"

#include <assert.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/text.h"
#include "prune/select.h"

typedef struct Layer {
    const char *name;
    size_t offset, count; /* in the flat block */
} Layer;

struct Pruner {
    PruneScheduleOptions schedule;
    int64_t begin, end; /* boundaries t0 and t1 */
    Layer *layers;
    int layer_count;
    uint8_t *mask;
    size_t mask_count;
    Arena names;
    SelectScratch scratch;
};

/* ---- the schedule ---------------------------------------------------------------------------- */

int64_t pruner_begin(const Pruner *p)
{
    return p->begin;
}

int64_t pruner_end(const Pruner *p)
{
    return p->end;
}

bool pruner_is_due(const Pruner *p, int64_t step)
{
    if (step < p->begin || step > p->end)
        return false;
    return step == p->end || (step - p->begin) % p->schedule.every_steps == 0;
}

double pruner_target(const Pruner *p, int64_t step)
{
    const PruneScheduleOptions *o = &p->schedule;
    if (step < p->begin)
        return 0;
    if (step >= p->end)
        return o->final_sparsity;
    const int64_t done = (step - p->begin) / o->every_steps * o->every_steps;
    const double left = 1 - (double)done / (double)(p->end - p->begin);
    /* Turned round from the formula so that it starts at initial_sparsity to the bit. */
    return o->initial_sparsity +
           (o->final_sparsity - o->initial_sparsity) * (1 - left * left * left);
}

static int place_schedule(Pruner *p, const PruneOptions *options, int64_t steps_per_epoch,
                          int64_t total_steps, Error *e)
{
    const PruneScheduleOptions *o = &options->schedule;
    p->schedule = *o;
    p->begin = (int64_t)llround(o->begin_epoch * (double)steps_per_epoch);
    p->end = (int64_t)llround(o->end_epoch * (double)steps_per_epoch);
    if (p->begin > total_steps)
        return error_set(e, HONE_ERR_CONFIG,
                         "prune.schedule: begin_epoch %g is step %lld, after the run's last, %lld: "
                         "nothing would be pruned",
                         o->begin_epoch, (long long)p->begin, (long long)total_steps);
    return HONE_OK;
}

/* ---- the layers ------------------------------------------------------------------------------ */

/* "block1.expand" of "block1.expand.weight". */
static const char *layer_name(Pruner *p, const Param *param)
{
    const char *dot = strrchr(param->name, '.');
    int length = dot ? (int)(dot - param->name) : (int)strlen(param->name);
    return arena_printf(&p->names, "%.*s", length, param->name);
}

/* Lists every layer with weights. */
static int list_layers(Pruner *p, const Graph *graph, Error *e)
{
    const size_t room = (size_t)graph->param_count + 1;
    p->layers = calloc(room, sizeof p->layers[0]);
    if (!p->layers)
        return error_memory(e, "a pruner", room * sizeof p->layers[0]);
    for (int i = 0; i < graph->param_count; i++) {
        const Param *param = graph->params[i];
        if (param->role != PARAM_WEIGHT)
            continue;
        Layer l = {layer_name(p, param), param->offset, param->count};
        if (!l.name)
            return error_memory(e, "a pruner", strlen(param->name));
        p->layers[p->layer_count++] = l;
    }
    return HONE_OK;
}

static int check_pattern(const Pruner *p, const char *pattern, Error *e)
{
    TextNearest near = {.word = pattern};
    for (int i = 0; i < p->layer_count; i++) {
        if (fnmatch(pattern, p->layers[i].name, 0) == 0)
            return HONE_OK;
        text_nearest(&near, p->layers[i].name);
    }
    return error_set(e, HONE_ERR_CONFIG, "prune.exclude: '%s' matches no layer with weights%s%s%s",
                     pattern, near.best ? ", did you mean '" : "", near.best ? near.best : "",
                     near.best ? "'?" : "");
}

static bool is_excluded(const OptionTexts *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (fnmatch(patterns->v[i], name, 0) == 0)
            return true;
    return false;
}

static int drop_excluded(Pruner *p, const OptionTexts *patterns, Error *e)
{
    for (size_t i = 0; i < patterns->count; i++) {
        int status = check_pattern(p, patterns->v[i], e);
        if (status != HONE_OK)
            return status;
    }
    int left = 0;
    for (int i = 0; i < p->layer_count; i++)
        if (!is_excluded(patterns, p->layers[i].name))
            p->layers[left++] = p->layers[i];
    p->layer_count = left;
    if (left == 0)
        return error_set(e, HONE_ERR_CONFIG, "prune.exclude: no layer with weights is left");
    return HONE_OK;
}

/* ---- the pruner ------------------------------------------------------------------------------ */

static int make_mask(Pruner *p, const Graph *graph, Error *e)
{
    p->mask_count = graph->trained_count;
    p->mask = malloc(p->mask_count + 1);
    if (!p->mask)
        return error_memory(e, "the pruning masks", p->mask_count);
    memset(p->mask, 1, p->mask_count);
    return HONE_OK;
}

int pruner_new(Pruner **p, const PruneOptions *options, const Graph *graph, int64_t steps_per_epoch,
               int64_t total_steps, Error *e)
{
    *p = NULL;
    Pruner *made = calloc(1, sizeof *made);
    if (!made)
        return error_memory(e, "a pruner", sizeof *made);
    int status = place_schedule(made, options, steps_per_epoch, total_steps, e);
    if (status == HONE_OK)
        status = list_layers(made, graph, e);
    if (status == HONE_OK)
        status = drop_excluded(made, &options->exclude, e);
    if (status == HONE_OK)
        status = make_mask(made, graph, e);
    if (status != HONE_OK) {
        pruner_free(made);
        return status;
    }
    *p = made;
    return HONE_OK;
}

void pruner_free(Pruner *p)
{
    if (!p)
        return;
    free(p->layers);
    free(p->mask);
    arena_release(&p->names);
    free(p);
}

bool pruner_update(Pruner *p, Params *params, int64_t step)
{
    assert(params->graph->trained_count == p->mask_count);
    if (!pruner_is_due(p, step))
        return false;
    const double sparsity = pruner_target(p, step);
    for (int l = 0; l < p->layer_count; l++) {
        const Layer *layer = &p->layers[l];
        Real *w = params->value + layer->offset;
        uint8_t *mask = p->mask + layer->offset;
        double n = (double)layer->count; /* n - n s: 15 at 0.9 gives 1.5, 15 (1 - 0.9) less */
        double keep = fmax(1, round(n - n * sparsity));
        select_largest(w, mask, layer->count, (size_t)keep, &p->scratch);
        for (size_t i = 0; i < layer->count; i++)
            w[i] = mask[i] ? w[i] : 0;
    }
    return true;
}

uint8_t *pruner_masks(Pruner *p)
{
    return p->mask;
}

static size_t kept_of(const Pruner *p, const Layer *layer)
{
    size_t kept = 0;
    for (size_t i = 0; i < layer->count; i++)
        kept += p->mask[layer->offset + i];
    return kept;
}

int pruner_check(const Pruner *p, Error *e)
{
    size_t pruned = 0, in_layers = 0;
    for (size_t i = 0; i < p->mask_count; i++) {
        if (p->mask[i] > 1)
            return error_set(e, HONE_ERR_DATA, "pruning mask: element %zu is %d, not 0 or 1", i,
                             p->mask[i]);
        pruned += !p->mask[i];
    }
    for (int l = 0; l < p->layer_count; l++) {
        size_t kept = kept_of(p, &p->layers[l]);
        if (kept == 0)
            return error_set(e, HONE_ERR_DATA, "pruning mask: nothing is left of layer '%s'",
                             p->layers[l].name);
        in_layers += p->layers[l].count - kept;
    }
    if (pruned != in_layers)
        return error_set(e, HONE_ERR_DATA,
                         "pruning mask: zeros outside the layers to be pruned: %zu",
                         pruned - in_layers);
    return HONE_OK;
}

int pruner_layer_count(const Pruner *p)
{
    return p->layer_count;
}

PruneLayer pruner_layer(const Pruner *p, int i)
{
    assert(i >= 0 && i < p->layer_count);
    const Layer *l = &p->layers[i];
    return (PruneLayer){.name = l->name, .count = l->count, .kept = kept_of(p, l)};
}

double pruner_sparsity(const Pruner *p)
{
    size_t count = 0, kept = 0;
    for (int l = 0; l < p->layer_count; l++) {
        count += p->layers[l].count;
        kept += kept_of(p, &p->layers[l]);
    }
    return 1 - (double)kept / (double)count;
}
