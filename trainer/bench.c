/* Timing of training steps: see bench.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/bench.h"

#include "core/clock.h"
#include "core/rng.h"
#include "trainer/calibrate.h"
#include "trainer/finish.h"
#include "trainer/summary.h"

#include <assert.h>
#include <stdlib.h>

enum { STEPS = 30, WARMUP = 3, CALIBRATION = 4 };

/* Images per batch that set ranges: of training and of an artifact. So few, because memory that only
 * calibration needs must not count as training's. */
enum { OBSERVED_BATCH = 8, ARTIFACT_BATCH = 4 };

/* Enough different batches that none stays in the cache from its last use. */
enum { BATCHES = 4 };

typedef struct Bench {
    Session *s;
    Exec *exec;
    Optimizer *optimizer;
    Loader *loader; /* NULL: images are in memory */
    int64_t steps;  /* done */
    int batch;
    Real *images[BATCHES];        /* [batch][image] */
    int32_t *labels;              /* [batch], of every batch */
    double *ms;                   /* [steps] */
    double took;                  /* seconds of the last step */
    double seconds[BENCH_PHASES]; /* of the timed steps */
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

static int load(const Bench *b, Exec *x, int step, Error *e)
{
    const Batch *batch;
    if (!b->loader) {
        exec_lend(x, b->s->model.image, b->images[step % BATCHES]);
        exec_lend(x, b->s->model.labels, b->labels);
        return HONE_OK;
    }
    int status = loader_next(b->loader, &batch, e);
    if (status == HONE_OK)
        training_lend(b->s, x, batch);
    return status;
}

static int open_data(Bench *b, const BenchOptions *o, Error *e)
{
    if (!o->data)
        return draw_images(b, e);
    int status = training_loader(&b->loader, b->s, e);
    return status == HONE_OK ? loader_start(b->loader, 0, 0, e) : status;
}

/* Ranges of random images. Training quantizes what batch statistics normalize, and is observed so: the
 * running statistics of weights that were just drawn are of nothing. */
static int observe(const Bench *b, bool training, int batch, Error *e)
{
    Exec *x;
    const Mode mode = {.observe = true, .training = training};
    int status = session_compile(b->s, &x, mode, batch < b->batch ? batch : b->batch, NULL, e);
    if (status != HONE_OK)
        return status;
    for (int i = 0; i < CALIBRATION && status == HONE_OK; i++) {
        status = load(b, x, i, e);
        exec_forward(x);
        exec_commit(x);
    }
    exec_free(x);
    return status;
}

/* ---- steps ---- */

static int step(Bench *b, int index, Error *e)
{
    const RunOptions *o = b->s->config->options;
    double at[BENCH_PHASES + 1] = {clock_seconds()};
    int status = load(b, b->exec, index, e);
    if (status != HONE_OK)
        return status;
    at[BENCH_FORWARD] = clock_seconds();
    exec_forward(b->exec);
    at[BENCH_BACKWARD] = clock_seconds();
    exec_backward(b->exec);
    at[BENCH_OPTIMIZER] = clock_seconds();
    optimizer_step(b->optimizer, &b->s->params, NULL, ++b->steps, o->train.optimizer.lr * 1e-3,
                   b->s->compute.threads);
    at[BENCH_FINISH] = clock_seconds();
    exec_commit(b->exec);
    at[BENCH_PHASES] = clock_seconds();
    for (int p = 0; p < BENCH_PHASES; p++)
        b->seconds[p] += at[p + 1] - at[p];
    b->took = at[BENCH_PHASES] - at[0];
    return HONE_OK;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int time_steps(Bench *b, const BenchOptions *o, BenchResult *r, Error *e)
{
    int warmup = o->warmup ? o->warmup : WARMUP, status = HONE_OK;
    assert(b->ms && r->steps > 0);
    for (int i = 0; i < warmup && status == HONE_OK; i++)
        status = step(b, i, e);
    for (int p = 0; p < BENCH_PHASES; p++)
        b->seconds[p] = 0;
    exec_profile(b->exec, o->profile);
    for (int i = 0; i < r->steps && status == HONE_OK; i++) {
        status = step(b, warmup + i, e);
        b->ms[i] = 1e3 * b->took;
    }
    if (status != HONE_OK)
        return status;
    qsort(b->ms, (size_t)r->steps, sizeof *b->ms, compare);
    r->ms_per_step = b->ms[r->steps / 2];
    r->ms_p10 = b->ms[r->steps / 10];
    r->ms_p90 = b->ms[r->steps - 1 - r->steps / 10];
    r->images_per_s = 1e3 * b->batch / r->ms_per_step;
    r->arena_bytes = (int64_t)exec_arena_bytes(b->exec);
    r->peak_rss_bytes = summary_peak_rss_bytes();
    return HONE_OK;
}

/* ---- the profile ---- */

static BenchPart part_of(double ms, const WorkPart *w, const Ceilings *c)
{
    BenchPart p = {.ms = ms, .macs = w->macs, .bytes = w->bytes};
    p.least_ms = work_least_ms(w, c, &p.limit);
    return p;
}

static void add_part(BenchPart *sum, const BenchPart *p)
{
    sum->macs += p->macs;
    sum->bytes += p->bytes;
    sum->least_ms += p->least_ms;
}

static void take_phases(const Bench *b, BenchResult *r)
{
    const WorkPart update = {.bytes = optimizer_bytes(b->optimizer, false)};
    r->phases[BENCH_OPTIMIZER] = part_of(0, &update, &r->ceilings);
    for (int i = 0; i < r->cost_count; i++) {
        add_part(&r->phases[BENCH_FORWARD], &r->costs[i].forward);
        add_part(&r->phases[BENCH_BACKWARD], &r->costs[i].backward);
    }
    for (int p = 0; p < BENCH_PHASES; p++)
        r->phases[p].ms = 1e3 * b->seconds[p] / r->steps;
}

/* After the steps: measuring memory's ceiling takes memory, which is none of training's. */
static int take_profile(const Bench *b, BenchResult *r, Error *e)
{
    int n = exec_run_count(b->exec);
    const NodeCost *costs = exec_costs(b->exec);
    int status = ceilings_measure(&r->ceilings, r->cpu, r->threads, e);
    if (status != HONE_OK)
        return status;
    r->costs = calloc((size_t)n + 1, sizeof *r->costs);
    if (!r->costs)
        return error_memory(e, "the costs of nodes", (size_t)n * sizeof *r->costs);
    r->cost_count = n;
    double scale = 1e-6 / r->steps;
    for (int i = 0; i < n; i++) {
        const Node *node = exec_run(b->exec, i)->node;
        const Work w = work_of(b->exec, i);
        r->costs[i] = (BenchCost){
            .name = node->name,
            .kind = node->op->name,
            .forward = part_of(scale * (double)costs[i].forward_ns, &w.forward, &r->ceilings),
            .backward = part_of(scale * (double)costs[i].backward_ns, &w.backward, &r->ceilings),
            .finish_ms = scale * (double)costs[i].commit_ns};
    }
    take_phases(b, r);
    return HONE_OK;
}

/* ---- the result ---- */

static int prepare(Bench *b, const BenchOptions *o, BenchResult *r, Error *e)
{
    Session *s = b->s;
    if (o->quantize && !s->config->options->qat.present)
        return error_set(e, HONE_ERR_CONFIG, "'%s' has no qat section to measure",
                         s->config->options->name);
    b->ms = malloc((size_t)r->steps * sizeof *b->ms);
    if (!b->ms)
        return error_memory(e, "the times of steps", (size_t)r->steps * sizeof *b->ms);
    int status = open_data(b, o, e);
    if (status == HONE_OK && o->quantize)
        status = observe(b, true, OBSERVED_BATCH, e);
    if (status == HONE_OK)
        status = optimizer_new(&b->optimizer, &s->config->options->train.optimizer, &s->graph, e);
    if (status == HONE_OK)
        status = session_compile(
            s, &b->exec, (Mode){.training = true, .quantize = o->quantize, .backward = o->backward},
            b->batch, NULL, e);
    return status;
}

static void release(Bench *b)
{
    exec_free(b->exec);
    optimizer_free(b->optimizer);
    loader_free(b->loader);
    for (int k = 0; k < BATCHES; k++)
        free(b->images[k]);
    free(b->labels);
    free(b->ms);
}

int bench_step(BenchResult *r, Session *s, const BenchOptions *options, Error *e)
{
    const Compute *compute = &s->compute;
    assert(!options->data || options->batch == 0);
    Bench b = {.s = s,
               .batch = options->batch ? options->batch : (int)s->config->options->train.batch};
    *r = (BenchResult){.batch = b.batch,
                       .threads = threads_count(compute->threads),
                       .steps = options->steps > 0 ? options->steps : STEPS,
                       .mode = options->quantize ? "qat" : "float",
                       .cpu = compute->integer->name,
                       .blas_core = compute->blas.core};
    int status = prepare(&b, options, r, e);
    if (status == HONE_OK)
        status = time_steps(&b, options, r, e);
    if (status == HONE_OK && options->profile)
        status = take_profile(&b, r, e);
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
            status = observe(&b, false, ARTIFACT_BATCH, e);
    }
    if (status == HONE_OK)
        status =
            finish_artifact(s, export_profile(&s->config->options->export, 0), bytes, count, e);
    release(&b);
    return status;
}

void bench_release(BenchResult *r)
{
    free(r->costs);
    *r = (BenchResult){0};
}
