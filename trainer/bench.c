/* Timing of training steps: see bench.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/bench.h"

#include "core/rng.h"
#include "trainer/finish.h"
#include "trainer/speed.h"
#include "trainer/summary.h"

#include <assert.h>
#include <stdlib.h>

enum { STEPS = 30, WARMUP = 3, CALIBRATION = 2 };

/* Images per batch that set the ranges of an artifact. */
enum { ARTIFACT_BATCH = 4 };

/* Enough different batches that none stays in the cache from its last use. */
enum { BATCHES = 4 };

typedef struct Bench {
    Session *s;
    Exec *exec;
    Optimizer *optimizer;
    int64_t steps; /* done */
    int batch;
    Real *images[BATCHES];   /* [batch][image] */
    int32_t *labels;         /* [batch], of every batch */
    double *ms;              /* [steps] */
    double optimize, commit; /* seconds of the timed steps, with profile */
} Bench;

/* ---- data ---- */

static int draw_images(Bench *b, Error *e)
{
    size_t n = (size_t)b->batch * shape_count(b->s->model.image->shape);
    uint32_t classes = (uint32_t)b->s->config->options->model.classes;
    Rng rng = rng_at((uint64_t)b->s->config->options->seed, RNG_BENCH, 0, 0);
    b->labels = malloc((size_t)b->batch * sizeof *b->labels);
    if (!b->labels)
        return error_memory(e, "random labels", (size_t)b->batch * sizeof *b->labels);
    for (int i = 0; i < b->batch; i++)
        b->labels[i] = (int32_t)rng_below(&rng, classes);
    for (int k = 0; k < BATCHES; k++) {
        b->images[k] = malloc(n * sizeof(Real) + 64); /* as exec_lend asks */
        if (!b->images[k])
            return error_memory(e, "random images", n * sizeof(Real));
        for (size_t i = 0; i < n; i++)
            b->images[k][i] = (Real)((int)(rng_u32(&rng) >> 24) - 128) * ((Real)1 / 128);
    }
    return HONE_OK;
}

static void load(const Bench *b, Exec *x, int step)
{
    exec_lend(x, b->s->model.image, b->images[step % BATCHES]);
    exec_lend(x, b->s->model.labels, b->labels);
}

/* Ranges of random images: any will do, but there must be some. */
static int observe(const Bench *b, Error *e)
{
    Exec *x;
    int status = session_compile(b->s, &x, (Mode){.observe = true}, b->batch, NULL, e);
    if (status != HONE_OK)
        return status;
    for (int i = 0; i < CALIBRATION; i++) {
        load(b, x, i);
        exec_forward(x);
        exec_commit(x);
    }
    exec_free(x);
    return HONE_OK;
}

/* ---- steps ---- */

/* Returns the seconds it took. */
static double step(Bench *b, int index)
{
    const RunOptions *o = b->s->config->options;
    double begin = speed_now();
    load(b, b->exec, index);
    exec_forward(b->exec);
    exec_backward(b->exec);
    double computed = speed_now();
    optimizer_step(b->optimizer, &b->s->params, NULL, ++b->steps, o->train.optimizer.lr * 1e-3,
                   b->s->compute.threads);
    double optimized = speed_now();
    exec_commit(b->exec);
    double end = speed_now();
    b->optimize += optimized - computed;
    b->commit += end - optimized;
    return end - begin;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_steps(Bench *b, const BenchOptions *o, BenchResult *r)
{
    int warmup = o->warmup ? o->warmup : WARMUP;
    assert(b->ms && r->steps > 0);
    for (int i = 0; i < warmup; i++)
        step(b, i);
    b->optimize = b->commit = 0;
    exec_profile(b->exec, o->profile);
    for (int i = 0; i < r->steps; i++)
        b->ms[i] = 1e3 * step(b, warmup + i);
    qsort(b->ms, (size_t)r->steps, sizeof *b->ms, compare);
    r->ms_per_step = b->ms[r->steps / 2];
    r->ms_p10 = b->ms[r->steps / 10];
    r->ms_p90 = b->ms[r->steps - 1 - r->steps / 10];
    r->images_per_s = 1e3 * b->batch / r->ms_per_step;
}

/* ---- the result ---- */

static int take_costs(const Bench *b, BenchResult *r, Error *e)
{
    int n = exec_run_count(b->exec);
    const NodeCost *costs = exec_costs(b->exec);
    r->costs = calloc((size_t)n + 1, sizeof *r->costs);
    if (!r->costs)
        return error_memory(e, "the costs of nodes", (size_t)n * sizeof *r->costs);
    r->cost_count = n;
    double scale = 1e-6 / r->steps;
    for (int i = 0; i < n; i++) {
        const Node *node = exec_run(b->exec, i)->node;
        r->costs[i] = (BenchCost){node->name, node->op->name, scale * (double)costs[i].forward_ns,
                                  scale * (double)costs[i].backward_ns};
    }
    r->optimizer_ms = 1e3 * b->optimize / r->steps;
    r->commit_ms = 1e3 * b->commit / r->steps;
    return HONE_OK;
}

static int prepare(Bench *b, const BenchOptions *o, BenchResult *r, Error *e)
{
    Session *s = b->s;
    if (o->quantize && !s->config->options->qat.present)
        return error_set(e, HONE_ERR_CONFIG, "'%s' has no qat section to measure",
                         s->config->options->name);
    b->ms = malloc((size_t)r->steps * sizeof *b->ms);
    if (!b->ms)
        return error_memory(e, "the times of steps", (size_t)r->steps * sizeof *b->ms);
    int status = draw_images(b, e);
    if (status == HONE_OK && o->quantize)
        status = observe(b, e);
    if (status == HONE_OK)
        status = optimizer_new(&b->optimizer, &s->config->options->train.optimizer, &s->graph, e);
    if (status == HONE_OK)
        status = session_compile(s, &b->exec, (Mode){.training = true, .quantize = o->quantize},
                                 b->batch, NULL, e);
    return status;
}

static void release(Bench *b)
{
    exec_free(b->exec);
    optimizer_free(b->optimizer);
    for (int k = 0; k < BATCHES; k++)
        free(b->images[k]);
    free(b->labels);
    free(b->ms);
}

int bench_step(BenchResult *r, Session *s, const BenchOptions *options, Error *e)
{
    const Compute *compute = &s->compute;
    Bench b = {.s = s,
               .batch = options->batch ? options->batch : (int)s->config->options->train.batch};
    *r = (BenchResult){.batch = b.batch,
                       .threads = threads_count(compute->threads),
                       .steps = options->steps > 0 ? options->steps : STEPS,
                       .mode = options->quantize ? "qat" : "float",
                       .cpu = compute->integer->name,
                       .blas_core = compute->blas.core};
    int status = prepare(&b, options, r, e);
    if (status == HONE_OK) {
        time_steps(&b, options, r);
        r->arena_bytes = (int64_t)exec_arena_bytes(b.exec);
        r->peak_rss_bytes = summary_peak_rss_bytes();
        if (options->profile)
            status = take_costs(&b, r, e);
    }
    release(&b);
    return status;
}

int bench_artifact(Session *s, unsigned char **bytes, size_t *count, Error *e)
{
    Bench b = {.s = s, .batch = ARTIFACT_BATCH};
    *bytes = NULL;
    int status = HONE_OK;
    if (s->config->options->qat.present) {
        status = draw_images(&b, e);
        if (status == HONE_OK)
            status = observe(&b, e);
    }
    if (status == HONE_OK)
        status = finish_artifact(s, bytes, count, e);
    release(&b);
    return status;
}

void bench_release(BenchResult *r)
{
    free(r->costs);
    *r = (BenchResult){0};
}
