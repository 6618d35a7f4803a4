/* Artifacts and their proof: see finish.h. SPDX-License-Identifier: Apache-2.0 */
#include "trainer/finish.h"

#include "core/file.h"
#include "export/describe.h"
#include "export/lower.h"
#include "export/notes.h"
#include "export/write_hone.h"
#include "runtime/frontend.h"
#include "trainer/split.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The reference kernels are slow: they prove so many images, the machine's kernels prove all. */
#define REFERENCE_IMAGES   500
#define ARTIFACT_BYTES_MAX ((size_t)HONE_RT_MAX_BYTES)

/* ---- the proof ---- */

typedef struct ProofJob {
    Prover *prover;
    const ProveSource *source;
    FinishProof *proof;
    Grid grid;     /* of the artifact's output ... */
    bool softmax;  /* ... which are probabilities */
    size_t pixels; /* of an image */
    size_t count;  /* outputs of an image */
    Scorer artifact, trained;
    bool agree;      /* compare the first batch with the fake-quantized graph too */
    int8_t *codes;   /* [batch][pixels] */
    int8_t *outputs; /* [batch][count] */
    double *row;     /* [count] */
} ProofJob;

/* Counts a batch's output codes, taken at their real values. */
static void add_outputs(ProofJob *job, const Batch *b, const int8_t *codes, Scorer *score)
{
    for (int i = 0; i < b->count; i++, codes += job->count) {
        scorer_outputs(codes, job->count, job->grid, job->softmax, job->row);
        scorer_add(score, job->row, b->pixels + (size_t)i * job->pixels, b->labels[i]);
    }
}

static int prove_batch(void *context, const Batch *b, Error *e)
{
    ProofJob *job = context;
    size_t n = (size_t)b->count * job->pixels;
    for (size_t i = 0; i < n; i++)
        job->codes[i] = (int8_t)(b->pixels[i] - 128);
    int status = prover_batch(job->prover, job->codes, b->count, job->outputs, e);
    if (status == HONE_OK && job->agree) {
        status = agree_fake_quant(&job->proof->agree, job->source, job->codes, b->count, e);
        job->agree = false;
    }
    if (status == HONE_OK) {
        add_outputs(job, b, job->outputs, &job->artifact);
        add_outputs(job, b, prover_trained(job->prover), &job->trained);
    }
    return status;
}

static int open_scorers(ProofJob *job, const LossOptions *loss, int64_t images, Error *e)
{
    int status = scorer_open(&job->artifact, loss, (int)job->count, images, e);
    return status == HONE_OK ? scorer_open(&job->trained, loss, (int)job->count, images, e)
                             : status;
}

static int open_proof(ProofJob *job, const void *bytes, size_t count, Error *e)
{
    int status = prover_new(&job->prover, job->source, bytes, count, e);
    if (status != HONE_OK)
        return status;
    size_t batch = (size_t)job->source->batch;
    job->pixels = prover_input_count(job->prover);
    job->count = prover_output_count(job->prover);
    job->codes = malloc(batch * job->pixels);
    job->outputs = malloc(batch * job->count);
    job->row = malloc(job->count * sizeof *job->row);
    if (!job->codes || !job->outputs || !job->row)
        return error_memory(e, "the proof", batch * job->pixels);
    return HONE_OK;
}

static int prove(ProofJob *job, const Session *s, const void *bytes, size_t count, int64_t limit,
                 const TrainEvents *events, Error *e)
{
    SplitWalk walk = {s->dataset, DATASET_TEST, job->source->batch, limit, "proof", events};
    int status = open_proof(job, bytes, count, e);
    if (status == HONE_OK)
        status = open_scorers(job, &s->config->options->train.loss, split_images(&walk), e);
    if (status == HONE_OK)
        status = split_walk(&walk, prove_batch, job, e);
    if (status == HONE_OK) {
        job->proof->prove = *prover_result(job->prover);
        scorer_finish(&job->artifact, &job->proof->artifact);
        scorer_finish(&job->trained, &job->proof->trained);
    }
    scorer_close(&job->artifact);
    scorer_close(&job->trained);
    prover_free(job->prover);
    free(job->codes);
    free(job->outputs);
    free(job->row);
    return status;
}

int finish_verify(FinishProof *proof, const Session *s, const void *bytes, size_t count,
                  int64_t limit, const TrainEvents *events, Error *e)
{
    IntegerPlan plan;
    Description d;
    *proof = (FinishProof){0};
    if (!s->config->options->qat.present || !s->dataset)
        return error_set(e, HONE_ERR_CONFIG, "%s, so there is nothing to compare with",
                         s->dataset ? "the configuration has no qat section"
                                    : "the data set is not open");
    int status = describe_artifact(&d, bytes, count, e);
    if (status != HONE_OK)
        return status;
    const Grid grid = {d.output.scale, d.output.zero_point};
    const uint32_t profile = d.profile;
    describe_release(&d);
    status = integer_plan_new(&plan, &s->graph, &s->params, &s->compute, profile, e);
    if (status != HONE_OK)
        return status;
    ProveSource source = {.graph = &s->graph,
                          .params = &s->params,
                          .plan = &plan,
                          .input = s->model.image,
                          .output = s->scores,
                          .compute = &s->compute,
                          .batch = (int)s->config->options->eval.batch,
                          .reference_images = REFERENCE_IMAGES};
    ProofJob job = {.source = &source, .proof = proof, .grid = grid, .agree = limit == 0};
    status = prove(&job, s, bytes, count, limit, events, e);
    integer_plan_free(&plan);
    return status;
}

/* ---- export ---- */

/* Of what the outputs are scores: the image's own numbers are none. */
static int classes_of(const Session *s)
{
    return session_classifies(s) ? session_outputs(s) : 0;
}

/* An artifact that ends in the softmax has probabilities already. */
static LossOutput output_of(const Session *s)
{
    const bool bare = session_classifies(s) && s->scores == s->model.logits;
    return bare ? loss_output(&s->config->options->train.loss) : LOSS_OUTPUT_PLAIN;
}

/* The program, with what the data set and the loss say about it. */
static int write_bytes(const Session *s, const HoneRtProgram *program, unsigned char **bytes,
                       size_t *count, Error *e)
{
    NotesSections notes;
    WriteSection sections[NOTES_SECTIONS + 1] = {{0}};
    NotesSource source = {
        .classes = classes_of(s), .input = {IMAGE_SCALE, 0}, .output = output_of(s)};
    if (s->dataset) {
        const DatasetInfo *info = dataset_info(s->dataset);
        source.names = session_classifies(s) ? info->class_names : NULL;
        source.input = (NotesInput){info->scale, info->zero_point};
        sections[NOTES_SECTIONS] =
            (WriteSection){HONE_RT_SECTION_FRONTEND, info->frontend, info->frontend_bytes};
    }
    int status = notes_sections(&notes, &source, e);
    memcpy(sections, notes.section, sizeof notes.section);
    if (status == HONE_OK)
        status = write_hone_bytes(program, sections, NOTES_SECTIONS + 1, bytes, count, e);
    notes_release(&notes);
    return status;
}

int finish_artifact(const Session *s, uint32_t profile, unsigned char **bytes, size_t *count,
                    Error *e)
{
    IntegerPlan plan;
    Lowered lowered;
    *bytes = NULL;
    if (!s->config->options->qat.present)
        return error_set(e, HONE_ERR_CONFIG, "only a model with a qat section can be exported");
    int status = integer_plan_new(&plan, &s->graph, &s->params, &s->compute, profile, e);
    if (status != HONE_OK)
        return status;
    LowerSource source = {.graph = &s->graph,
                          .plan = &plan,
                          .input = s->model.image,
                          .output = s->scores,
                          .classes = classes_of(s)};
    status = lower_program(&lowered, &source, e);
    if (status == HONE_OK) {
        status = write_bytes(s, &lowered.program, bytes, count, e);
        lower_release(&lowered);
    }
    integer_plan_free(&plan);
    return status;
}

static int describe(Finish *f, FinishArtifact *a, const void *bytes, size_t count, Error *e)
{
    Description d;
    int status = describe_artifact(&d, bytes, count, e);
    if (status != HONE_OK)
        return status;
    a->format = "hone";
    a->requant = d.requant;
    a->bytes = d.bytes;
    a->ram_bytes = d.ram_bytes;
    f->sparsity = d.sparsity;
    describe_release(&d);
    return HONE_OK;
}

static int verdict(const FinishArtifact *a, Error *e)
{
    const ProveResult *r = &a->proof.prove;
    if (r->compared > 0 && r->mismatches == 0)
        return HONE_OK;
    if (r->compared == 0)
        return error_set(e, HONE_ERR_MISMATCH, "%s: no image was compared", a->path);
    return error_set(
        e, HONE_ERR_MISMATCH,
        "%s differs from the trained model in %lld of %lld codes, first in layer '%s': "
        "%s; it was removed",
        a->path, (long long)r->mismatches, (long long)r->compared + (long long)r->traced,
        r->first_layer, r->detail);
}

/* What was written is read back: the proof is of the file. */
static int prove_file(Finish *f, FinishArtifact *a, const Session *s, const TrainEvents *events,
                      Error *e)
{
    unsigned char *bytes = NULL;
    size_t count = 0;
    int status = file_read(a->path, ARTIFACT_BYTES_MAX, &bytes, &count, e);
    if (status == HONE_OK)
        status = describe(f, a, bytes, count, e);
    if (status == HONE_OK)
        status = finish_verify(&a->proof, s, bytes, count, 0, events, e);
    if (status == HONE_OK)
        status = verdict(a, e);
    free(bytes);
    return status;
}

static void report_agreement(const AgreeResult *a, const TrainEvents *events)
{
    if (a->max_difference > 1)
        events_message(events,
                       "the fake-quantized graph and the artifact differ by up to %d codes, most "
                       "in layer '%s': its scales are too coarse for its bias",
                       a->max_difference, a->layer);
}

static int write_file(const FinishArtifact *a, const Session *s, uint32_t profile, Error *e)
{
    unsigned char *bytes = NULL;
    size_t count = 0;
    int status = finish_artifact(s, profile, &bytes, &count, e);
    if (status == HONE_OK)
        status = file_write_atomic(a->path, bytes, count, e);
    free(bytes);
    return status;
}

/* Artifact i of the configuration's. */
static int finish_one(Finish *f, int i, const Session *s, const char *folder,
                      const TrainEvents *events, Error *e)
{
    FinishArtifact *a = &f->artifacts[i];
    const ExportOptions *o = &s->config->options->export;
    const uint32_t profile = export_profile(o, (size_t)i);
    const bool several = o->requant.count > 1;
    const int length = snprintf(a->path, sizeof a->path, "%s/model%s%s.hone", folder,
                                several ? "." : "", several ? export_profile_name(profile) : "");
    if (length < 0 || length >= (int)sizeof a->path)
        return error_set(e, HONE_ERR_CONFIG, "the path '%s' is too long", folder);
    int status = write_file(a, s, profile, e);
    if (status != HONE_OK)
        return status;
    status = prove_file(f, a, s, events, e);
    if (status != HONE_OK)
        remove(a->path);
    else
        report_agreement(&a->proof.agree, events);
    return status;
}

int finish_run(Finish *f, const Session *s, const char *folder, const TrainEvents *events, Error *e)
{
    int status = HONE_OK;
    *f = (Finish){.count = (int)s->config->options->export.requant.count};
    for (int i = 0; i < f->count && status == HONE_OK; i++)
        status = finish_one(f, i, s, folder, events, e);
    return status;
}
