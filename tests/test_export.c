/* Tests of export: lowering, the .hone writer, the description of artifacts, options, whole files.
 * That artifacts compute the right codes is tested in test_prove.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "core/option_value.h"
#include "export/describe.h"
#include "export/lower.h"
#include "export/notes.h"
#include "export/options.h"
#include "export/write_hone.h"
#include "qat/insert.h"
#include "runtime/runtime.h"
#include "tests/allocations.h"
#include "tests/expect.h"
#include "tests/suites.h"
#include "tests/tiny_net.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static TinyNet net;
static LowerSource source;
static Error e;
static char folder[256];

static void setup(void)
{
    const char *top = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/hone-export-XXXXXX", top ? top : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    e = (Error){0};
    tiny_net_init(&net, 7, 1, NULL, true);
    source = (LowerSource){.graph = &net.graph,
                           .plan = &net.plan,
                           .input = net.source.input,
                           .output = net.source.output,
                           .classes = TINY_CLASSES};
}

static void teardown(void)
{
    tiny_net_release(&net);
    ck_assert_int_eq(rmdir(folder), 0);
}

static IntegerLayer *layer(const char *name)
{
    return &net.plan.layers[graph_find_node(&net.graph, name)->index];
}

/* ---- lowering ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned kind;
    uint32_t h, w, c;
} layers[] = {
    {"stem", HONE_RT_OP_CONV, 5, 5, 6},
    {"dw", HONE_RT_OP_DEPTHWISE, 5, 5, 6},
    {"point", HONE_RT_OP_CONV, 5, 5, 6},
    {"sum", HONE_RT_OP_ADD, 5, 5, 6},
    {"last", HONE_RT_OP_CONV, 3, 3, 7},
    {"pool", HONE_RT_OP_MEAN, 1, 1, 7},
    {"logits", HONE_RT_OP_DENSE, 1, 1, TINY_CLASSES},
};
enum { LAYERS = sizeof layers / sizeof layers[0] };

START_TEST(lower_structure)
{
    Lowered l;
    OK(lower_program(&l, &source, &e));
    const HoneRtProgram *p = &l.program;
    ck_assert_uint_eq(p->op_count, LAYERS);
    ck_assert_uint_eq(p->tensor_count, LAYERS + 1);
    ck_assert_uint_eq(p->input, 0);
    ck_assert_uint_eq(p->output, LAYERS);
    ck_assert_uint_eq(p->class_count, TINY_CLASSES);
    ck_assert_uint_eq(p->profile, HONE_RT_S24);
    ck_assert_str_eq(hone_rt_string(p, p->tensors[0].name), "image");
    ck_assert_int_eq(p->tensors[0].zero_point, 0);
    ck_assert_uint_eq(p->tensors[0].scale_bits, 0x3c000000u); /* 1/128 */
    for (uint32_t i = 0; i < LAYERS; i++) {
        const HoneRtTensor *y = &p->tensors[p->ops[i].output];
        ck_assert_str_eq(hone_rt_string(p, p->ops[i].name), layers[i].name);
        ck_assert_uint_eq(p->ops[i].kind, layers[i].kind);
        ck_assert_uint_eq(p->ops[i].output, i + 1);
        ck_assert(y->h == layers[i].h && y->w == layers[i].w && y->c == layers[i].c);
        ck_assert_int_eq(y->zero_point, layer(layers[i].name)->out.zero_point);
    }
    ck_assert_uint_eq(p->ops[3].inputs[0], 1); /* sum reads stem and point */
    ck_assert_uint_eq(p->ops[3].inputs[1], 3);
    ck_assert_uint_eq(p->ops[4].inputs[1], HONE_RT_NONE);
    ck_assert_uint_eq(p->ops[3].requant, HONE_RT_NONE);
    ck_assert(p->ops[0].pad_top == 1 && p->ops[0].pad_bottom == 1 && p->ops[0].stride_h == 2);
    /* sum is written over stem, which dies there; stem, dw and point live at once: three times 150
     * bytes, rounded up to 16 */
    ck_assert_uint_eq(p->tensors[4].offset, p->tensors[1].offset);
    ck_assert_uint_ge(p->activation_bytes, 3 * 160);
    ck_assert_uint_le(p->activation_bytes, 4 * 160);
    lower_release(&l);
    lower_release(&l);
}
END_TEST

START_TEST(lower_copies_the_integers)
{
    Lowered l;
    OK(lower_program(&l, &source, &e));
    for (uint32_t i = 0; i < LAYERS; i++) {
        const HoneRtOp *op = &l.ops[i];
        const IntegerLayer *from = layer(layers[i].name);
        ck_assert_int_eq(op->lo, from->lo);
        ck_assert_int_eq(op->hi, from->hi);
        if (from->channels == 0)
            continue;
        size_t words = (size_t)from->channels * 4;
        ck_assert_mem_eq(l.constants + op->weights, from->weights, from->weight_count);
        ck_assert_mem_eq(l.constants + op->bias, from->bias, words);
        ck_assert_mem_eq(l.constants + op->requant, from->requant, words);
        ck_assert_uint_eq((op->weights | op->bias | op->requant) % HONE_RT_ALIGN, 0);
    }
    ck_assert_mem_eq(l.constants + l.ops[5].requant, layer("pool")->word, 4);
    ck_assert_int_eq(l.ops[3].m1, layer("sum")->add.m1);
    lower_release(&l);
}
END_TEST

START_TEST(lower_shares_equal_constants)
{
    Lowered l, shared;
    OK(lower_program(&l, &source, &e));
    memcpy((void *)layer("point")->requant, layer("dw")->requant, 6 * 4);
    OK(lower_program(&shared, &source, &e));
    ck_assert_uint_ne(l.ops[1].requant, l.ops[2].requant);
    ck_assert_uint_eq(shared.ops[1].requant, shared.ops[2].requant);
    ck_assert_uint_lt(shared.program.constants_bytes, l.program.constants_bytes);
    lower_release(&l);
    lower_release(&shared);
}
END_TEST

/* Layers that the output does not need stay out. */
START_TEST(lower_leaves_out_the_rest)
{
    Lowered l;
    source.output = graph_find_node(&net.graph, "sum")->out[0];
    source.classes = 0;
    OK(lower_program(&l, &source, &e));
    ck_assert_uint_eq(l.program.op_count, 4);
    ck_assert_uint_eq(l.program.output, 4);
    lower_release(&l);
}
END_TEST

static void expect_failure(int code, const char *text)
{
    Lowered l;
    e = (Error){0};
    ck_assert_int_eq(lower_program(&l, &source, &e), code);
    ck_assert_str_eq(e.text, text);
    ck_assert_ptr_null(l.tensors);
    ck_assert_ptr_null(l.constants);
}

START_TEST(lower_names_the_layer)
{
    IntegerLayer kept = *layer("dw");
    layer("dw")->out.scale = 0;
    expect_failure(HONE_ERR_CONFIG, "layer 'dw' has no encoding; quantize it before export");
    *layer("dw") = kept;
    layer("dw")->in[0] = (Grid){0.5f, 3};
    layer("stem")->out = (Grid){0.25f, -4};
    layer("sum")->in[0] = layer("stem")->out;
    expect_failure(HONE_ERR_NUMERIC, "layer 'dw': input 0 is on the grid (0.5, 3), its maker's is "
                                     "(0.25, -4)");
    layer("dw")->in[0].scale = 0.25f;
    expect_failure(HONE_ERR_NUMERIC, "layer 'dw': input 0 is on the grid (0.25, 3), its maker's is "
                                     "(0.25, -4)");
}
END_TEST

START_TEST(lower_refuses_what_it_cannot_express)
{
    Node *pool = graph_find_node(&net.graph, "pool");
    const Op *mean = pool->op;
    Op strange = *mean;
    strange.name = "strange";
    strange.lower = NULL;
    pool->op = &strange;
    expect_failure(HONE_ERR_CONFIG, "layer 'pool': strange cannot be exported");
    strange.integer = NULL; /* integer evaluation would step over it */
    expect_failure(HONE_ERR_CONFIG, "layer 'pool': strange cannot be exported");
    pool->op = mean;
    source.output = graph_find_node(&net.graph, "image.quant")->out[0];
    expect_failure(HONE_ERR_CONFIG, "'image.quant' does not depend on 'image'");
}
END_TEST

/* ---- the writer ----------------------------------------------------------------------------- */

START_TEST(write_is_deterministic)
{
    size_t count, again_count;
    unsigned char *bytes = tiny_net_artifact(&net, &count);
    TinyNet *again = malloc(sizeof *again);
    ck_assert_ptr_nonnull(again);
    tiny_net_init(again, 7, 3, NULL, true); /* threads leave no trace */
    unsigned char *same = tiny_net_artifact(again, &again_count);
    ck_assert_uint_eq(count, again_count);
    ck_assert_mem_eq(bytes, same, count);
    ck_assert_uint_eq(count % HONE_RT_ALIGN, 0);
    tiny_net_release(again);
    free(again);
    free(same);
    free(bytes);
}
END_TEST

/* What the runtime reads back is the program that was written. */
START_TEST(write_reads_back)
{
    Lowered l;
    unsigned char *bytes;
    size_t count;
    HoneRtModel model;
    OK(lower_program(&l, &source, &e));
    OK(write_hone_bytes(&l.program, NULL, 0, &bytes, &count, &e));
    ck_assert_int_eq(hone_rt_open(&model, bytes, count, &hone_rt_kernels_ref), HONE_RT_OK);
    const HoneRtProgram *a = &l.program, *b = &model.program;
    ck_assert(a->input == b->input && a->output == b->output && a->profile == b->profile &&
              a->class_count == b->class_count && a->activation_bytes == b->activation_bytes);
    ck_assert(a->tensor_count == b->tensor_count && a->op_count == b->op_count);
    ck_assert_mem_eq(a->tensors, b->tensors, a->tensor_count * sizeof *a->tensors);
    ck_assert_mem_eq(a->ops, b->ops, a->op_count * sizeof *a->ops);
    ck_assert_mem_eq(a->constants, b->constants, a->constants_bytes);
    ck_assert_mem_eq(a->strings, b->strings, a->strings_bytes);
    ck_assert_ptr_eq(hone_rt_section(bytes, HONE_RT_SECTION_TENSORS, &count),
                     b->tensors); /* first */
    ck_assert_uint_eq(count, b->tensor_count * sizeof *b->tensors);
    free(bytes);
    lower_release(&l);
}
END_TEST

START_TEST(write_refuses_a_broken_program)
{
    Lowered l;
    unsigned char *bytes;
    size_t count;
    OK(lower_program(&l, &source, &e));
    l.ops[1].stride_h = 0;
    ck_assert_int_eq(write_hone_bytes(&l.program, NULL, 0, &bytes, &count, &e), HONE_ERR_DATA);
    ck_assert_ptr_null(bytes);
    ck_assert_ptr_nonnull(strstr(e.text, "the runtime refuses the written artifact"));
    lower_release(&l);
}
END_TEST

/* ---- notes ---------------------------------------------------------------------------------- */

static unsigned char *with_sections(const WriteSection *sections, size_t sections_count)
{
    Lowered l;
    unsigned char *bytes;
    size_t count;
    HoneRtModel model;
    OK(lower_program(&l, &source, &e));
    OK(write_hone_bytes(&l.program, sections, sections_count, &bytes, &count, &e));
    ck_assert_int_eq(hone_rt_open(&model, bytes, count, &hone_rt_kernels_ref), HONE_RT_OK);
    lower_release(&l);
    return bytes;
}

START_TEST(notes_come_back)
{
    static const char *const names[TINY_CLASSES] = {"a", "b b", "", "d", "\xc3\xa9"};
    char buffer[24];
    NotesSections s;
    Notes n;
    OK(notes_sections(&s, &(NotesSource){names, TINY_CLASSES, {0.25f, -300}, LOSS_OUTPUT_SIGMOID},
                      &e));
    unsigned char *bytes = with_sections(s.section, NOTES_SECTIONS);
    notes_release(&s);
    OK(notes_read(&n, bytes, TINY_CLASSES, &e));
    for (int k = 0; k < TINY_CLASSES; k++)
        ck_assert_str_eq(notes_class(&n, k, buffer, sizeof buffer), names[k]);
    ck_assert(n.has_input && n.input.zero_point == -300 && n.output == LOSS_OUTPUT_SIGMOID);
    ck_assert_float_eq(n.input.scale, 0.25f);
    free(bytes);
    /* Nothing to say: no section. */
    OK(notes_sections(&s, &(NotesSource){NULL, TINY_CLASSES, {IMAGE_SCALE, 0}, LOSS_OUTPUT_PLAIN},
                      &e));
    bytes = with_sections(s.section, NOTES_SECTIONS);
    notes_release(&s);
    size_t size;
    ck_assert_ptr_null(hone_rt_section(bytes, NOTES_TAG_CLASSES, &size));
    ck_assert_ptr_null(hone_rt_section(bytes, NOTES_TAG_INPUT, &size));
    ck_assert_ptr_null(hone_rt_section(bytes, NOTES_TAG_OUTPUT, &size));
    OK(notes_read(&n, bytes, TINY_CLASSES, &e));
    ck_assert(!n.has_input && n.output == LOSS_OUTPUT_PLAIN);
    ck_assert_float_eq(n.input.scale, 1.0f / 128);
    ck_assert_str_eq(notes_class(&n, 3, buffer, sizeof buffer), "class 3");
    free(bytes);
}
END_TEST

/* What differs from images in one number is said. */
START_TEST(notes_of_inputs)
{
    static const NotesInput inputs[] = {{1.0f / 256, 0}, {1.0f / 64, 0}, {IMAGE_SCALE, 1}};
    for (int i = 0; i < 3; i++) {
        NotesSections s;
        Notes n;
        OK(notes_sections(&s, &(NotesSource){.input = inputs[i]}, &e));
        unsigned char *bytes = with_sections(s.section, NOTES_SECTIONS);
        notes_release(&s);
        OK(notes_read(&n, bytes, TINY_CLASSES, &e));
        ck_assert(n.has_input && n.input.zero_point == inputs[i].zero_point);
        ck_assert_float_eq(n.input.scale, inputs[i].scale);
        free(bytes);
    }
}
END_TEST

static int make_notes(void *context, Error *error)
{
    static const char *const names[] = {"a", "b"};
    NotesSections s;
    (void)context;
    int status = notes_sections(&s, &(NotesSource){.names = names, .classes = 2}, error);
    notes_release(&s);
    return status;
}

START_TEST(notes_out_of_memory)
{
    allocations_fail_each(make_notes, NULL, 1);
}
END_TEST

static const struct {
    uint32_t tag;
    const char *data;
    size_t bytes;
    const char *sentence;
} bad_notes[] = {
    {NOTES_TAG_CLASSES, "a\0b", 4, "the artifact's section CLAS names 2 of 5 classes"},
    {NOTES_TAG_CLASSES, "a\0b\0c\0d\0e\0f", 12, "the artifact's section CLAS names 6 of 5 classes"},
    {NOTES_TAG_CLASSES, "a\0b\0c\0d\0e\0f", 11,
     "the artifact's section CLAS does not end in a zero"},
    {NOTES_TAG_INPUT, "\0\0\0", 4, "the artifact's section INPT has 4 bytes, not 8"},
    {NOTES_TAG_INPUT, "\0\0\0\0\0\0\0", 8, "the artifact's section INPT has a scale of 0"},
    {NOTES_TAG_INPUT, "\0\0\x80\x7f\0\0\0", 8, "the artifact's section INPT has a scale of inf"},
    {NOTES_TAG_INPUT, "\0\0\x80\xbf\0\0\0", 8, "the artifact's section INPT has a scale of -1"},
    {NOTES_TAG_OUTPUT, "\1", 2, "the artifact's section OUTP has 2 bytes, not 4"},
    {NOTES_TAG_OUTPUT, "\3\0\0", 4,
     "the artifact's section OUTP says 3, neither 1 (softmax) nor 2 (sigmoid)"},
};

START_TEST(notes_refused)
{
    for (size_t i = 0; i < sizeof bad_notes / sizeof bad_notes[0]; i++) {
        Notes n;
        const WriteSection sections[] = {
            {bad_notes[i].tag, bad_notes[i].data, bad_notes[i].bytes},
            {NOTES_TAG_INPUT, "\0", 1}, /* found later, if at all */
            {NOTES_TAG_OUTPUT, "\0", 1},
        };
        const size_t others = bad_notes[i].tag == NOTES_TAG_CLASSES ? 2 : 0;
        unsigned char *bytes = with_sections(sections, 1 + others);
        e = (Error){0};
        ck_assert_int_eq(notes_read(&n, bytes, TINY_CLASSES, &e), HONE_ERR_DATA);
        ck_assert_str_eq(e.text, bad_notes[i].sentence);
        free(bytes);
        e = (Error){0};
    }
}
END_TEST

/* ---- description ---------------------------------------------------------------------------- */

START_TEST(describe_counts)
{
    size_t count;
    Description d;
    memset((int8_t *)layer("last")->weights, 0, 100);
    int64_t zeros = 0;
    for (int i = 0; i < LAYERS; i++)
        for (size_t k = 0; k < layer(layers[i].name)->weight_count; k++)
            zeros += layer(layers[i].name)->weights[k] == 0;
    unsigned char *bytes = tiny_net_artifact(&net, &count);
    OK(describe_artifact(&d, bytes, count, &e));
    ck_assert_int_eq(d.layer_count, LAYERS);
    ck_assert_int_eq(d.bytes, (int64_t)count);
    ck_assert_int_ge(d.activation_bytes, 480);
    ck_assert_int_ge(d.ram_bytes, d.activation_bytes);
    ck_assert_int_eq(d.weights, 162 + 54 + 36 + 378 + 35);
    ck_assert_int_eq(d.params, d.weights + 3 * 6 + 7 + 5);
    ck_assert_int_eq(d.macs, 4050 + 1350 + 900 + 3402 + 35);
    ck_assert_int_eq(d.zero_weights, zeros);
    ck_assert_double_eq(d.sparsity, (double)zeros / 665);
    ck_assert_str_eq(d.requant, "s24");
    ck_assert_int_eq(d.classes, TINY_CLASSES);
    ck_assert_str_eq(d.layers[1].kind, "depthwise");
    ck_assert_str_eq(d.layers[1].name, "dw");
    ck_assert_int_eq(d.layers[1].bytes, 54 + 6 * 4 + 6 * 4);
    ck_assert_int_eq(d.layers[3].inputs, 2);
    ck_assert_str_eq(d.layers[3].in[1].name, "point");
    ck_assert_int_eq(d.layers[3].bytes, 0);
    ck_assert_int_eq(d.layers[5].bytes, 4);
    ck_assert_int_ge(d.layers[4].zero_weights, 100);
    ck_assert(d.input.h == 9 && d.input.w == 9 && d.input.c == 3);
    ck_assert_float_eq(d.input.scale, 1.0f / 128);
    ck_assert_float_eq(d.output.scale, layer("logits")->out.scale);
    describe_release(&d);
    bytes[count / 2] ^= 1;
    ck_assert_int_eq(describe_artifact(&d, bytes, count, &e), HONE_ERR_DATA);
    free(bytes);
}
END_TEST

/* A layer may have no bias, and the notes of a program that runs may be damaged. */
START_TEST(describe_other_artifacts)
{
    Lowered l;
    Description d;
    unsigned char *bytes;
    size_t count;
    OK(lower_program(&l, &source, &e));
    l.ops[0].bias = HONE_RT_NONE;
    OK(write_hone_bytes(&l.program, NULL, 0, &bytes, &count, &e));
    OK(describe_artifact(&d, bytes, count, &e));
    ck_assert_int_eq(d.layers[0].params, 162);
    ck_assert_int_eq(d.layers[0].bytes, 162 + 6 * 4);
    ck_assert_int_eq(d.layers[1].params, 54 + 6);
    describe_release(&d);
    free(bytes);
    const WriteSection wrong = {NOTES_TAG_OUTPUT, "\3\0\0", 4};
    OK(write_hone_bytes(&l.program, &wrong, 1, &bytes, &count, &e));
    ck_assert_int_eq(describe_artifact(&d, bytes, count, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, "the artifact's section OUTP says 3, neither 1 (softmax) nor 2 "
                             "(sigmoid)");
    ck_assert_ptr_null(d.layers);
    free(bytes);
    lower_release(&l);
}
END_TEST

/* ---- options, files ------------------------------------------------------------------------- */

START_TEST(options_fallbacks)
{
    ExportOptions o;
    Arena arena = {0};
    OK(option_table_check(&export_options, &e));
    OK(option_defaults(&export_options, NULL, &o, &arena, &e));
    ck_assert_uint_eq(o.formats.count, 1);
    ck_assert_str_eq(o.formats.v[0], "hone");
    ck_assert_uint_eq(o.requant.count, 1);
    ck_assert_uint_eq(export_profile(&o, 0), HONE_RT_S24);
    static const char *const both[] = {"d31", "s24"}, *const twice[] = {"d31", "d31"};
    o.requant = (OptionTexts){.count = 2, .v = both};
    OK(export_options.check(&o, &e));
    ck_assert_uint_eq(export_profile(&o, 0), HONE_RT_D31);
    ck_assert_uint_eq(export_profile(&o, 1), HONE_RT_S24);
    ck_assert_str_eq(export_profile_name(HONE_RT_D31), "d31");
    o.requant.v = twice;
    ck_assert_int_eq(export_options.check(&o, &e), HONE_ERR_CONFIG);
    ck_assert_str_eq(e.text, "requant names 'd31' twice");
    arena_release(&arena);
}
END_TEST

static int files_in_folder(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

START_TEST(file_replaces_as_a_whole)
{
    char path[300], missing[300];
    unsigned char *bytes;
    size_t count;
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(missing, sizeof missing, "%s/none/a", folder);
    OK(file_write_atomic(path, "first", 5, &e));
    OK(file_write_atomic(path, "second", 6, &e));
    OK(file_read(path, 6, &bytes, &count, &e));
    ck_assert_uint_eq(count, 6);
    ck_assert_mem_eq(bytes, "second", 6);
    free(bytes);
    ck_assert_int_eq(files_in_folder(), 1);
    ck_assert_int_eq(file_read(path, 5, &bytes, &count, &e), HONE_ERR_DATA);
    ck_assert_ptr_null(bytes);
    ck_assert_ptr_nonnull(strstr(e.text, "has 6 bytes; at most 5 are read"));
    e = (Error){0};
    ck_assert_int_eq(file_read(folder, 5, &bytes, &count, &e), HONE_ERR_DATA);
    e = (Error){0};
    ck_assert_int_eq(file_read(missing, 5, &bytes, &count, &e), HONE_ERR_IO);
    e = (Error){0};
    ck_assert_int_eq(file_write_atomic(missing, "x", 1, &e), HONE_ERR_IO);
    ck_assert_ptr_nonnull(strstr(e.text, "No such file or directory"));
    e = (Error){0};
    ck_assert_int_eq(unlink(path), 0);
    OK(file_write_atomic(path, "", 0, &e));
    OK(file_read(path, 5, &bytes, &count, &e));
    ck_assert_uint_eq(count, 0);
    free(bytes);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* A folder in the way of the name: the rename fails, and nothing is left behind. */
START_TEST(file_failure_leaves_nothing)
{
    char path[300];
    snprintf(path, sizeof path, "%s/a", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(file_write_atomic(path, "x", 1, &e), HONE_ERR_IO);
    ck_assert_int_eq(files_in_folder(), 1);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

Suite *suite_export(void)
{
    const TTest *const tests[] = {
        lower_structure,
        lower_copies_the_integers,
        lower_shares_equal_constants,
        lower_leaves_out_the_rest,
        lower_names_the_layer,
        lower_refuses_what_it_cannot_express,
        write_is_deterministic,
        write_reads_back,
        write_refuses_a_broken_program,
        notes_come_back,
        notes_of_inputs,
        notes_out_of_memory,
        notes_refused,
        describe_counts,
        describe_other_artifacts,
        options_fallbacks,
        file_replaces_as_a_whole,
        file_failure_leaves_nothing,
    };
    Suite *s = suite_create("export");
    TCase *c = tcase_create("export");
    tcase_add_checked_fixture(c, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(c, tests[i]);
    suite_add_tcase(s, c);
    return s;
}
