/* Profile D31: multipliers, kernels of every level and whole artifacts against the big-integer oracle
 * (tests/oracle/d31.py), against what the TensorFlow Lite interpreter computed (tflite_ops.py), and
 * hostile files. SPDX-License-Identifier: Apache-2.0 */
#include "core/requant.h"
#include "runtime/crc.h"
#include "runtime/runtime.h"
#include "tests/levels.h"
#include "tests/oracle/d31_fixtures.h"
#include "tests/oracle/tflite_fixtures.h"
#include "tests/suites.h"
#include "tests/tiny_net.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

enum { WIDTH = 37 };

static float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint64_t double_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* ---- the oracle ------------------------------------------------------------------------------- */

START_TEST(multipliers_equal_oracle)
{
    for (int i = 0; i < COUNT(d31_fixtures); i++) {
        const D31Fixture *f = &d31_fixtures[i];
        int32_t m = -1, e = -1;
        ck_assert_int_eq(hone_rt_d31_from_double_bits(f->real, &m, &e), 0);
        ck_assert_msg(m == f->m && e == f->e, "fixture %d: %d, %d, oracle %d, %d", i, m, e, f->m,
                      f->e);
        ck_assert(hone_rt_d31_valid(m, e));
        ck_assert_int_eq(hone_rt_d31_code(f->acc, m, e, f->zero_point, f->lo, f->hi), f->y);
    }
}
END_TEST

START_TEST(multipliers_refuse)
{
    const double bad[] = {
        -1.0, -0.0, 0x1p30, 1e300, 0x1.ffffffffp29, INFINITY, (double)-1e-300, (double)NAN};
    int32_t m = 7, e = 7;
    for (int i = 0; i < COUNT(bad); i++)
        ck_assert_msg(hone_rt_d31_from_double_bits(double_bits(bad[i]), &m, &e) == -1, "%g",
                      bad[i]);
    ck_assert(m == 7 && e == 7);
    ck_assert(!hone_rt_d31_valid(-1, 0) && !hone_rt_d31_valid(1, 31) && !hone_rt_d31_valid(1, -32));
    uint32_t words[6] = {5, 5, 5, 5, 5, 5};
    HoneRtAdd add;
    ck_assert(!requant_product(HONE_RT_D31, 1e20f, 1e20f, 1e-6f, 1, words));
    ck_assert(!requant_mean(HONE_RT_D31, 1e30f, 4, 1e-6f, words));
    ck_assert(!requant_add(HONE_RT_D31, 1, 1, 1e-6f, &add, words)); /* 2 / (2^20 y) is above 1 */
    for (int i = 0; i < COUNT(words); i++)
        ck_assert_uint_eq(words[i], 5);
}
END_TEST

/* Vectors full of one fixture, so that every lane meets it. */
START_TEST(kernels_equal_oracle)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    for (int i = 0; k != NULL && i < COUNT(d31_fixtures); i++) {
        const D31Fixture *f = &d31_fixtures[i];
        int32_t acc[WIDTH], e[WIDTH];
        uint32_t m[WIDTH];
        int8_t y[WIDTH];
        for (int j = 0; j < WIDTH; j++) {
            acc[j] = f->acc;
            m[j] = (uint32_t)f->m;
            e[j] = f->e;
        }
        k->requantize_d31(acc, WIDTH, 1, WIDTH, m, e, f->zero_point, f->lo, f->hi, y, WIDTH);
        for (int j = 0; j < WIDTH; j++)
            if (y[j] != f->y)
                ck_abort_msg("fixture %d, lane %d: %d, oracle %d", i, j, y[j], f->y);
    }
}
END_TEST

START_TEST(additions_equal_oracle)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    for (int i = 0; k != NULL && i < COUNT(d31_add_fixtures); i++) {
        const D31AddFixture *f = &d31_add_fixtures[i];
        uint32_t words[REQUANT_ADD_WORDS];
        HoneRtAddD31 p = {.a_zp = f->a_zp, .b_zp = f->b_zp, .y_zp = f->y_zp};
        p.lo = f->lo;
        p.hi = f->hi;
        ck_assert(requant_add(HONE_RT_D31, float_of(f->scale_a), float_of(f->scale_b),
                              float_of(f->scale_y), NULL, words));
        for (int j = 0; j < 3; j++) {
            p.m[j] = (int32_t)words[j];
            p.e[j] = (int32_t)words[3 + j];
            ck_assert_int_eq(p.m[j], f->m[j]);
            ck_assert_int_eq(p.e[j], f->e[j]);
        }
        ck_assert(hone_rt_add_d31_valid(&p));
        int8_t a[WIDTH], b[WIDTH], y[WIDTH];
        memset(a, f->a, sizeof a);
        memset(b, f->b, sizeof b);
        k->add_d31(&p, a, b, WIDTH, y);
        for (int j = 0; j < WIDTH; j++)
            if (y[j] != f->y)
                ck_abort_msg("fixture %d, lane %d: %d, oracle %d", i, j, y[j], f->y);
    }
}
END_TEST

START_TEST(means_equal_oracle)
{
    for (int i = 0; i < COUNT(d31_mean_fixtures); i++) {
        const D31MeanFixture *f = &d31_mean_fixtures[i];
        uint32_t words[2];
        ck_assert(
            requant_mean(HONE_RT_D31, float_of(f->scale_x), f->n, float_of(f->scale_y), words));
        ck_assert_uint_eq(words[0], (uint32_t)f->m);
        ck_assert_int_eq((int32_t)words[1], f->e);
        ck_assert(hone_rt_d31_valid(f->m, f->e));
    }
}
END_TEST

/* ---- TensorFlow Lite -------------------------------------------------------------------------- */

static void tflite_conv(const TfliteConv *f, const HoneRtKernels *k)
{
    const HoneRtConv *g = &f->g;
    const size_t out_c = (size_t)g->out_c, count = out_c * (size_t)(g->out_h * g->out_w);
    const int groups = f->groups;
    uint32_t *words = malloc(2 * out_c * sizeof *words);
    int8_t *y = malloc(count);
    void *packed =
        malloc(f->depthwise ? k->depthwise_pack_bytes(g) : hone_rt_group_pack_bytes(k, g, groups));
    void *scratch = malloc(f->depthwise ? k->depthwise_scratch_bytes(g)
                                        : hone_rt_group_scratch_bytes(k, g, groups));
    ck_assert(words && y && packed && scratch);
    for (size_t o = 0; o < out_c; o++)
        ck_assert(requant_product(HONE_RT_D31, float_of(f->scale_x), float_of(f->scale_w[o]),
                                  float_of(f->scale_y), out_c, words + o));
    HoneRtRequantize rq = {k,     words, f->y_zp,  f->lo,
                           f->hi, y,     g->out_c, (const int32_t *)(words + out_c)};
    if (f->depthwise) {
        k->depthwise_pack(g, f->w, f->bias, f->x_zp, packed);
        k->depthwise(g, f->x, packed, 0, g->out_h, scratch, hone_rt_requantize_epilogue, &rq);
    } else {
        hone_rt_group_pack(k, g, groups, f->w, f->bias, f->x_zp, 0, groups, packed);
        hone_rt_group_conv(k, g, groups, f->x, packed, 0, g->out_h, scratch,
                           hone_rt_requantize_epilogue, &rq);
    }
    for (size_t i = 0; i < count; i++)
        if (y[i] != f->y[i])
            ck_abort_msg("%s, %s: code %zu is %d, TensorFlow Lite's %d", f->name, k->name, i, y[i],
                         f->y[i]);
    free(scratch);
    free(packed);
    free(y);
    free(words);
}

START_TEST(convolutions_are_tflites)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    for (int i = 0; k != NULL && i < COUNT(tflite_convs); i++)
        tflite_conv(&tflite_convs[i], k);
}
END_TEST

START_TEST(additions_are_tflites)
{
    enum { N = 60 };
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    for (int i = 0; k != NULL && i < COUNT(tflite_adds); i++) {
        const TfliteAdd *f = &tflite_adds[i];
        uint32_t w[REQUANT_ADD_WORDS];
        int8_t y[N];
        ck_assert(requant_add(HONE_RT_D31, float_of(f->scale_a), float_of(f->scale_b),
                              float_of(f->scale_y), NULL, w));
        const HoneRtAddD31 p = {{(int32_t)w[0], (int32_t)w[1], (int32_t)w[2]},
                                {(int32_t)w[3], (int32_t)w[4], (int32_t)w[5]},
                                f->a_zp,
                                f->b_zp,
                                f->y_zp,
                                f->lo,
                                f->hi};
        k->add_d31(&p, f->a, f->b, N, y);
        ck_assert_mem_eq(y, f->y, N);
    }
}
END_TEST

START_TEST(means_are_tflites)
{
    for (int i = 0; i < COUNT(tflite_means); i++) {
        const TfliteMean *f = &tflite_means[i];
        int32_t sums[64];
        uint32_t w[2];
        hone_rt_kernels_ref.mean_sum(f->x, f->pixels, f->channels, sums);
        ck_assert(
            requant_mean(HONE_RT_D31, float_of(f->scale_x), f->pixels, float_of(f->scale_y), w));
        for (int c = 0; c < f->channels; c++)
            ck_assert_int_eq(hone_rt_d31_code(sums[c] - f->pixels * f->x_zp, (int32_t)w[0],
                                              (int32_t)w[1], f->y_zp, -128, 127),
                             f->y[c]);
    }
}
END_TEST

/* The fixture again, by the interpreter itself where there is one. */
START_TEST(fixture_is_tflites)
{
    char command[512];
    const char *given = getenv("HONE_ORACLE_PYTHON"), *python = given && *given ? given : "python3";
    snprintf(command, sizeof command, "%s -c 'import ai_edge_litert' 2>/dev/null", python);
    if (system(command) != 0) {
        puts("fixture_is_tflites: skipped, no ai-edge-litert (tools/deps oracle)");
        return;
    }
    snprintf(command, sizeof command,
             "%s -B tests/oracle/tflite_ops.py 2>/dev/null | cmp - tests/oracle/tflite_fixtures.h",
             python);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* ---- artifacts -------------------------------------------------------------------------------- */

static TinyNet net;
static unsigned char *artifact;
static size_t bytes;

static void setup(void)
{
    tiny_net_init(&net, 7, 1, NULL, true);
    tiny_net_plan(&net, HONE_RT_D31);
    artifact = tiny_net_artifact(&net, &bytes);
}

static void teardown(void)
{
    free(artifact);
    tiny_net_release(&net);
}

/* Opens a damaged artifact, its checksum made right again. */
static HoneRtStatus reopen(HoneRtModel *model, const HoneRtKernels *k)
{
    const uint32_t crc = hone_rt_file_crc(artifact, bytes);
    memcpy(artifact + offsetof(HoneRtHeader, crc), &crc, sizeof crc);
    return hone_rt_open(model, artifact, bytes, k);
}

/* A flipped bit may give a valid file: that one must run. */
START_TEST(every_flipped_bit_is_harmless)
{
    const HoneRtKernels *k = hone_rt_kernels_for_host(levels[_i]);
    int opened = 0;
    for (size_t bit = 0; k != NULL && bit < 8 * bytes; bit++) {
        HoneRtModel model;
        artifact[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (reopen(&model, k) == HONE_RT_OK && hone_rt_arena_bytes(&model) < 1 << 20) {
            void *arena = malloc(hone_rt_arena_bytes(&model));
            ck_assert_ptr_nonnull(arena);
            ck_assert_int_eq(hone_rt_prepare(&model, arena, hone_rt_arena_bytes(&model)),
                             HONE_RT_OK);
            memset(hone_rt_input_codes(&model), 1, hone_rt_elements(hone_rt_input(&model)));
            ck_assert_int_eq(hone_rt_run(&model, NULL, NULL), HONE_RT_OK);
            free(arena);
            opened++;
        }
        artifact[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert(k == NULL || opened > 1000);
}
END_TEST

enum { STEM, SUM = 3, POOL = 5 }; /* ops of the tiny network */

static HoneRtOp *op(int i)
{
    HoneRtModel model;
    ck_assert_int_eq(reopen(&model, &hone_rt_kernels_ref), HONE_RT_OK);
    return (HoneRtOp *)(void *)(artifact +
                                ((const unsigned char *)&model.program.ops[i] - artifact));
}

/* Word w of an op's multipliers. */
static uint32_t *word(int i, int w)
{
    HoneRtModel model;
    ck_assert_int_eq(reopen(&model, &hone_rt_kernels_ref), HONE_RT_OK);
    const size_t constants = (size_t)(model.program.constants - artifact);
    return (uint32_t *)(void *)(artifact + constants + model.program.ops[i].requant) + w;
}

#define RULE(status, place, value)                                                                 \
    do {                                                                                           \
        HoneRtModel model;                                                                         \
        uint32_t *at = (uint32_t *)(place), kept = *at;                                            \
        *at = (uint32_t)(value);                                                                   \
        const HoneRtStatus got = reopen(&model, &hone_rt_kernels_ref);                             \
        ck_assert_msg(got == HONE_RT_##status, "%s = %s: '%s'", #place, #value,                    \
                      hone_rt_status_text(got));                                                   \
        *at = kept;                                                                                \
    } while (0)

START_TEST(rules)
{
    const int channels = 6;
    RULE(OK, word(STEM, 0), 0x7fffffff);
    RULE(ERR_CONSTANT, word(STEM, 0), 0x80000000u);
    RULE(ERR_CONSTANT, word(STEM, channels - 1), 0xffffffffu);
    RULE(OK, word(STEM, channels), 30);
    RULE(ERR_CONSTANT, word(STEM, channels), 31);
    RULE(OK, word(STEM, 2 * channels - 1), -31);
    RULE(ERR_CONSTANT, word(STEM, 2 * channels - 1), -32);
    RULE(ERR_CONSTANT, word(POOL, 0), 0x80000000u);
    RULE(ERR_CONSTANT, word(POOL, 1), 31);
    RULE(OK, word(POOL, 1), 3);
    RULE(OK, word(SUM, 3), 0);
    RULE(ERR_CONSTANT, word(SUM, 3), 1); /* operands only shrink */
    RULE(ERR_CONSTANT, word(SUM, 5), 1);
    RULE(ERR_CONSTANT, word(SUM, 2), 0x80000001u);
    RULE(ERR_OP, &op(SUM)->m1, 1);
    RULE(ERR_OP, &op(SUM)->m2, 1);
    RULE(ERR_OP, &op(SUM)->k, 1);
    RULE(ERR_CONSTANT, &op(SUM)->requant, HONE_RT_NONE);
    RULE(ERR_CONSTANT, &op(STEM)->requant, HONE_RT_NONE);
    RULE(ERR_CONSTANT, &op(STEM)->requant, 4);
    RULE(ERR_CONSTANT, &((HoneRtHeader *)(void *)artifact)->profile, HONE_RT_S24);
    RULE(ERR_HEADER, &((HoneRtHeader *)(void *)artifact)->profile, 2);
}
END_TEST

/* Weights and biases do not depend on the profile, and the two round alike nearly everywhere. */
START_TEST(profiles_are_close)
{
    HoneRtModel d31, s24;
    size_t count;
    unsigned char *other;
    const Node *stem = graph_find_node(&net.graph, "stem");
    const IntegerLayer *l = &net.plan.layers[stem->index];
    int8_t weights[6 * 27];
    ck_assert_uint_eq(l->weight_count, sizeof weights);
    memcpy(weights, l->weights, sizeof weights);
    tiny_net_plan(&net, HONE_RT_S24);
    other = tiny_net_artifact(&net, &count);
    ck_assert_mem_eq(net.plan.layers[stem->index].weights, weights, sizeof weights);
    ck_assert_int_eq(hone_rt_open(&d31, artifact, bytes, &hone_rt_kernels_ref), HONE_RT_OK);
    ck_assert_int_eq(hone_rt_open(&s24, other, count, &hone_rt_kernels_ref), HONE_RT_OK);
    void *arenas[2] = {malloc(hone_rt_arena_bytes(&d31)), malloc(hone_rt_arena_bytes(&s24))};
    ck_assert(arenas[0] && arenas[1]);
    ck_assert_int_eq(hone_rt_prepare(&d31, arenas[0], hone_rt_arena_bytes(&d31)), HONE_RT_OK);
    ck_assert_int_eq(hone_rt_prepare(&s24, arenas[1], hone_rt_arena_bytes(&s24)), HONE_RT_OK);
    int far = 0;
    for (int i = 0; i < TINY_IMAGES; i++) {
        int8_t y[2][TINY_CLASSES];
        ck_assert_int_eq(hone_rt_run(&d31, net.codes + i * TINY_IMAGE, y[0]), HONE_RT_OK);
        ck_assert_int_eq(hone_rt_run(&s24, net.codes + i * TINY_IMAGE, y[1]), HONE_RT_OK);
        for (int k = 0; k < TINY_CLASSES; k++)
            far += abs(y[0][k] - y[1][k]) > 1;
    }
    ck_assert_int_le(far, 2);
    free(arenas[0]);
    free(arenas[1]);
    free(other);
}
END_TEST

Suite *suite_d31(void)
{
    Suite *s = suite_create("d31");
    TCase *t = tcase_create("oracle");
    tcase_add_test(t, multipliers_equal_oracle);
    tcase_add_test(t, multipliers_refuse);
    tcase_add_loop_test(t, kernels_equal_oracle, 0, LEVELS);
    tcase_add_loop_test(t, additions_equal_oracle, 0, LEVELS);
    tcase_add_test(t, means_equal_oracle);
    tcase_add_loop_test(t, convolutions_are_tflites, 0, LEVELS);
    tcase_add_loop_test(t, additions_are_tflites, 0, LEVELS);
    tcase_add_test(t, means_are_tflites);
    tcase_add_test(t, fixture_is_tflites);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    t = tcase_create("artifacts");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, every_flipped_bit_is_harmless, 0, LEVELS);
    tcase_add_test(t, rules);
    tcase_add_test(t, profiles_are_close);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return s;
}
