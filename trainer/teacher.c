/* The teacher: see teacher.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/teacher.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define KEY "distill.teacher.checkpoint"

int teacher_open(Teacher *t, const Session *s, Error *e)
{
    const char *path = s->config->options->distill.teacher.checkpoint;
    *t = (Teacher){0};
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return bind_refuse(&s->config->binding, KEY, e,
                           "'%s' does not exist; a teacher is a run of its own, as "
                           "./train configs/teacher_resnet20.yaml, which leaves "
                           "runs/teacher_resnet20/best.h5",
                           path);
    int status = peer_open(&t->peer, path, s, KEY, e);
    if (status != HONE_OK)
        return status;
    status = session_compile(&t->peer.session, &t->exec, (Mode){0},
                             (int)s->config->options->train.batch, NULL, e);
    if (status != HONE_OK)
        teacher_close(t);
    return status;
}

void teacher_close(Teacher *t)
{
    exec_free(t->exec);
    peer_close(&t->peer);
    *t = (Teacher){0};
}

/* The teacher's own loss is not read: the labels it has are as good as any. */
Real *teacher_answer(const Teacher *t, const Batch *b)
{
    const Session *s = &t->peer.session;
    exec_lend(t->exec, s->model.image, b->x);
    exec_lend(t->exec, s->model.labels, b->labels);
    exec_forward(t->exec);
    return exec_tensor(t->exec, s->logits)->data;
}

/* FNV-1a over bytes. */
static uint64_t hash(uint64_t h, const void *from, size_t bytes)
{
    const unsigned char *p = from;
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

int64_t teacher_mark(const Teacher *t)
{
    const Session *s = &t->peer.session;
    uint64_t h = 0xcbf29ce484222325u;
    h = hash(h, s->params.value, s->graph.trained_count * sizeof(Real));
    h = hash(h, s->params.state, s->graph.state_count * sizeof(Real));
    return (int64_t)(h >> 1) + 1;
}
