/* Calibration: see calibrate.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/calibrate.h"

int training_loader(Loader **loader, const Session *s, Error *e)
{
    const RunOptions *o = s->config->options;
    LoaderOptions how = {.split = DATASET_TRAIN,
                         .training = true,
                         .batch = (int)o->train.batch,
                         .seed = (uint64_t)o->seed,
                         .augment = &o->augment};
    return loader_new(loader, s->dataset, &how, e);
}

void training_lend(const Session *s, Exec *x, const Batch *batch)
{
    exec_lend(x, s->model.image, batch->x);
    exec_lend(x, s->model.labels, batch->labels);
    if (s->model.others) {
        exec_lend(x, s->model.others, batch->others);
        exec_lend(x, s->model.shares, batch->shares);
    }
}

static int observe(const Session *s, Exec *x, Loader *loader, Error *e)
{
    const Batch *b;
    int status = loader_next(loader, &b, e);
    if (status != HONE_OK)
        return status;
    training_lend(s, x, b);
    exec_forward(x);
    exec_commit(x);
    return HONE_OK;
}

int calibrate(const Session *s, int64_t step, int64_t batches, Error *e)
{
    const RunOptions *o = s->config->options;
    Exec *x = NULL;
    Loader *loader = NULL;
    int status = session_compile(s, &x, (Mode){.observe = true}, (int)o->train.batch, NULL, e);
    if (status == HONE_OK)
        status = training_loader(&loader, s, e);
    if (status == HONE_OK)
        status = loader_start(loader, step / loader_steps(loader), step % loader_steps(loader), e);
    for (int64_t i = 0; i < batches && status == HONE_OK; i++)
        status = observe(s, x, loader, e);
    loader_free(loader);
    exec_free(x);
    return status;
}
