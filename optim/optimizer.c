/* Optimizers over the flat block: see optimizer.h.
 *
 * The block is cut at the borders between parameters that decay and those that do not (runs), and
 * independently into blocks of BLOCK elements, the unit of work of the thread pool; a block updates
 * its parts of the runs it meets. SPDX-License-Identifier: Apache-2.0 */
#include "optim/optimizer.h"

#include <assert.h>
#include <stdlib.h>

#include "optim/rule.h"

/* 3 arrays of 64 KiB in float: a block stays in the second-level cache and amortizes its start. */
#define BLOCK ((size_t)16384)

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
    Real *state[OPTIMIZER_STATES_MAX]; /* [count] each */
    DecayRun *runs;                    /* the last one ends at count */
    size_t run_count;
};

/* One call of optimizer_step. */
typedef struct Job {
    const Optimizer *o;
    Params *params;
    const uint8_t *mask;
    Real lr;
    size_t block; /* elements */
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
            OPTION_REAL("lr", OptimizerOptions, lr, "", 0, 1000, "0.1",
                        "learning rate at its peak"),
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
    o->runs = malloc(bytes);
    if (!o->runs)
        return error_memory(e, "an optimizer", bytes);
    for (int i = 0; i < graph->param_count; i++) {
        const Param *p = graph->params[i];
        if (p->role == PARAM_STATE)
            continue;
        bool decay = p->role == PARAM_WEIGHT;
        DecayRun *last = o->run_count ? &o->runs[o->run_count - 1] : NULL;
        if (last && last->decay == decay)
            continue;
        if (last)
            last->end = p->offset;
        o->runs[o->run_count++] = (DecayRun){.end = o->count, .decay = decay};
    }
    return HONE_OK;
}

static int make_states(Optimizer *o, Error *e)
{
    for (; o->rule->states[o->states]; o->states++) {
        assert(o->states < OPTIMIZER_STATES_MAX);
        o->state[o->states] = calloc(o->count + 1, sizeof(Real));
        if (!o->state[o->states])
            return error_memory(e, "the optimizer's state", o->count * sizeof(Real));
    }
    return HONE_OK;
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
    for (int i = 0; i < OPTIMIZER_STATES_MAX; i++)
        free(o->state[i]);
    free(o->runs);
    free(o);
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
        .decay = decay,
    };
    for (int i = 0; i < o->states; i++)
        span.state[i] = o->state[i] + begin;
    o->rule->update(&o->options, &span);
}

static void update_block(void *context, int block, int worker)
{
    (void)worker;
    const Job *job = context;
    const Optimizer *o = job->o;
    size_t at = (size_t)block * job->block;
    size_t end = o->count - at < job->block ? o->count : at + job->block;
    for (size_t r = 0; at < end; r++) {
        size_t stop = o->runs[r].end < end ? o->runs[r].end : end;
        if (stop <= at)
            continue;
        update_span(job, at, stop, o->runs[r].decay);
        at = stop;
    }
}

void optimizer_step(Optimizer *o, Params *params, const uint8_t *mask, double lr, Threads *pool)
{
    assert(params->graph->trained_count == o->count);
    Job job = {.o = o, .params = params, .mask = mask, .lr = (Real)lr, .block = BLOCK};
    while (o->count / job.block >= THREADS_BLOCKS_MAX)
        job.block *= 2;
    threads_run(pool, (int)((o->count + job.block - 1) / job.block), update_block, &job);
}

int optimizer_state_count(const Optimizer *o)
{
    return o->states;
}

const char *optimizer_state_name(const Optimizer *o, int i)
{
    assert(i >= 0 && i < o->states);
    return o->rule->states[i];
}

Real *optimizer_state(const Optimizer *o, int i)
{
    assert(i >= 0 && i < o->states);
    return o->state[i];
}
