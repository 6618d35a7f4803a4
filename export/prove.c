/* The proof: see prove.h. SPDX-License-Identifier: Apache-2.0 */
#include "export/prove.h"

#include "core/exec.h"
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES 2 /* reference kernels, the machine's kernels */

/* The artifact as one worker runs it with one kernel table. */
typedef struct Runner {
    HoneRtModel model;
    void *arena;
    int8_t *output; /* [output_count] */
} Runner;

struct Prover {
    ProveSource source;
    Exec *batch; /* integer evaluation of source.batch images */
    Exec *trace; /* of one image, all values kept */
    const HoneRtKernels *tables[TABLES];
    int table_count, workers;
    Runner *runners;      /* [workers][table_count] */
    int32_t *differing;   /* [batch][table_count]: output codes that differ */
    const int8_t *codes;  /* of the batch in progress ... */
    const int8_t *wanted; /* ... the output codes of its integer evaluation ... */
    int8_t *outputs;      /* ... and where the artifact's go, or NULL */
    size_t input_count, output_count;
    ProveResult result;
};

/* ---- opening ---- */

static Runner *runner(const Prover *p, int worker, int table)
{
    return &p->runners[worker * p->table_count + table];
}

static int open_runner(const Prover *p, Runner *r, const HoneRtKernels *kernels, const void *bytes,
                       size_t count, Error *e)
{
    HoneRtStatus status = hone_rt_open(&r->model, bytes, count, kernels);
    if (status != HONE_RT_OK)
        return error_set(e, HONE_ERR_DATA, "the runtime refuses the artifact: %s",
                         hone_rt_status_text(status));
    size_t room = hone_rt_arena_bytes(&r->model);
    r->arena = malloc(room + 1);
    r->output = malloc(p->output_count + 1);
    if (!r->arena || !r->output)
        return error_memory(e, "the arena of the artifact", room);
    status = hone_rt_prepare(&r->model, r->arena, room);
    if (status != HONE_RT_OK)
        return error_set(e, HONE_ERR_DATA, "the runtime refuses the artifact: %s",
                         hone_rt_status_text(status));
    return HONE_OK;
}

static int open_runners(Prover *p, const void *bytes, size_t count, Error *e)
{
    int n = p->workers * p->table_count, status = HONE_OK;
    size_t images = (size_t)p->source.batch, tables = (size_t)p->table_count;
    p->runners = calloc((size_t)n, sizeof *p->runners);
    p->differing = calloc(images * tables, sizeof *p->differing);
    if (!p->runners || !p->differing)
        return error_memory(e, "the proof", (size_t)n * sizeof *p->runners);
    for (int i = 0; i < n && status == HONE_OK; i++)
        status = open_runner(p, &p->runners[i], p->tables[i % p->table_count], bytes, count, e);
    return status;
}

static int compile(Prover *p, Error *e)
{
    const ProveSource *s = &p->source;
    const Value *output = integer_source(s->output);
    ExecOptions options = {.mode = {.integer = true},
                           .batch = s->batch,
                           .compute = s->compute,
                           .keep = &output,
                           .keep_count = 1,
                           .integer = s->plan->layers};
    int status = exec_new(&p->batch, s->graph, s->params, &options, e);
    if (status != HONE_OK)
        return status;
    options.batch = 1;
    options.keep_all = true;
    return exec_new(&p->trace, s->graph, s->params, &options, e);
}

static int check_shapes(const Prover *p, Error *e)
{
    const HoneRtModel *model = &p->runners[0].model;
    size_t in = hone_rt_elements(hone_rt_input(model));
    size_t out = hone_rt_elements(hone_rt_output(model));
    if (in == p->input_count && out == p->output_count)
        return HONE_OK;
    return error_set(e, HONE_ERR_MISMATCH,
                     "the artifact maps %zu values to %zu, the trained model %zu to %zu", in, out,
                     p->input_count, p->output_count);
}

int prover_new(Prover **out, const ProveSource *source, const void *bytes, size_t count, Error *e)
{
    *out = NULL;
    Prover *p = calloc(1, sizeof *p);
    if (!p)
        return error_memory(e, "the proof", sizeof *p);
    p->source = *source;
    p->workers = threads_count(source->compute->threads);
    p->tables[p->table_count++] = &hone_rt_kernels_ref;
    if (source->compute->integer != &hone_rt_kernels_ref)
        p->tables[p->table_count++] = source->compute->integer;
    p->input_count = shape_count(source->input->shape);
    p->output_count = shape_count(integer_source(source->output)->shape);
    int status = open_runners(p, bytes, count, e);
    if (status == HONE_OK)
        status = check_shapes(p, e);
    if (status == HONE_OK)
        status = compile(p, e);
    if (status != HONE_OK) {
        prover_free(p);
        return status;
    }
    *out = p;
    return HONE_OK;
}

void prover_free(Prover *p)
{
    if (!p)
        return;
    for (int i = 0; p->runners && i < p->workers * p->table_count; i++) {
        free(p->runners[i].arena);
        free(p->runners[i].output);
    }
    exec_free(p->batch);
    exec_free(p->trace);
    free(p->runners);
    free(p->differing);
    free(p);
}

/* ---- layer by layer ---- */

typedef struct Trace {
    Prover *p;
    const HoneRtModel *model;
    const char *kernels;
    int64_t image; /* of all images so far */
    bool inner;    /* count the codes of inner layers */
} Trace;

/* Keeps the first sentence; of one traced image that is the first layer in execution order. */
static void note_first(Prover *p, const char *layer, const char *detail)
{
    ProveResult *result = &p->result;
    if (result->first_layer[0])
        return;
    snprintf(result->first_layer, sizeof result->first_layer, "%s", layer);
    snprintf(result->detail, sizeof result->detail, "%s", detail);
}

/* The codes of the trained layer of this name, or NULL where it has none or another number. */
static const int8_t *trained_codes(const Prover *p, const char *layer, size_t count)
{
    const Node *n = graph_find_node(p->source.graph, layer);
    const Tensor *t = n && n->op->integer ? exec_tensor(p->trace, n->out[0]) : NULL;
    return t && shape_count(t->shape) == count ? t->data : NULL;
}

/* Called by the runtime after each op. */
static void compare_layer(void *context, uint32_t op, uint32_t tensor, const int8_t *data,
                          size_t count)
{
    Trace *t = context;
    const char *layer = hone_rt_op_name(t->model, op);
    const int8_t *wanted = trained_codes(t->p, layer, count);
    char detail[sizeof t->p->result.detail];
    size_t first = 0, differing = wanted ? 0 : count;
    for (size_t i = count; wanted && i-- > 0;) {
        if (wanted[i] != data[i]) {
            first = i;
            differing++;
        }
    }
    if (t->inner && tensor != t->model->program.output) {
        t->p->result.traced += (int64_t)count;
        t->p->result.mismatches += (int64_t)differing;
    }
    if (differing == 0)
        return;
    if (wanted)
        snprintf(detail, sizeof detail,
                 "image %lld, code %zu of %zu is %d, the artifact computes %d (kernels %s)",
                 (long long)t->image, first, count, wanted[first], data[first], t->kernels);
    else
        snprintf(detail, sizeof detail, "the trained model has no such layer of %zu values", count);
    note_first(t->p, layer, detail);
}

/* Runs one image of the batch through both, layer by layer, with one kernel table. */
static int trace_image(Prover *p, int index, int table, bool inner, Error *e)
{
    Runner *r = runner(p, 0, table);
    const int8_t *codes = p->codes + (size_t)index * p->input_count;
    Trace t = {p, &r->model, p->tables[table]->name, p->result.images + index, inner};
    memcpy(exec_tensor(p->trace, p->source.input)->data, codes, p->input_count);
    exec_forward(p->trace);
    HoneRtStatus status = hone_rt_run_traced(&r->model, codes, r->output, compare_layer, &t);
    if (status == HONE_RT_OK)
        return HONE_OK;
    return error_set(e, HONE_ERR_DATA, "the runtime cannot run the artifact: %s",
                     hone_rt_status_text(status));
}

/* ---- batches ---- */

/* The machine's kernels, which are last, run every image; the reference kernels, the first, may stop
 * early. They may be the machine's. */
static bool table_runs(const Prover *p, int image, int table)
{
    int64_t limit = p->source.reference_images;
    return limit <= 0 || p->result.images + image < limit || table == p->table_count - 1;
}

static void run_image(void *context, int image, int worker)
{
    Prover *p = context;
    size_t n = p->output_count;
    const int8_t *wanted = p->wanted + (size_t)image * n;
    for (int table = 0; table < p->table_count; table++) {
        if (!table_runs(p, image, table))
            continue;
        Runner *r = runner(p, worker, table);
        int32_t differing = 0;
        HoneRtStatus status =
            hone_rt_run(&r->model, p->codes + (size_t)image * p->input_count, r->output);
        for (size_t i = 0; i < n; i++)
            differing += status != HONE_RT_OK || r->output[i] != wanted[i];
        p->differing[image * p->table_count + table] = differing;
        if (p->outputs && table == p->table_count - 1)
            memcpy(p->outputs + (size_t)image * n, r->output, n);
    }
}

/* Adds up what differs of one image; traces it where it must be, or to locate the first difference. */
static int collect(Prover *p, int image, int table, Error *e)
{
    ProveResult *result = &p->result;
    int32_t differing = p->differing[image * p->table_count + table];
    bool inner = result->images + image < PROVE_TRACED;
    int status = HONE_OK;
    result->compared += (int64_t)p->output_count;
    result->mismatches += differing;
    if (inner || (differing && !result->first_layer[0]))
        status = trace_image(p, image, table, inner, e);
    if (differing) /* nothing noted yet: one image at a time the layers agree */
        note_first(p, integer_source(p->source.output)->producer->name,
                   "only in a batch, not for single images");
    return status;
}

int prover_batch(Prover *p, const int8_t *codes, int count, int8_t *outputs, Error *e)
{
    p->codes = codes;
    p->outputs = outputs;
    memcpy(exec_tensor(p->batch, p->source.input)->data, codes, (size_t)count * p->input_count);
    exec_forward(p->batch);
    p->wanted = exec_tensor(p->batch, integer_source(p->source.output))->data;
    threads_run(p->source.compute->threads, count, run_image, p);
    int status = HONE_OK;
    for (int image = 0; image < count && status == HONE_OK; image++)
        for (int table = 0; table < p->table_count && status == HONE_OK; table++)
            if (table_runs(p, image, table))
                status = collect(p, image, table, e);
    for (int image = 0; image < count; image++)
        p->result.reference += table_runs(p, image, 0);
    p->result.images += count;
    return status;
}

const int8_t *prover_trained(const Prover *p)
{
    return p->wanted;
}

const ProveResult *prover_result(const Prover *p)
{
    return &p->result;
}

size_t prover_input_count(const Prover *p)
{
    return p->input_count;
}

size_t prover_output_count(const Prover *p)
{
    return p->output_count;
}

int prover_verdict(const Prover *p, Error *e)
{
    const ProveResult *r = &p->result;
    long long all = r->compared + r->traced;
    if (r->mismatches == 0 && r->compared > 0)
        return HONE_OK;
    if (r->compared == 0)
        return error_set(e, HONE_ERR_MISMATCH, "no image was compared, so nothing is proven");
    return error_set(e, HONE_ERR_MISMATCH,
                     "the artifact differs from the trained model in %lld of %lld codes; first in "
                     "layer '%s'%s%s",
                     (long long)r->mismatches, all, r->first_layer, r->detail[0] ? ": " : "",
                     r->detail);
}
