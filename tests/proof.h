/* A trained network and its artifact for tests of the proof; check fixtures make them for every test.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_PROOF_H
#define HONE_TESTS_PROOF_H

#include "export/prove.h"
#include "tests/tiny_net.h"

extern TinyNet proof_net;
extern unsigned char *proof_artifact; /* of proof_net, proof_bytes long */
extern size_t proof_bytes;

void proof_setup(void);
void proof_teardown(void);
/* Network and artifact in the other profile. */
void proof_to_d31(void);
/* Runs all images, in batches of 16 and what remains; the outputs (unless NULL) are those of the
 * artifact [TINY_IMAGES][TINY_CLASSES]. The result is a copy. */
ProveResult proof_run(const TinyNet *t, const unsigned char *bytes, size_t count, int8_t *outputs);

#endif
