/* Values of options: see option_value.h. Numbers follow YAML 1.2's core schema without the octal
 * and hexadecimal forms and with finite values only. SPDX-License-Identifier: Apache-2.0 */
#include "core/option_value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

#define WORD_BYTES 64

static void *field(const Option *option, void *options)
{
    return (char *)options + option->offset;
}

static const void *field_const(const Option *option, const void *options)
{
    return (const char *)options + option->offset;
}

bool option_is_row(const Option *option)
{
    return option->type == OPTION_TYPE_INTS || option->type == OPTION_TYPE_REALS ||
           option->type == OPTION_TYPE_TEXTS;
}

static int refuse_type(OptionWord word, const char *wanted, Error *e)
{
    if (!word.text)
        return error_set(e, HONE_ERR_CONFIG, "no value, %s is needed", wanted);
    return error_set(e, HONE_ERR_CONFIG, "%s'%.80s' is not %s", word.quoted ? "the text " : "",
                     word.text, wanted);
}

/* As "0 is outside 1..100 epochs". overflow: the value is beyond what the field's type holds. */
static int refuse_range(const Option *option, const char *text, bool overflow, Error *e)
{
    /* A row's range starts with its count: state that of one element. */
    Option one = *option;
    one.least = one.most = 0;
    char range[128];
    option_range_text(NULL, &one, range, sizeof range);
    bool one_sided = *range == '<' || *range == '>';
    if (overflow && (one_sided || !*range))
        return error_set(e, HONE_ERR_CONFIG, "%.80s does not fit 64 bits", text);
    return error_set(e, HONE_ERR_CONFIG, "%.80s is %s %s%s%s", text, one_sided ? "not" : "outside",
                     range, *option->unit ? " " : "", option->unit);
}

static const char *digits(const char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

static bool is_whole(const char *text)
{
    const char *p = text + (*text == '-' || *text == '+');
    const char *end = digits(p);
    return end > p && !*end && !(*p == '0' && end > p + 1);
}

static bool is_real(const char *text)
{
    const char *p = text + (*text == '-' || *text == '+');
    const char *whole = digits(p), *end = whole;
    if (*whole == '.')
        end = digits(whole + 1);
    if (end - p - (*whole == '.') <= 0)
        return false;
    if (*end == 'e' || *end == 'E') {
        const char *power = end + 1 + (end[1] == '-' || end[1] == '+');
        end = digits(power);
        if (end == power)
            return false;
    }
    return !*end;
}

/* NaN and infinity in the spellings of YAML and C. */
static bool is_not_finite(const char *text)
{
    static const char *const names[] = {"nan", "inf", "infinity"};
    const char *p = text + (*text == '-' || *text == '+');
    p += *p == '.';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_distance(p, names[i]) == 0)
            return true;
    return false;
}

static int read_int(const Option *option, OptionWord word, int64_t *value, Error *e)
{
    if (!word.text || word.quoted || !is_whole(word.text))
        return refuse_type(word, "a whole number", e);
    errno = 0;
    intmax_t v = strtoimax(word.text, NULL, 10);
    if (errno == ERANGE || v < option->whole.min || v > option->whole.max)
        return refuse_range(option, word.text, errno == ERANGE, e);
    *value = v;
    return HONE_OK;
}

static int read_real(const Option *option, OptionWord word, double *value, Error *e)
{
    if (word.text && !word.quoted && is_not_finite(word.text))
        return refuse_type(word, "a finite number", e);
    if (!word.text || word.quoted || !is_real(word.text))
        return refuse_type(word, "a number", e);
    double v = strtod(word.text, NULL);
    bool low = option->open & OPTION_OPEN_MIN ? v > option->real.min : v >= option->real.min;
    bool high = option->open & OPTION_OPEN_MAX ? v < option->real.max : v <= option->real.max;
    if (!isfinite(v) || !low || !high)
        return refuse_range(option, word.text, !isfinite(v), e);
    *value = v;
    return HONE_OK;
}

static int read_bool(OptionWord word, bool *value, Error *e)
{
    bool yes = word.text && strcmp(word.text, "true") == 0;
    bool no = word.text && strcmp(word.text, "false") == 0;
    if (word.quoted || (!yes && !no))
        return refuse_type(word, "true or false", e);
    *value = yes;
    return HONE_OK;
}

static int read_choice(const OptionTable *table, const Option *option, OptionWord word, int *value,
                       Error *e)
{
    char range[256];
    option_range_text(table, option, range, sizeof range);
    if (!word.text)
        return error_set(e, HONE_ERR_CONFIG, "no value, %s%s is needed",
                         option_choice(table, option, 1) ? "one of " : "", range);
    TextNearest near = {.word = word.text};
    const char *name;
    for (int i = 0; (name = option_choice(table, option, (size_t)i)); i++) {
        if (strcmp(name, word.text) == 0) {
            *value = i;
            return HONE_OK;
        }
        text_nearest(&near, name);
    }
    return error_set(e, HONE_ERR_CONFIG, "'%.80s' is not %s%s%s%s%s", word.text,
                     option_choice(table, option, 1) ? "one of " : "", range,
                     near.best ? ", did you mean '" : "", near.best ? near.best : "",
                     near.best ? "'?" : "");
}

static int set_text(const Option *option, OptionWord word, const char **value, Error *e)
{
    bool nullable = option->type == OPTION_TYPE_TEXT && option->fallback &&
                    strcmp(option->fallback, "null") == 0;
    if (!word.text && !nullable)
        return refuse_type(word, "a text", e);
    *value = word.text;
    return HONE_OK;
}

static int set_texts(const OptionTable *table, const Option *option, size_t i, OptionWord word,
                     OptionTexts *texts, Error *e)
{
    int index = 0;
    if (option->choices) {
        Option one = *option;
        one.type = OPTION_TYPE_CHOICE;
        one.least = one.most = 0;
        int rc = read_choice(table, &one, word, &index, e);
        if (rc != HONE_OK)
            return rc;
    }
    /* The array came from option_set_count: writable, const only for readers. */
    return set_text(option, word, (const char **)texts->v + i, e);
}

int option_set_count(const Option *option, size_t count, void *options, Arena *arena, Error *e)
{
    if (count < option->least || count > option->most) {
        if (option->least == option->most)
            return error_set(e, HONE_ERR_CONFIG, "%zu element%s, %zu are needed", count,
                             text_plural((long long)count), option->most);
        return error_set(e, HONE_ERR_CONFIG, "%zu element%s, %zu..%zu are allowed", count,
                         text_plural((long long)count), option->least, option->most);
    }
    void *p = field(option, options);
    if (option->type == OPTION_TYPE_INTS)
        ((OptionInts *)p)->count = (int)count;
    else if (option->type == OPTION_TYPE_REALS)
        ((OptionReals *)p)->count = (int)count;
    else if (option->type == OPTION_TYPE_TEXTS && count > 0) {
        const char **v = arena_alloc(arena, count * sizeof *v);
        if (!v)
            return error_memory(e, "a list of texts", count * sizeof *v);
        *(OptionTexts *)p = (OptionTexts){.count = count, .v = v};
    }
    return HONE_OK;
}

int option_set(const OptionTable *table, const Option *option, size_t i, OptionWord word,
               void *options, Error *e)
{
    void *p = field(option, options);
    switch (option->type) {
    case OPTION_TYPE_BOOL:
        return read_bool(word, p, e);
    case OPTION_TYPE_INT:
        return read_int(option, word, p, e);
    case OPTION_TYPE_REAL:
        return read_real(option, word, p, e);
    case OPTION_TYPE_TEXT:
        return set_text(option, word, p, e);
    case OPTION_TYPE_CHOICE:
    case OPTION_TYPE_SELECTOR:
        return read_choice(table, option, word, p, e);
    case OPTION_TYPE_INTS:
        return read_int(option, word, &((OptionInts *)p)->v[i], e);
    case OPTION_TYPE_REALS:
        return read_real(option, word, &((OptionReals *)p)->v[i], e);
    case OPTION_TYPE_TEXTS:
        return set_texts(table, option, i, word, p, e);
    default:
        return error_set(e, HONE_ERR_CONFIG, "'%s' holds no single value", option->name);
    }
}

/* The next element of "a, b]" into word; returns what follows it, NULL when there is none. */
static const char *next_element(const char *p, char word[WORD_BYTES])
{
    p += strspn(p, " ");
    size_t length = strcspn(p, ",]");
    size_t kept = length;
    while (kept > 0 && p[kept - 1] == ' ')
        kept--;
    if (kept == 0 || kept >= WORD_BYTES || !p[length])
        return NULL;
    memcpy(word, p, kept);
    word[kept] = '\0';
    return p + length + 1;
}

static int set_row_fallback(const OptionTable *table, const Option *option, void *options,
                            Arena *arena, Error *e)
{
    const char *p = option->fallback;
    char word[WORD_BYTES];
    size_t count = 0;
    for (const char *q = p + 1; *p == '[' && *q && (q = next_element(q, word)) != NULL;)
        count++;
    int rc = option_set_count(option, count, options, arena, e);
    p++;
    for (size_t i = 0; rc == HONE_OK && i < count; i++) {
        p = next_element(p, word);
        const char *kept = option->type == OPTION_TYPE_TEXTS ? arena_text(arena, word) : word;
        if (!kept)
            return error_memory(e, "a text", sizeof word);
        rc = option_set(table, option, i, (OptionWord){.text = kept}, options, e);
    }
    return rc;
}

int option_set_fallback(const OptionTable *table, const Option *option, void *options, Arena *arena,
                        Error *e)
{
    if (option_is_row(option))
        return set_row_fallback(table, option, options, arena, e);
    if (option->type == OPTION_TYPE_LIST)
        return option_set_count(option, 0, options, arena, e);
    bool null = option->type == OPTION_TYPE_TEXT && strcmp(option->fallback, "null") == 0;
    OptionWord word = {.text = null ? NULL : option->fallback};
    return option_set(table, option, 0, word, options, e);
}

static int set_defaults(const OptionTable *table, const Option *list, void *options, Arena *arena,
                        Error *e)
{
    int rc = HONE_OK;
    for (const Option *o = list; rc == HONE_OK && o->type != OPTION_TYPE_END; o++) {
        if (o->type == OPTION_TYPE_SECTION && !o->optional)
            rc = option_defaults(o->table, NULL, field(o, options), arena, e);
        else if (o->fallback && o->type != OPTION_TYPE_SELECTOR)
            rc = option_set_fallback(table, o, options, arena, e);
        if (rc != HONE_OK && rc != HONE_ERR_MEMORY)
            error_prefix(e, "%s", o->name);
    }
    return rc;
}

int option_defaults(const OptionTable *table, const char *choice, void *options, Arena *arena,
                    Error *e)
{
    memset(options, 0, table->size);
    const Option *selector = option_selector(table);
    const OptionVariant *variant = NULL;
    if (selector && (choice || selector->fallback)) {
        OptionWord word = {.text = choice ? choice : selector->fallback};
        int rc = option_set(table, selector, 0, word, options, e);
        if (rc != HONE_OK)
            return rc;
        variant = table->variants[option_index(selector, options)];
    }
    int rc = set_defaults(table, table->options, options, arena, e);
    if (rc == HONE_OK && variant)
        rc = set_defaults(table, variant->options, options, arena, e);
    return rc;
}

size_t option_count(const Option *option, const void *options)
{
    const void *p = field_const(option, options);
    switch (option->type) {
    case OPTION_TYPE_INTS:
        return (size_t)((const OptionInts *)p)->count;
    case OPTION_TYPE_REALS:
        return (size_t)((const OptionReals *)p)->count;
    case OPTION_TYPE_TEXTS:
        return ((const OptionTexts *)p)->count;
    case OPTION_TYPE_LIST:
        return ((const OptionList *)p)->count;
    default:
        return 1;
    }
}

int option_index(const Option *option, const void *options)
{
    return *(const int *)field_const(option, options);
}

const char *option_get(const OptionTable *table, const Option *option, size_t i,
                       const void *options, char buffer[32])
{
    const void *p = field_const(option, options);
    switch (option->type) {
    case OPTION_TYPE_BOOL:
        return *(const bool *)p ? "true" : "false";
    case OPTION_TYPE_INT:
        snprintf(buffer, 32, "%" PRId64, *(const int64_t *)p);
        return buffer;
    case OPTION_TYPE_INTS:
        snprintf(buffer, 32, "%" PRId64, ((const OptionInts *)p)->v[i]);
        return buffer;
    case OPTION_TYPE_REAL:
        return text_from_real(*(const double *)p, buffer);
    case OPTION_TYPE_REALS:
        return text_from_real(((const OptionReals *)p)->v[i], buffer);
    case OPTION_TYPE_TEXT:
        return *(const char *const *)p;
    case OPTION_TYPE_TEXTS:
        return ((const OptionTexts *)p)->v[i];
    default:
        return option_choice(table, option, (size_t)option_index(option, options));
    }
}
