/* Inference on several threads: see parallel.h. SPDX-License-Identifier: Apache-2.0 */
#include "export/parallel.h"

#include <stdlib.h>
#include <string.h>

/* A part should take so long at least: handing it over and waiting for it costs about a
 * microsecond. */
#define PART_NS 3000

/* Rough speeds of the kernels of a fast CPU: of what to divide, nothing else depends on them. */
#define MACS_PER_NS            200
#define CODES_PER_NS           15
#define DEPTHWISE_CODES_PER_NS 5

struct Parallel {
    HoneRtModel *model;
    Threads *threads;
    unsigned char *scratch; /* [threads][scratch_bytes] */
    size_t scratch_bytes;
    int *parts;  /* [ops] */
    uint32_t op; /* the one that is running */
};

static double op_ns(const HoneRtProgram *p, const HoneRtOp *op)
{
    const HoneRtTensor *x = &p->tensors[op->inputs[0]];
    const double codes = (double)hone_rt_elements(&p->tensors[op->output]);
    if (op->kind == HONE_RT_OP_DEPTHWISE)
        return codes / DEPTHWISE_CODES_PER_NS;
    if (op->kind == HONE_RT_OP_CONV)
        return codes * op->kernel_h * op->kernel_w * (double)x->c / MACS_PER_NS +
               codes / CODES_PER_NS;
    return codes / CODES_PER_NS;
}

static int parts_of(const Parallel *p, uint32_t op)
{
    const int rows = hone_rt_rows(p->model, op), threads = threads_count(p->threads);
    const int most = rows < threads ? rows : threads;
    const int worth = (int)(op_ns(&p->model->program, &p->model->program.ops[op]) / PART_NS);
    return worth < 2 || most < 2 ? 1 : worth < most ? worth : most;
}

int parallel_new(Parallel **parallel, HoneRtModel *model, Threads *threads, Error *e)
{
    const uint32_t ops = model->program.op_count;
    const size_t workers = (size_t)threads_count(threads);
    const size_t line = 64; /* workers share no cache line */
    *parallel = NULL;
    Parallel *p = calloc(1, sizeof *p);
    if (!p)
        return error_memory(e, "running in parallel", sizeof *p);
    p->model = model;
    p->threads = threads;
    p->scratch_bytes = (hone_rt_scratch_bytes(model) + 2 * line - 1) / line * line;
    p->scratch = calloc(workers, p->scratch_bytes);
    p->parts = calloc((size_t)ops + 1, sizeof *p->parts);
    if (!p->scratch || !p->parts) {
        const size_t bytes = workers * p->scratch_bytes;
        parallel_free(p);
        return error_memory(e, "running in parallel", bytes);
    }
    for (uint32_t i = 0; i < ops; i++)
        p->parts[i] = parts_of(p, i);
    *parallel = p;
    return HONE_OK;
}

void parallel_free(Parallel *p)
{
    if (!p)
        return;
    free(p->scratch);
    free(p->parts);
    free(p);
}

int parallel_parts(const Parallel *p, uint32_t op)
{
    return p->parts[op];
}

/* Part `block` of the rows of the running op. */
static void run_part(void *context, int block, int worker)
{
    const Parallel *p = context;
    const int64_t rows = hone_rt_rows(p->model, p->op), parts = p->parts[p->op];
    hone_rt_run_rows(p->model, p->op, (int)(rows * block / parts),
                     (int)(rows * (block + 1) / parts),
                     p->scratch + (size_t)worker * p->scratch_bytes);
}

HoneRtStatus parallel_run(Parallel *p, const int8_t *input, int8_t *output, HoneRtTrace trace,
                          void *context)
{
    const HoneRtProgram *program = &p->model->program;
    int8_t *codes = hone_rt_input_codes(p->model);
    if (codes == NULL)
        return HONE_RT_ERR_STATE;
    if (input != NULL)
        memcpy(codes, input, hone_rt_elements(hone_rt_input(p->model)));
    for (p->op = 0; p->op < program->op_count; p->op++) {
        const HoneRtTensor *y = &program->tensors[program->ops[p->op].output];
        threads_run(p->threads, p->parts[p->op], run_part, p);
        if (trace != NULL)
            trace(context, p->op, program->ops[p->op].output,
                  (const int8_t *)(p->model->activations + y->offset), hone_rt_elements(y));
    }
    if (output != NULL)
        memcpy(output, hone_rt_output_codes(p->model), hone_rt_elements(hone_rt_output(p->model)));
    return HONE_RT_OK;
}
