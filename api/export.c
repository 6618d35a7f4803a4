/* Artifacts through hone.h. SPDX-License-Identifier: Apache-2.0 */
#include "api/net.h"

#include "core/file.h"
#include "export/lower.h"
#include "export/notes.h"
#include "export/prove.h"
#include "export/write_hone.h"

#include <stdlib.h>

static int make_bytes(const HoneNet *net, const IntegerPlan *plan, unsigned char **bytes,
                      size_t *size, Error *e)
{
    const LowerSource source = {.graph = &net->graph,
                                .plan = plan,
                                .input = net->image,
                                .output = net->logits,
                                .classes = net->options.classes};
    const NotesSource said = {
        .classes = net->options.classes, .input = {IMAGE_SCALE, 0}, .output = LOSS_OUTPUT_SOFTMAX};
    NotesSections notes;
    Lowered l;
    int status = lower_program(&l, &source, e);
    if (status != HONE_OK)
        return status;
    status = notes_sections(&notes, &said, e);
    if (status == HONE_OK)
        status = write_hone_bytes(&l.program, notes.section, NOTES_SECTIONS, bytes, size, e);
    notes_release(&notes);
    lower_release(&l);
    return status;
}

static int prove_images(const HoneNet *net, Prover *p, const uint8_t *pixels, int count, Error *e)
{
    const size_t n = api_pixels(net);
    const int batch = net->options.batch;
    int8_t *codes = malloc((size_t)batch * n);
    int status = codes ? HONE_OK : error_memory(e, "a proof", (size_t)batch * n);
    for (int first = 0; status == HONE_OK && first < count; first += batch) {
        const int images = count - first < batch ? count - first : batch;
        for (size_t i = 0; i < (size_t)images * n; i++)
            codes[i] = (int8_t)(pixels[(size_t)first * n + i] - 128);
        status = prover_batch(p, codes, images, NULL, e);
    }
    free(codes);
    return status == HONE_OK ? prover_verdict(p, e) : status;
}

static int prove(const HoneNet *net, const IntegerPlan *plan, const unsigned char *bytes,
                 size_t size, const uint8_t *pixels, int count, Error *e)
{
    const ProveSource source = {.graph = &net->graph,
                                .params = &net->params,
                                .plan = plan,
                                .input = net->image,
                                .output = net->logits,
                                .compute = &net->compute,
                                .batch = net->options.batch};
    Prover *p = NULL;
    int status = prover_new(&p, &source, bytes, size, e);
    if (status == HONE_OK)
        status = prove_images(net, p, pixels, count, e);
    prover_free(p);
    return status;
}

static int check_export(const HoneNet *net, int count, Error *e)
{
    int status = api_ready(net, e);
    if (status == HONE_OK && !net->quantized)
        status = error_set(e, HONE_ERR_CONFIG, "hone_export: call hone_quantize first");
    if (status == HONE_OK && count < 1)
        status = error_set(e, HONE_ERR_CONFIG, "hone_export: there are no images to prove it on");
    return status;
}

int hone_export(HoneNet *net, const char *path, const uint8_t *pixels, int count, HoneError *error)
{
    Error *e = api_error(error);
    IntegerPlan plan;
    unsigned char *bytes = NULL;
    size_t size = 0;
    int status = check_export(net, count, e);
    if (status == HONE_OK)
        status = integer_plan_new(&plan, &net->graph, &net->params, &net->compute, HONE_RT_S24, e);
    if (status != HONE_OK)
        return status;
    status = make_bytes(net, &plan, &bytes, &size, e);
    if (status == HONE_OK)
        status = prove(net, &plan, bytes, size, pixels, count, e);
    if (status == HONE_OK)
        status = file_write_atomic(path, bytes, size, e);
    free(bytes);
    integer_plan_free(&plan);
    return status;
}
