/* hone verify: does an artifact compute what the trainer evaluates, bit for bit?
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/board.h"
#include "cli/inputs.h"
#include "cli/output.h"
#include "report/json.h"
#include "report/show.h"
#include "trainer/finish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct VerifyArguments {
    const char *artifact, *checkpoint;
    FlagTexts sets;
    int64_t limit, threads;
    bool json;
} VerifyArguments;

static bool agrees(const ProveResult *r)
{
    return r->compared > 0 && r->mismatches == 0;
}

static void print_json(const FinishProof *proof, Text *out)
{
    const ProveResult *r = &proof->prove;
    Json j = {.out = out};
    json_open(&j, NULL, '{');
    json_bool(&j, "bit_exact", agrees(r));
    json_whole(&j, "compared", r->compared);
    json_whole(&j, "traced", r->traced);
    json_whole(&j, "mismatches", r->mismatches);
    json_text(&j, "first_layer", r->first_layer[0] ? r->first_layer : NULL);
    json_whole(&j, "images", r->images);
    figures_json(&proof->artifact.figures, proof->artifact.figures.accuracy >= 0, NULL, &j);
    json_close(&j);
}

static void print(const VerifyArguments *a, const FinishProof *proof, const char *kernels,
                  Text *out)
{
    const ProveResult *r = &proof->prove;
    if (a->json) {
        print_json(proof, out);
    } else if (agrees(r)) {
        text_printf(
            out,
            "bit-exact: %s output codes and %s inner ones are equal, on %s test image%s with "
            "%s kernels",
            show_whole(r->compared).text, show_whole(r->traced).text, show_whole(r->images).text,
            text_plural(r->images), kernels);
        if (strcmp(kernels, "ref") != 0)
            text_printf(out, " and on the first %s with ref", show_whole(r->reference).text);
        text_printf(out, "; %s %s\n", figures_name(&proof->artifact.figures),
                    figures_text(&proof->artifact.figures).text);
    }
}

static int verdict(const VerifyArguments *a, const ProveResult *r, Error *e)
{
    if (agrees(r))
        return HONE_OK;
    if (r->mismatches == 0)
        return error_set(e, HONE_ERR_MISMATCH, "no image was compared");
    return error_set(e, HONE_ERR_MISMATCH,
                     "'%s' and '%s' differ in %s of %s codes, first in layer '%s': %s", a->artifact,
                     a->checkpoint, show_whole(r->mismatches).text,
                     show_whole(r->compared + r->traced).text, r->first_layer, r->detail);
}

static int compare(const VerifyArguments *a, const Session *s, const void *bytes, size_t count,
                   Error *e)
{
    Board board;
    FinishProof proof;
    Text text = {0};
    board_open(&board, false);
    TrainEvents events = board_events(&board);
    events.message = NULL; /* results only on standard output */
    int status =
        finish_verify(&proof, s, bytes, count, a->limit == FLAG_UNSET ? 0 : a->limit, &events, e);
    board_close(&board);
    if (status != HONE_OK)
        return status;
    print(a, &proof, s->compute.integer->name, &text);
    status = output_text(&text, e);
    return status == HONE_OK ? verdict(a, &proof.prove, e) : status;
}

static int run(const void *arguments, Error *e)
{
    const VerifyArguments *a = arguments;
    Checkpoint c;
    Session s;
    unsigned char *bytes = NULL;
    size_t count = 0;
    SessionOptions options = input_session(a->threads, false);
    int status = input_artifact(a->artifact, &bytes, &count, e);
    if (status == HONE_OK)
        status = input_checkpoint(&c, &s, a->checkpoint, &a->sets, &options, e);
    if (status == HONE_OK) {
        status = input_quantized(&c, a->checkpoint, e);
        if (status == HONE_OK)
            status = compare(a, &s, bytes, count, e);
        session_close(&s);
        checkpoint_close(&c);
    }
    free(bytes);
    return status;
}

const Verb verb_verify = {
    .name = "verify",
    .summary = "compare an artifact with its checkpoint, bit for bit",
    .about = "Runs both on the test set: the trainer's integer evaluation of the checkpoint, and "
             "the\nartifact's bytes in the runtime, with fast kernels and, on the first images, "
             "with the\nreference ones. Ends with status 1 and names the first layer where they "
             "differ.\n",
    .example = "hone verify runs/mobilenet_qat/model.hone runs/mobilenet_qat/last.h5",
    .flags =
        (const Flag[]){
            OPERAND("ARTIFACT", VerifyArguments, artifact, "artifact (.hone)"),
            OPERAND("CHECKPOINT", VerifyArguments, checkpoint, "checkpoint (.h5) of the same run"),
            FLAG_SETS(VerifyArguments, sets),
            FLAG_COUNT("--limit", "N", VerifyArguments, limit, 1, INT64_MAX,
                       "only the first N test images"),
            FLAG_THREADS(VerifyArguments, threads), FLAG_JSON(VerifyArguments, json), FLAG_END},
    .size = sizeof(VerifyArguments),
    .run = run,
};
