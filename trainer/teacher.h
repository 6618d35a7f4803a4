/* The teacher of a run with a `distill` section: another run's model, which answers the student's
 * batches in float and never changes.
 *
 *     if (teacher_open(&teacher, &session, &e) != HONE_OK) ...
 *     exec_lend(student, session.teacher, teacher_answer(&teacher, batch));   // before exec_forward
 *     teacher_close(&teacher);
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_TEACHER_H
#define HONE_TRAINER_TEACHER_H

#include "datasets/loader.h"
#include "trainer/peer.h"

typedef struct Teacher {
    Peer peer;
    Exec *exec; /* of the student's batch */
} Teacher;

/* Opens distill.teacher.checkpoint of the session's configuration. Errors: as peer_open; for a file
 * that does not exist a sentence that says how to make one. A failure leaves nothing to close. */
HONE_CHECKED int teacher_open(Teacher *t, const Session *s, Error *e);
/* A zeroed teacher is closed already. */
void teacher_close(Teacher *t);
/* Its logits [batch, classes] for a training batch, valid until the next call. No allocation. */
Real *teacher_answer(const Teacher *t, const Batch *b);
/* A number that tells its parameters and states from other ones; not 0. */
int64_t teacher_mark(const Teacher *t);

#endif
