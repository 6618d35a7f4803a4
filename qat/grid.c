/* The grid of an activation: scale and zero point of the range that observers keep.
 *
 * Runs in every step from the state that the previous step left; or, fixed, says always the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "qat/nodes.h"
#include "qat/scale.h"

static int infer(Node *n, Error *e)
{
    const GridAttributes *a = n->attributes;
    char text[SHAPE_TEXT_BYTES];
    if (a->qmin < -128 || a->qmin >= a->qmax || a->qmax > 127)
        return error_set(e, HONE_ERR_CONFIG, "grid '%s': codes %d..%d are not within -128..127",
                         n->name, a->qmin, a->qmax);
    if (a->fixed && !(a->grid.scale > 0))
        return error_set(e, HONE_ERR_CONFIG, "grid '%s': scale %g is not above 0", n->name,
                         (double)a->grid.scale);
    if (n->inputs != (a->fixed ? 0 : 1))
        return error_set(e, HONE_ERR_SHAPE, "grid '%s': %d inputs; a fixed one takes 0, others 1",
                         n->name, n->inputs);
    if (!a->fixed && !shape_equal(n->in[0]->shape, SHAPE1(RANGE_NUMBERS)))
        return error_set(e, HONE_ERR_SHAPE, "grid '%s': '%s' %s is not a range [%d]", n->name,
                         n->in[0]->name, shape_text(n->in[0]->shape, text), RANGE_NUMBERS);
    n->out[0]->shape = SHAPE1(1);
    n->out[1]->shape = SHAPE1(1);
    return HONE_OK;
}

static void forward(const Run *r)
{
    const GridAttributes *a = r->node->attributes;
    Grid grid = a->grid;
    if (!a->fixed) {
        const Real *range = r->in[0]->data;
        /* A range that is not finite gives the degenerate grid; whoever made it is found elsewhere. */
        (void)qat_grid_from_range((float)range[RANGE_MIN], (float)range[RANGE_MAX], a->qmin,
                                  a->qmax, &grid);
    }
    *(Real *)r->out[0]->data = (Real)grid.scale;
    *(Real *)r->out[1]->data = (Real)grid.zero_point;
}

const Op op_grid = {
    .name = "grid",
    .flags = OP_GRID,
    .outputs = 2,
    .infer = infer,
    .forward = forward,
};

Node *qat_grid(Graph *g, const char *name, Value *range, const GridAttributes *attributes)
{
    return graph_node(g, &op_grid, name, attributes->fixed ? 0 : 1, &range, attributes,
                      sizeof *attributes);
}
