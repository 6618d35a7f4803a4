/* What ranges are made from: the extremes of values, gathered in forward; an observer moves its
 * range state towards them in commit, so that a step computes with the range the previous step left.
 *
 * The first batch sets the range. After it
 *     EMA      range = m range + (1 - m) batch          (Jacob et al., CVPR 2018, section 3.1)
 *     MINMAX   range = union of range and batch
 * A batch with a NaN or an infinity leaves the state as it is, and so does a frozen observer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "qat/nodes.h"

#include <math.h>

enum { SHARED_WORK = 4096 }; /* numbers */

typedef struct Extremes {
    Real lo, hi; /* NaN: something is not finite */
} Extremes;

/* ---- gathering ---- */

static Extremes join(Extremes a, Extremes b)
{
    if (isnan(a.lo) || isnan(b.lo))
        return (Extremes){(Real)NAN, (Real)NAN};
    return (Extremes){b.lo < a.lo ? b.lo : a.lo, b.hi > a.hi ? b.hi : a.hi};
}

/* The chunk's share of each of the inputs from `first` on. */
static void gather(const Run *r, int first, int chunk)
{
    Extremes all = {(Real)INFINITY, -(Real)INFINITY};
    for (int k = first; k < r->node->inputs; k++) {
        size_t n = shape_count(r->in[k]->shape);
        size_t begin = n * (size_t)chunk / RUN_CHUNKS, end = n * ((size_t)chunk + 1) / RUN_CHUNKS;
        if (begin == end)
            continue;
        Extremes e;
        r->compute->real->minmax(end - begin, (const Real *)r->in[k]->data + begin, &e.lo, &e.hi);
        all = join(all, e);
    }
    ((Extremes *)r->shared)[chunk] = all;
}

static void gather_from_0(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)begin, (void)end, (void)worker;
    gather(r, 0, chunk);
}

static void gather_from_1(const Run *r, int chunk, int begin, int end, int worker)
{
    (void)begin, (void)end, (void)worker;
    gather(r, 1, chunk);
}

/* Few numbers, as extents are, are not worth waking the workers for. */
static Extremes gathered(const Run *r, RunFn fn)
{
    size_t count = 0;
    for (int k = 0; k < r->node->inputs; k++)
        count += shape_count(r->in[k]->shape);
    if (count >= SHARED_WORK)
        run_chunks(r, RUN_CHUNKS, fn);
    for (int chunk = 0; chunk < RUN_CHUNKS && count < SHARED_WORK; chunk++)
        fn(r, chunk, chunk, chunk + 1, 0);
    const Extremes *parts = r->shared;
    Extremes all = parts[0];
    for (int i = 1; i < RUN_CHUNKS; i++)
        all = join(all, parts[i]);
    return all;
}

static int check_real(const Node *n, int first, Error *e)
{
    for (int k = first; k < n->inputs; k++)
        if (n->in[k]->elem != ELEM_REAL || n->in[k]->scale)
            return error_set(e, HONE_ERR_SHAPE, "%s '%s': '%s' is not real", n->op->name, n->name,
                             n->in[k]->name);
    return HONE_OK;
}

/* ---- extent ---- */

static int extent_infer(Node *n, Error *e)
{
    n->out[0]->shape = SHAPE1(2);
    n->out[0]->batched = false;
    return check_real(n, 0, e);
}

static void extent_needs(const Run *r, Needs *needs)
{
    (void)r;
    needs->shared = RUN_CHUNKS * sizeof(Extremes);
}

static void extent_forward(const Run *r)
{
    *(Extremes *)r->out[0]->data = gathered(r, gather_from_0);
}

const Op op_extent = {
    .name = "extent",
    .flags = OP_OBSERVER,
    .outputs = 1,
    .infer = extent_infer,
    .needs = extent_needs,
    .forward = extent_forward,
};

Node *qat_extent(Graph *g, const char *name, int count, Value *const *values)
{
    return graph_node(g, &op_extent, name, count, values, NULL, 0);
}

/* ---- observer ---- */

static int observer_infer(Node *n, Error *e)
{
    const ObserverAttributes *a = n->attributes;
    const Value *range = n->in[0];
    char text[SHAPE_TEXT_BYTES];
    if (n->inputs < 2 || range->kind != VALUE_STATE ||
        !shape_equal(range->shape, SHAPE1(RANGE_NUMBERS)))
        return error_set(e, HONE_ERR_SHAPE,
                         "observer '%s': '%s' %s is not a range state [%d], or nothing is observed",
                         n->name, range->name, shape_text(range->shape, text), RANGE_NUMBERS);
    if (a->kind != OBSERVER_MINMAX &&
        !(a->kind == OBSERVER_EMA && a->momentum >= 0 && a->momentum < 1))
        return error_set(e, HONE_ERR_CONFIG, "observer '%s': kind %d with momentum %g", n->name,
                         a->kind, a->momentum);
    return check_real(n, 1, e);
}

static void observer_needs(const Run *r, Needs *needs)
{
    (void)r;
    needs->kept = sizeof(Extremes);
    needs->shared = RUN_CHUNKS * sizeof(Extremes);
}

static void observer_forward(const Run *r)
{
    *(Extremes *)r->kept = gathered(r, gather_from_1);
}

static void observer_commit(const Run *r)
{
    const ObserverAttributes *a = r->node->attributes;
    Extremes batch = *(const Extremes *)r->kept;
    Real *range = r->in[0]->data;
    if (r->control->freeze_observers || isnan(batch.lo))
        return;
    Extremes was = {range[RANGE_MIN], range[RANGE_MAX]}, now = batch;
    if (range[RANGE_BATCHES] > 0 && a->kind == OBSERVER_MINMAX) {
        now = join(was, batch);
    } else if (range[RANGE_BATCHES] > 0) {
        double m = a->momentum;
        now.lo = (Real)(m * (double)was.lo + (1 - m) * (double)batch.lo);
        now.hi = (Real)(m * (double)was.hi + (1 - m) * (double)batch.hi);
    }
    range[RANGE_MIN] = now.lo;
    range[RANGE_MAX] = now.hi;
    range[RANGE_BATCHES] += 1;
}

const Op op_observer = {
    .name = "observer",
    .flags = OP_OBSERVER,
    .outputs = 0,
    .infer = observer_infer,
    .needs = observer_needs,
    .forward = observer_forward,
    .commit = observer_commit,
};

Node *qat_observer(Graph *g, const char *name, Value *range, int count, Value *const *values,
                   const ObserverAttributes *attributes)
{
    Value *in[NODE_INPUTS_MAX] = {range};
    if (count < 1 || count >= NODE_INPUTS_MAX) {
        error_set(&g->error, HONE_ERR_CONFIG, "observer '%s': %d values; 1..%d are possible", name,
                  count, NODE_INPUTS_MAX - 1);
        return NULL;
    }
    for (int i = 0; i < count; i++)
        in[i + 1] = values[i];
    return graph_node(g, &op_observer, name, count + 1, in, attributes, sizeof *attributes);
}
