/* Another run's model beside this session's: a baseline to compare with, a teacher. It has the
 * session's machine and, while it is evaluated, the session's data.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_PEER_H
#define HONE_TRAINER_PEER_H

#include "trainer/checkpoint.h"
#include "trainer/evaluate.h"

typedef struct Peer {
    Checkpoint checkpoint; /* open: its configuration is the session's */
    Session session;       /* without data */
    const char *path;      /* borrowed */
} Peer;

/* Opens the checkpoint at path, whose model must take images and give as many outputs as that of s; key
 * names it in messages ("baseline"). s and path must outlive the peer. Errors: as checkpoint_open and
 * checkpoint_restore; ERR_CONFIG for another task. A failure leaves nothing to close. */
HONE_CHECKED int peer_open(Peer *p, const char *path, const Session *s, const char *key, Error *e);
void peer_close(Peer *p);
/* In float, on the test set of s. */
HONE_CHECKED int peer_evaluate(Peer *p, const Session *s, Evaluation *v, const TrainEvents *events,
                               Error *e);

#endif
