/* The profile of a training step, as text and as JSON. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CLI_BENCH_PROFILE_H
#define HONE_CLI_BENCH_PROFILE_H

#include "report/json.h"
#include "trainer/bench.h"

/* Three tables: phases, nodes in the order of execution, kinds of op. Nodes of less than a thousandth
 * of the step stand in one line together. */
HONE_CHECKED int bench_profile_text(const BenchResult *r, Text *out, Error *e);
/* Members of the open object: "ceilings", "phases", "nodes" (all of them). */
void bench_profile_json(const BenchResult *r, Json *j);

#endif
