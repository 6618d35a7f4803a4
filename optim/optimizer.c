/* Optimizers over the flat block: see optimizer.h.
 *
 * The block is cut at the borders between parameters that decay and those that do not (runs), and
 * independently into the blocks of sweep.h; a block updates its parts of the runs it meets, and their
 * average while they are in the cache. SPDX-License-Identifier: Apache-2.0 */
#include "optim/optimizer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "optim/rule.h"
#include "optim/sweep.h"

/* Elements up to end (from the run before) are treated alike. */
typedef struct DecayRun {
    size_t end;
    bool decay;
} DecayRun;

struct Optimizer {
    const OptimizerRule *rule;
    OptimizerOptions options;
    size_t count;
    int states;
    Real *state[OPTIMIZER_STATES_MAX + 1]; /* [count] each; the rule's, then the average if any */
    const char *names[OPTIMIZER_STATES_MAX + 1];
    const Real *average; /* one of them, or NULL */
    DecayRun *runs;      /* the last one ends at count */
    size_t run_count;
};

/* One call of optimizer_step. */
typedef struct Job {
    const Optimizer *o;
    Params *params;
    const uint8_t *mask;
    int64_t step;
    Real lr;
} Job;

static const OptimizerRule *const rules[] = {
#define OPTIMIZER(name) &optimizer_##name,
#include "optim/optimizers.def"
#undef OPTIMIZER
};
enum { RULES = sizeof rules / sizeof rules[0] };

static int check_options(const void *options, Error *e)
{
    const OptimizerOptions *o = options;
    if (o->kind < 0 || o->kind >= RULES)
        return error_set(e, HONE_ERR_CONFIG, "kind number %d does not exist", o->kind);
    const OptimizerRule *rule = rules[o->kind];
    return rule->check ? rule->check(o, e) : HONE_OK;
}

const OptionTable optimizer_options = {
    .name = "optimizer",
    .help = "how gradients change weights",
    .size = sizeof(OptimizerOptions),
    .options =
        (const Option[]){
            OPTION_SELECTOR("kind", OptimizerOptions, kind, "sgd", "update rule"),
            OPTION_REAL_OPEN("ema", OptimizerOptions, ema, "", 0, 1, OPTION_OPEN_MAX, "0",
                             "decay, as 0.999, of the weights' running average, which is evaluated "
                             "and exported in their place; 0 for none"),
            OPTION_END,
        },
    .variants =
        (const OptionVariant *const[]){
#define OPTIMIZER(name) &optimizer_##name.variant,
#include "optim/optimizers.def"
#undef OPTIMIZER
            NULL,
        },
    .check = check_options,
};

/* Parameters lie in the block in order of creation; a gap belongs to the parameter before it. */
static int cut_runs(Optimizer *o, const Graph *graph, Error *e)
{
    size_t bytes = ((size_t)graph->param_count + 1) * sizeof o->runs[0];
    o->runs = calloc(1, bytes);
    if (!o->runs)
        return error_memory(e, "an optimizer", bytes);
    for (int i = 0; i < graph->param_count; i++) {
        const Param *p = graph->params[i];
        if (p->role == PARAM_STATE)
            continue;
        bool decay = p->role == PARAM_WEIGHT;
        if (o->run_count > 0 && o->runs[o->run_count - 1].decay == decay)
            continue;
        if (o->run_count > 0)
            o->runs[o->run_count - 1].end = p->offset;
        o->runs[o->run_count++] = (DecayRun){.end = o->count, .decay = decay};
    }
    return HONE_OK;
}

static int add_state(Optimizer *o, const char *name, Error *e)
{
    assert(o->states <= OPTIMIZER_STATES_MAX);
    o->names[o->states] = name;
    o->state[o->states] = memory_new((o->count + 1) * sizeof(Real));
    return o->state[o->states++]
               ? HONE_OK
               : error_memory(e, "the optimizer's state", o->count * sizeof(Real));
}

static int make_states(Optimizer *o, Error *e)
{
    int status = HONE_OK;
    const char *const *names = o->rule->states(&o->options);
    for (; *names && status == HONE_OK; names++)
        status = add_state(o, *names, e);
    if (status == HONE_OK && o->options.ema > 0) {
        status = add_state(o, "average", e);
        o->average = o->state[o->states - 1];
    }
    return status;
}

int optimizer_new(Optimizer **o, const OptimizerOptions *options, const Graph *graph, Error *e)
{
    *o = NULL;
    int status = check_options(options, e);
    if (status != HONE_OK)
        return error_prefix(e, "optimizer");
    Optimizer *made = calloc(1, sizeof *made);
    if (!made)
        return error_memory(e, "an optimizer", sizeof *made);
    made->rule = rules[options->kind];
    made->options = *options;
    made->count = graph->trained_count;
    status = make_states(made, e);
    if (status == HONE_OK)
        status = cut_runs(made, graph, e);
    if (status != HONE_OK) {
        optimizer_free(made);
        return status;
    }
    *o = made;
    return HONE_OK;
}

void optimizer_free(Optimizer *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->states; i++)
        free(o->state[i]);
    free(o->runs);
    free(o);
}

/* See optimizer_average. */
static void update_average(const Job *job, size_t begin, size_t end)
{
    const double rising = (double)job->step / (9 + (double)job->step);
    const double decay = job->step > 1 ? fmin(job->o->options.ema, rising) : 0;
    const Real d = (Real)decay, rest = (Real)(1 - decay);
    const Real *restrict w = job->params->value;
    Real *restrict a = job->o->state[job->o->states - 1];
    for (size_t i = begin; i < end; i++)
        a[i] = d * a[i] + rest * w[i];
    for (size_t i = begin; job->mask && i < end; i++)
        a[i] = optimizer_keep(a[i], job->mask[i]);
}

/* Updates [begin, end), which lies in one run. */
static void update_span(const Job *job, size_t begin, size_t end, bool decay)
{
    const Optimizer *o = job->o;
    OptimizerSpan span = {
        .count = end - begin,
        .value = job->params->value + begin,
        .grad = job->params->grad + begin,
        .mask = job->mask ? job->mask + begin : NULL,
        .lr = job->lr,
        .step = job->step,
        .decay = decay,
    };
    for (int i = 0; i < OPTIMIZER_STATES_MAX && i < o->states; i++)
        span.state[i] = o->state[i] + begin;
    o->rule->update(&o->options, &span);
}

static void update_block(void *context, int block, size_t begin, size_t end)
{
    (void)block;
    const Job *job = context;
    const Optimizer *o = job->o;
    size_t at = begin;
    for (size_t r = 0; at < end; r++) {
        size_t stop = o->runs[r].end < end ? o->runs[r].end : end;
        if (stop <= at)
            continue;
        update_span(job, at, stop, o->runs[r].decay);
        at = stop;
    }
    if (o->average)
        update_average(job, begin, end);
}

void optimizer_step(Optimizer *o, Params *params, const uint8_t *mask, int64_t step, double lr,
                    Threads *pool)
{
    assert(params->graph->trained_count == o->count && step > 0);
    Job job = {.o = o, .params = params, .mask = mask, .step = step, .lr = (Real)lr};
    sweep_run(pool, o->count, update_block, &job);
}

int64_t optimizer_bytes(const Optimizer *o, bool masked)
{
    const size_t real = (3 + 2 * (size_t)o->states + (masked ? 1 : 0)) * sizeof(Real);
    return (int64_t)(o->count * (real + (masked ? 1 : 0)));
}

const Real *optimizer_average(const Optimizer *o)
{
    return o->average;
}

int optimizer_state_count(const Optimizer *o)
{
    return o->states;
}

const char *optimizer_state_name(const Optimizer *o, int i)
{
    assert(i >= 0 && i < o->states);
    return o->names[i];
}

Real *optimizer_state(const Optimizer *o, int i)
{
    assert(i >= 0 && i < o->states);
    return o->state[i];
}
