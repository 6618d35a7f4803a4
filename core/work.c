/* Counting work: see work.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/work.h"

#include "core/exec_internal.h"

/* ---- products ---- */

static int input_of(const Node *n, const Value *v)
{
    for (int k = 0; k < n->inputs; k++)
        if (n->in[k] == v)
            return k;
    return -1;
}

static bool is_code(const Run *r, int input)
{
    return input >= 0 && r->in[input]->elem == ELEM_CODE;
}

static Arithmetic of_forward(const Run *r, int x, int weights)
{
    return r->mode->integer || (is_code(r, x) && is_code(r, weights)) ? ARITHMETIC_INT8
                                                                      : ARITHMETIC_FLOAT;
}

/* What the mode asks for; a layer too small for 16-bit numbers to pay has floats instead. */
static Arithmetic of_backward(const Run *r, int x, int weights)
{
    if (!is_code(r, x) || !is_code(r, weights))
        return ARITHMETIC_FLOAT;
    return r->mode->backward == BACKWARD_BF16    ? ARITHMETIC_BF16
           : r->mode->backward == BACKWARD_INT16 ? ARITHMETIC_INT16
                                                 : ARITHMETIC_FLOAT;
}

/* Adds the products of n, which is r's node or one that it covers. */
static void add_products(const Run *r, const Node *n, Work *w)
{
    if (!n->op->macs)
        return;
    const int x = input_of(r->node, n->in[0]), weights = input_of(r->node, n->in[n->op->weight]);
    const int64_t macs = n->op->macs(n) * r->in[0]->shape.dim[0];
    w->forward.macs += macs;
    w->forward.arithmetic = of_forward(r, x, weights);
    w->backward.macs += macs * ((x >= 0 && r->want[x]) + (weights >= 0 && r->want[weights]));
    w->backward.arithmetic = of_backward(r, x, weights);
}

/* ---- bytes ---- */

static int64_t data_bytes(const Tensor *t)
{
    const size_t each = t->elem == ELEM_CODE    ? sizeof(int8_t)
                        : t->elem == ELEM_INT32 ? sizeof(int32_t)
                                                : sizeof(Real);
    return (int64_t)(shape_count(t->shape) * each);
}

static int64_t grad_bytes(const Tensor *t)
{
    return (int64_t)(shape_count(t->shape) * sizeof(Real));
}

/* Whether an input came before: a node that reads a tensor twice moves it once. */
static bool repeats(const Run *r, int input)
{
    for (int k = 0; k < input; k++)
        if (r->in[k] == r->in[input])
            return true;
    return false;
}

static int64_t saved_bytes(const Run *r)
{
    Needs n = {0};
    if (r->node->op->needs)
        r->node->op->needs(r, &n);
    return (int64_t)n.saved;
}

static bool copies_in_place(const Run *r, const void *from, const void *to)
{
    return r->node->op->flags & OP_COPY && from == to;
}

static int64_t forward_bytes(const Run *r)
{
    const Node *n = r->node;
    int64_t bytes = 0;
    if (n->outputs > 0 && n->inputs > 0 && copies_in_place(r, r->in[0]->data, r->out[0]->data))
        return 0;
    for (int k = 0; k < n->inputs; k++)
        bytes += repeats(r, k) ? 0 : data_bytes(r->in[k]);
    for (int j = 0; j < n->outputs; j++)
        bytes += data_bytes(r->out[j]);
    return bytes;
}

static int64_t backward_bytes(const Run *r)
{
    const Node *n = r->node;
    int64_t bytes = 0;
    if (r->want[0] && !r->accumulate[0] && copies_in_place(r, r->out[0]->grad, r->in[0]->grad))
        return 0;
    for (int k = 0; k < n->inputs; k++) {
        bytes += (n->op->reads & OP_IN(k)) && !repeats(r, k) ? data_bytes(r->in[k]) : 0;
        bytes += r->want[k] ? grad_bytes(r->in[k]) * (r->accumulate[k] ? 2 : 1) : 0;
    }
    for (int j = 0; j < n->outputs; j++) {
        bytes += n->op->reads & OP_OUT(j) ? data_bytes(r->out[j]) : 0;
        bytes += r->out[j]->grad ? grad_bytes(r->out[j]) : 0;
    }
    return bytes;
}

Work work_of(const Exec *x, int i)
{
    const Run *r = &x->runs[i];
    const int64_t saved = x->backward[i] ? saved_bytes(r) : 0;
    Work w = {.forward.bytes = forward_bytes(r) + saved};
    add_products(r, r->node, &w);
    for (int k = 0; k < r->node->cover_count; k++)
        add_products(r, r->node->covers[k], &w);
    if (x->backward[i])
        w.backward.bytes = backward_bytes(r) + saved;
    else
        w.backward.macs = 0;
    return w;
}

/* ---- time ---- */

double work_least_ms(const WorkPart *w, const Ceilings *c, const char **limit)
{
    const double gops = c->gops[w->arithmetic];
    const double computing = gops > 0 ? 1e-6 * 2 * (double)w->macs / gops : 0;
    const double moving = c->gbytes > 0 ? 1e-6 * (double)w->bytes / c->gbytes : 0;
    if (limit)
        *limit = computing > moving ? arithmetic_name(w->arithmetic) : "memory";
    return computing > moving ? computing : moving;
}
