/* Another run's model: see peer.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/peer.h"

#include "report/show.h"

static int same_task(const Session *s, const Session *other, const char *path, const char *key,
                     Error *e)
{
    Shape mine = s->model.image->shape, theirs = other->model.image->shape;
    if (shape_equal(mine, theirs) &&
        shape_equal(s->model.logits->shape, other->model.logits->shape))
        return HONE_OK;
    return bind_refuse(&s->config->binding, key, e,
                       "%s takes images of %s and gives %d outputs, here they are %s and %d", path,
                       show_shape(theirs).text, session_outputs(other), show_shape(mine).text,
                       session_outputs(s));
}

/* What is wrong with the file is the key's fault, not that of the file alone. */
static int blame(const Session *s, const char *key, int status, Error *e)
{
    if (!e || status == HONE_ERR_MEMORY)
        return status;
    Error had = *e;
    *e = (Error){0};
    (void)bind_refuse(&s->config->binding, key, e, "%s", had.text);
    e->code = status;
    return status;
}

int peer_open(Peer *p, const char *path, const Session *s, const char *key, Error *e)
{
    SessionOptions how = {.compute = &s->compute, .without_data = true};
    *p = (Peer){.path = path};
    int status = checkpoint_open(&p->checkpoint, path, NULL, 0, e);
    if (status != HONE_OK)
        return blame(s, key, status, e);
    status = session_open(&p->session, &p->checkpoint.config, &how, e);
    if (status != HONE_OK)
        status = blame(s, key, status, e);
    else
        status = same_task(s, &p->session, path, key, e);
    if (status == HONE_OK) {
        status = checkpoint_restore(&p->checkpoint, &p->session, NULL, NULL, e);
        status = status == HONE_OK ? HONE_OK : blame(s, key, status, e);
    }
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
