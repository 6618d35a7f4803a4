/* report.html of a run: gathers what report/page.h shows. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_REPORT_H
#define HONE_TRAINER_REPORT_H

#include "trainer/rundir.h"
#include "trainer/summary.h"

/* Writes report.html into the folder: curves from its metrics.jsonl, the session's final model on the
 * test set, in the arithmetic of the artifact where there is one. Errors: what the parts say. */
HONE_CHECKED int report_write(const Session *s, const Summary *summary, const RunDir *dir,
                              const TrainEvents *events, Error *e);

#endif
