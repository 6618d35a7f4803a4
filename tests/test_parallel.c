/* Tests of inference on several threads: the same codes in every layer, whatever the number.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "export/parallel.h"
#include "tests/allocations.h"
#include "tests/suites.h"
#include "trainer/bench.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char yaml[] = "name: parallel\n"
                           "dataset: {kind: random, shape: [%d, %d, 3]}\n"
                           "model: {arch: %s, input: [%d, %d, 3]}\n"
                           "train: {epochs: 1, batch: 4}\n"
                           "qat: {begin_epoch: 0}\n";

/* ResNet-8, or MobileNetV1 with depthwise layers, with random weights: operations large enough to be
 * divided, and small ones. */
static unsigned char *file;
static HoneRtModel model;
static void *arena;
static int8_t image[64 * 64 * 3];
static Error e;

static void open_arch(const char *arch, int side)
{
    char text[200];
    Config config;
    Session session;
    size_t count;
    const SessionOptions how = {.threads = 1, .without_data = true, .level = getenv("HONE_CPU")};
    Rng rng = rng_at(3, RNG_TEST, 0, 0);
    e = (Error){0};
    snprintf(text, sizeof text, yaml, side, side, arch, side, side);
    ck_assert_msg(config_parse(&config, text, "yaml", NULL, 0, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(session_open(&session, &config, &how, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(bench_artifact(&session, &file, &count, &e) == HONE_OK, "%s", e.text);
    session_close(&session);
    config_release(&config);
    ck_assert_int_eq(hone_rt_open(&model, file, count, hone_rt_kernels_for_host(how.level)),
                     HONE_RT_OK);
    arena = malloc(hone_rt_arena_bytes(&model));
    ck_assert_ptr_nonnull(arena);
    ck_assert_int_eq(hone_rt_prepare(&model, arena, hone_rt_arena_bytes(&model)), HONE_RT_OK);
    for (size_t i = 0; i < sizeof image; i++)
        image[i] = (int8_t)((int)rng_below(&rng, 256) - 128);
}

static void setup(void)
{
    open_arch("resnet8", 32);
}

static void setup_depthwise(void)
{
    open_arch("mobilenet_v1", 64);
}

static void teardown(void)
{
    free(arena);
    free(file);
}

enum { OPS_MAX = 32 };

/* A digest of every layer's codes, in the order of execution. */
typedef struct Digests {
    uint32_t v[OPS_MAX];
    uint32_t count;
} Digests;

static void digest(void *context, uint32_t op, uint32_t tensor, const int8_t *data, size_t n)
{
    Digests *d = context;
    uint32_t hash = tensor;
    ck_assert_uint_eq(op, d->count);
    ck_assert_uint_lt(op, OPS_MAX);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint8_t)data[i]) * 16777619u;
    d->v[d->count++] = hash;
}

START_TEST(same_codes)
{
    const int threads = _i;
    Digests want = {.count = 0}, got = {.count = 0};
    int8_t logits[2][10];
    Threads *pool;
    Parallel *p;
    int divided = 0;
    ck_assert_int_eq(hone_rt_run_traced(&model, image, logits[0], digest, &want), HONE_RT_OK);
    ck_assert_int_eq(threads_new(&pool, threads, &e), HONE_OK);
    ck_assert_int_eq(parallel_new(&p, &model, pool, &e), HONE_OK);
    for (uint32_t op = 0; op < model.program.op_count; op++) {
        const int parts = parallel_parts(p, op);
        ck_assert(parts >= 1 && parts <= threads && parts <= hone_rt_rows(&model, op));
        divided += parts > 1;
    }
    ck_assert_int_eq(divided > 0, threads > 1);
    ck_assert_int_eq(parallel_parts(p, model.program.op_count - 1), 1); /* dense: one row */
    for (int again = 0; again < 3; again++, got.count = 0) {
        ck_assert_int_eq(parallel_run(p, image, logits[1], digest, &got), HONE_RT_OK);
        ck_assert_uint_eq(got.count, want.count);
        ck_assert_mem_eq(got.v, want.v, want.count * sizeof *want.v);
        ck_assert_mem_eq(logits[1], logits[0], sizeof logits[0]);
    }
    parallel_free(p);
    threads_free(pool);
}
END_TEST

START_TEST(without_pool)
{
    int8_t want[10], got[10];
    Parallel *p;
    ck_assert_int_eq(hone_rt_run(&model, image, want), HONE_RT_OK);
    ck_assert_int_eq(parallel_new(&p, &model, NULL, &e), HONE_OK);
    memcpy(hone_rt_input_codes(&model), image, hone_rt_elements(hone_rt_input(&model)));
    ck_assert_int_eq(parallel_run(p, NULL, got, NULL, NULL), HONE_RT_OK);
    ck_assert_mem_eq(got, want, sizeof want);
    parallel_free(p);
    parallel_free(NULL);
}
END_TEST

START_TEST(wrong_use)
{
    HoneRtModel unprepared = model;
    Parallel *p;
    unprepared.activations = NULL;
    ck_assert_int_eq(parallel_new(&p, &unprepared, NULL, &e), HONE_OK);
    ck_assert_int_eq(parallel_run(p, image, NULL, NULL, NULL), HONE_RT_ERR_STATE);
    parallel_free(p);
}
END_TEST

static int divide(void *context, Error *error)
{
    Parallel *p = NULL;
    int status = parallel_new(&p, context, NULL, error);
    parallel_free(p);
    return status;
}

START_TEST(out_of_memory)
{
    allocations_fail_each(divide, &model, 1);
}
END_TEST

Suite *suite_parallel(void)
{
    Suite *s = suite_create("parallel");
    TCase *c = tcase_create("resnet8");
    tcase_add_unchecked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, same_codes, 1, 4);
    tcase_add_test(c, without_pool);
    tcase_add_test(c, wrong_use);
    tcase_add_test(c, out_of_memory);
    suite_add_tcase(s, c);
    TCase *d = tcase_create("mobilenet_v1");
    tcase_add_unchecked_fixture(d, setup_depthwise, teardown);
    tcase_add_loop_test(d, same_codes, 1, 4);
    suite_add_tcase(s, d);
    return s;
}
