/* See proof.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/proof.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 20261120 };

TinyNet proof_net;
unsigned char *proof_artifact;
size_t proof_bytes;

void proof_setup(void)
{
    tiny_net_init(&proof_net, SEED, 2, NULL, true);
    proof_artifact = tiny_net_artifact(&proof_net, &proof_bytes);
}

void proof_teardown(void)
{
    free(proof_artifact);
    tiny_net_release(&proof_net);
}

ProveResult proof_run(const TinyNet *t, const unsigned char *bytes, size_t count, int8_t *outputs)
{
    Error e = {0};
    Prover *p;
    ck_assert_msg(prover_new(&p, &t->source, bytes, count, &e) == HONE_OK, "%s", e.text);
    ck_assert_uint_eq(prover_input_count(p), TINY_IMAGE);
    ck_assert_uint_eq(prover_output_count(p), TINY_CLASSES);
    for (int at = 0; at < TINY_IMAGES; at += t->source.batch) {
        int n = TINY_IMAGES - at < t->source.batch ? TINY_IMAGES - at : t->source.batch;
        int status = prover_batch(p, t->codes + at * TINY_IMAGE, n,
                                  outputs ? outputs + at * TINY_CLASSES : NULL, &e);
        ck_assert_msg(status == HONE_OK, "%s", e.text);
        if (outputs)
            ck_assert_mem_eq(prover_trained(p), outputs + at * TINY_CLASSES,
                             (size_t)(n * TINY_CLASSES));
    }
    ProveResult result = *prover_result(p);
    int verdict = prover_verdict(p, &e);
    ck_assert_int_eq(verdict, result.mismatches ? HONE_ERR_MISMATCH : HONE_OK);
    if (verdict != HONE_OK)
        ck_assert_ptr_nonnull(strstr(e.text, result.first_layer));
    prover_free(p);
    return result;
}

void proof_to_d31(void)
{
    free(proof_artifact);
    tiny_net_plan(&proof_net, HONE_RT_D31);
    proof_artifact = tiny_net_artifact(&proof_net, &proof_bytes);
}
