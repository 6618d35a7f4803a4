/* The flat blocks: see params.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/params.h"

#include "core/memory.h"
#include "core/rng.h"

#include <stdlib.h>

static Real *block(size_t count)
{
    return memory_new(count * sizeof(Real) + 64); /* room for one vector past the end */
}

/* FNV-1a: gives each name its own place in the generator. */
static uint64_t hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}

static void draw(Real *out, const Param *param, uint64_t seed)
{
    Rng r = rng_at(seed, RNG_INIT, hash(param->name), 0);
    for (size_t i = 0; i < param->count; i++)
        out[i] = (Real)(param->init.mean +
                        (param->init.deviation > 0 ? param->init.deviation * rng_normal(&r) : 0));
}

int params_new(Params *p, const Graph *graph, uint64_t seed, Error *e)
{
    *p = (Params){.graph = graph,
                  .value = block(graph->trained_count),
                  .grad = block(graph->trained_count),
                  .state = block(graph->state_count)};
    if (!p->value || !p->grad || !p->state) {
        params_free(p);
        return error_memory(e, "the parameters", graph->trained_count * sizeof(Real));
    }
    for (int i = 0; i < graph->param_count; i++)
        draw(params_at(p, graph->params[i]), graph->params[i], seed);
    return HONE_OK;
}

void params_free(Params *p)
{
    free(p->value);
    free(p->grad);
    free(p->state);
    *p = (Params){0};
}

Real *params_at(const Params *p, const Param *param)
{
    return (param->role == PARAM_STATE ? p->state : p->value) + param->offset;
}
