/* `arch: layers`, a network written down layer by layer: see layer_list.h.
 *
 * Slots hold what has a name so far, the image first; an entry resolves its inputs among the slots
 * before its own, builds its layer and fills its slot. SPDX-License-Identifier: Apache-2.0 */
#include "models/layer_list.h"

#include <assert.h>
#include <string.h>

#include "core/text.h"
#include "models/arch.h"
#include "models/layer_ops.h"

typedef struct Slot {
    const char *name;
    Value *value;
    bool used;
} Slot;

typedef struct List {
    Graph *g;
    const ModelOptions *options;
    const LayerEntry *entries;
    size_t count;
    Slot *slots; /* [count + 1]: the image, then the entries */
} List;

/* ---- the ops -------------------------------------------------------------------------------- */

static Conv2dOptions window_options(const LayerEntry *entry)
{
    Conv2dOptions o = {
        .channels = (int)entry->filters, .padding = (Padding)entry->padding, .bias = entry->bias};
    layer_pair(o.kernel, &entry->kernel);
    layer_pair(o.stride, &entry->stride);
    layer_pair(o.dilation, &entry->dilation);
    for (int i = 0; i < entry->pads.count; i++)
        o.pads[i] = (int)entry->pads.v[i];
    o.groups = (int)entry->groups;
    o.multiplier = (int)entry->multiplier;
    return o;
}

static Value *build_conv2d(const LayerSite *s, const LayerEntry *entry)
{
    const Conv2dOptions o = window_options(entry);
    return layer_conv2d(s->g, s->name, s->x, &o);
}

static Value *build_depthwise(const LayerSite *s, const LayerEntry *entry)
{
    const Conv2dOptions o = window_options(entry);
    return layer_depthwise(s->g, s->name, s->x, &o);
}

static Value *build_dense(const LayerSite *s, const LayerEntry *entry)
{
    return layer_dense(s->g, s->name, s->x, (int)entry->units, entry->bias);
}

static Value *build_batchnorm(const LayerSite *s, const LayerEntry *entry)
{
    (void)entry;
    return layer_batchnorm(s->g, s->name, s->x, &s->options->batchnorm);
}

static Value *build_relu(const LayerSite *s, const LayerEntry *entry)
{
    (void)entry;
    return layer_relu(s->g, s->name, s->x);
}

static Value *build_relu6(const LayerSite *s, const LayerEntry *entry)
{
    (void)entry;
    return layer_relu6(s->g, s->name, s->x);
}

static Value *build_add(const LayerSite *s, const LayerEntry *entry)
{
    (void)entry;
    return layer_add(s->g, s->name, s->x, s->with[0]);
}

static Value *build_mean(const LayerSite *s, const LayerEntry *entry)
{
    (void)entry;
    return layer_mean(s->g, s->name, s->x);
}

#define BIAS(help_) OPTION_BOOL("bias", LayerEntry, bias, "true", help_)
#define WINDOW                                                                                     \
    OPTION_INTS("kernel", LayerEntry, kernel, "", 1, 2, 1, 32767, NULL,                            \
                "one number, or height and width"),                                                \
        OPTION_INTS("stride", LayerEntry, stride, "", 1, 2, 1, 32767, "[1]",                       \
                    "one number, or vertical and horizontal"),                                     \
        OPTION_INTS("dilation", LayerEntry, dilation, "", 1, 2, 1, 32767, "[1]",                   \
                    "distance of the kernel's taps"),                                              \
        OPTION_CHOICE("padding", LayerEntry, padding, layer_paddings, "same",                      \
                      "same as TensorFlow pads, valid for none, explicit for `pads`"),             \
        OPTION_INTS("pads", LayerEntry, pads, "", 4, 4, 0, 32767, "[0, 0, 0, 0]",                  \
                    "padding explicit: top, left, bottom, right"),                                 \
        BIAS("add one number per channel; needless in front of batchnorm")
static LAYER_OP(conv2d, "convolution",
                OPTION_INT("filters", LayerEntry, filters, "", 1, 32767, NULL,
                           "channels of the output"),
                OPTION_INT("groups", LayerEntry, groups, "", 1, 32767, "1",
                           "parts of the channels that do not mix; divides filters and the "
                           "channels of the input"),
                WINDOW, OPTION_END);
static LAYER_OP(depthwise, "convolution of each channel by itself",
                OPTION_INT("multiplier", LayerEntry, multiplier, "", 1, 32767, "1",
                           "outputs per channel of the input"),
                WINDOW, OPTION_END);
static LAYER_OP(dense, "fully connected; flattens an image",
                OPTION_INT("units", LayerEntry, units, "", 1, 32767, NULL, "size of the output"),
                BIAS("add one number per unit"), OPTION_END);
static LAYER_OP(batchnorm, "batch normalization, as model.batchnorm says", OPTION_END);
static LAYER_OP(relu, "max(x, 0)", OPTION_END);
static LAYER_OP(relu6, "min(max(x, 0), 6)", OPTION_END);
static LAYER_OP(add, "sum with another layer of the same shape",
                OPTION_TEXT("with", LayerEntry, with, NULL, "name of the earlier layer"),
                OPTION_END);
static LAYER_OP(mean, "global average: an image becomes one number per channel", OPTION_END);

#define ENTRY_OPS(X)                                                                               \
    X(conv2d) X(depthwise) X(dense) X(batchnorm) X(relu) X(relu6) X(add) X(mean) LAYER_OPS_MORE(X)

static const LayerOp *const ops[] = {
#define ENTRY(op) &entry_##op,
    ENTRY_OPS(ENTRY)
#undef ENTRY
};
enum { OPS = sizeof ops / sizeof ops[0] };

/* Names go into patterns and checkpoint paths. */
static bool name_is_legal(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    if (!*name || !strchr(letters, *name))
        return false;
    for (; *name; name++)
        if (!strchr(letters, *name) && !strchr("._-", *name))
            return false;
    return true;
}

static int check_entry(const void *options, Error *e)
{
    const LayerEntry *entry = options;
    static const char *const reserved[] = {"image", "labels", "loss"};
    if (entry->name && !name_is_legal(entry->name))
        return error_set(e, HONE_ERR_CONFIG,
                         "name '%.80s' is not made of letters, digits and . _ -, the first a "
                         "letter or digit",
                         entry->name);
    for (size_t i = 0; entry->name && i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(entry->name, reserved[i]) == 0)
            return error_set(e, HONE_ERR_CONFIG, "name '%s' is taken by the model itself",
                             entry->name);
    for (int i = 0; i < entry->pads.count && ops[entry->op] != &entry_pad; i++)
        if (entry->pads.v[i] != 0 && entry->padding != PADDING_EXPLICIT)
            return error_set(e, HONE_ERR_CONFIG, "pads need padding: explicit, not %s",
                             layer_paddings[entry->padding]);
    return HONE_OK;
}

const OptionTable layer_entry_options = {
    .name = "layer",
    .help = "one layer of a network written down layer by layer",
    .size = sizeof(LayerEntry),
    .options =
        (const Option[]){
            OPTION_SELECTOR("op", LayerEntry, op, NULL, "what the layer computes"),
            OPTION_TEXT("name", LayerEntry, name, "null", "without one, the op and a number"),
            OPTION_TEXT("input", LayerEntry, input, "null",
                        "name of an earlier layer, or image; without one, the layer before"),
            OPTION_END,
        },
    .variants =
        (const OptionVariant *const[]){
#define ENTRY(op) &entry_##op.variant,
            ENTRY_OPS(ENTRY)
#undef ENTRY
                NULL,
        },
    .check = check_entry,
};

/* ---- the list ------------------------------------------------------------------------------- */

static const char *op_name(const LayerEntry *entry)
{
    return ops[entry->op]->variant.choice;
}

static Slot *find_slot(const List *l, size_t end, const char *name)
{
    for (size_t i = 0; i < end; i++) {
        assert(l->slots[i].name); /* every slot before the current one is filled */
        if (strcmp(l->slots[i].name, name) == 0)
            return &l->slots[i];
    }
    return NULL;
}

/* "conv2d2" for the second entry of that op. */
static const char *made_up_name(const List *l, size_t i)
{
    int number = 1;
    for (size_t j = 0; j < i; j++)
        number += l->entries[j].op == l->entries[i].op;
    return arena_printf(&l->g->arena, "%s%d", op_name(&l->entries[i]), number);
}

/* Names slot i + 1; NULL when the name is taken or memory is out. */
static const char *name_slot(List *l, size_t i, Error *e)
{
    const char *given = l->entries[i].name;
    const char *name = given ? arena_text(&l->g->arena, given) : made_up_name(l, i);
    if (!name)
        error_memory(e, "a layer's name", 0);
    else if (find_slot(l, i + 1, name)) {
        error_set(e, HONE_ERR_CONFIG, "an earlier layer has this name");
        name = NULL;
    }
    return name;
}

/* The value that entry i calls `name`, or the one before it; marks it as used. */
static Value *resolve(List *l, size_t i, const char *key, const char *name, Error *e)
{
    Slot *slot = name ? find_slot(l, i + 1, name) : &l->slots[i];
    if (slot) {
        slot->used = true;
        return slot->value;
    }
    TextNearest near = {.word = name};
    for (size_t j = 0; j <= i; j++)
        text_nearest(&near, l->slots[j].name);
    error_set(e, HONE_ERR_CONFIG, "%s: no earlier layer is called '%.80s'%s%s%s", key, name,
              near.best ? ", did you mean '" : "", near.best ? near.best : "",
              near.best ? "'?" : "");
    return NULL;
}

/* Builds entry i into slot i + 1; errors go to the graph. */
static void build_entry(List *l, size_t i)
{
    const LayerEntry *entry = &l->entries[i];
    Slot *slot = &l->slots[i + 1];
    Error *e = &l->g->error;
    LayerSite s = {.g = l->g, .options = l->options};
    assert(entry->op >= 0 && entry->op < OPS);
    slot->name = s.name = name_slot(l, i, e);
    if (s.name)
        s.x = resolve(l, i, "input", entry->input, e);
    if (s.x && entry->with)
        s.with[s.count++] = resolve(l, i, "with", entry->with, e);
    for (size_t k = 0; s.x && e->code == HONE_OK && k < entry->others.count; k++)
        s.with[s.count++] = resolve(l, i, "with", entry->others.v[k], e);
    if (e->code == HONE_OK)
        slot->value = ops[entry->op]->build(&s, entry);
    const char *called = entry->name ? entry->name : op_name(entry);
    if (e->code != HONE_OK)
        error_prefix(e, "layers[%zu] '%s'", i, s.name ? s.name : called);
}

/* All outputs are read and the last one is the logits. */
static int check_ends(const List *l, Error *e)
{
    const size_t last = l->count - 1;
    for (size_t i = 0; i < last; i++)
        if (!l->slots[i + 1].used)
            return error_set(e, HONE_ERR_CONFIG, "layers[%zu] '%s': no later layer reads it", i,
                             l->slots[i + 1].name);
    const Shape got = l->slots[last + 1].value->shape;
    const int classes = (int)l->options->classes;
    char text[SHAPE_TEXT_BYTES];
    if (ops[l->entries[last].op] == &entry_softmax)
        return error_set(
            e, HONE_ERR_CONFIG,
            "layers[%zu] '%s': the loss has a softmax of its own; export.softmax: true "
            "gives the artifact one",
            last, l->slots[last + 1].name);
    if (got.rank == 2 && got.dim[1] == classes)
        return HONE_OK;
    return error_set(e, HONE_ERR_CONFIG,
                     "layers[%zu] '%s': the last layer gives %s, but classes: %d wants [1, %d]",
                     last, l->slots[last + 1].name, shape_text(got, text), classes, classes);
}

static Value *build(Graph *g, const ModelOptions *o, Value *x)
{
    List l = {.g = g, .options = o, .entries = o->layers.items, .count = o->layers.count};
    const size_t bytes = (l.count + 1) * sizeof l.slots[0];
    l.slots = arena_alloc(&g->arena, bytes);
    if (!l.slots) {
        error_memory(&g->error, "the list of layers", bytes);
        return NULL;
    }
    l.slots[0] = (Slot){.name = "image", .value = x};
    for (size_t i = 0; i < l.count && g->error.code == HONE_OK; i++)
        build_entry(&l, i);
    if (g->error.code != HONE_OK || check_ends(&l, &g->error) != HONE_OK)
        return NULL;
    return l.slots[l.count].value;
}

static int check(const ModelOptions *o, Error *e)
{
    if (o->layers.count == 0)
        return error_set(e, HONE_ERR_CONFIG, "layers is empty");
    return HONE_OK;
}

const ModelArch model_layers = {
    .variant =
        {
            .choice = "layers",
            .help = "a network written down layer by layer",
            .options =
                (const Option[]){
                    OPTION_LIST("layers", ModelOptions, layers, &layer_entry_options, 1, 4096, NULL,
                                "the layers, each reading the one before it"),
                    OPTION_END,
                },
        },
    .check = check,
    .build = build,
};
