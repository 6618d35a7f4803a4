/* Another run's model: see peer.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/peer.h"

static int same_task(const Session *s, const Session *other, const char *path, const char *key,
                     Error *e)
{
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    Shape mine = s->model.image->shape, theirs = other->model.image->shape;
    if (shape_equal(mine, theirs) &&
        shape_equal(s->model.logits->shape, other->model.logits->shape))
        return HONE_OK;
    return bind_refuse(&s->config->binding, key, e,
                       "%s takes images %s and gives %d outputs, here they are %s and %d", path,
                       shape_text(theirs, a), session_outputs(other), shape_text(mine, b),
                       session_outputs(s));
}

int peer_open(Peer *p, const char *path, const Session *s, const char *key, Error *e)
{
    SessionOptions how = {.compute = &s->compute, .without_data = true};
    *p = (Peer){.path = path};
    int status = checkpoint_open(&p->checkpoint, path, NULL, 0, e);
    if (status != HONE_OK)
        return status;
    status = session_open(&p->session, &p->checkpoint.config, &how, e);
    if (status == HONE_OK)
        status = same_task(s, &p->session, path, key, e);
    if (status == HONE_OK)
        status = checkpoint_restore(&p->checkpoint, &p->session, NULL, NULL, e);
    if (status != HONE_OK)
        peer_close(p);
    return status;
}

void peer_close(Peer *p)
{
    session_close(&p->session);
    checkpoint_close(&p->checkpoint);
    *p = (Peer){0};
}

int peer_evaluate(Peer *p, const Session *s, Evaluation *v, const TrainEvents *events, Error *e)
{
    EvaluateOptions how = {.split = DATASET_TEST, .events = events};
    p->session.dataset = s->dataset; /* lent for the evaluation */
    int status = evaluate_model(v, &p->session, &how, e);
    p->session.dataset = NULL;
    return status;
}
