/* From words to a verb and its arguments: see verb.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"

#include "core/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Verb *const verbs[] = {
#define VERB(name) &verb_##name,
#include "cli/verbs.def"
#undef VERB
};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

const Verb *verb_at(size_t i)
{
    return i < VERBS ? verbs[i] : NULL;
}

const char *verb_title(const Verb *verb, char title[VERB_TITLE_BYTES])
{
    snprintf(title, VERB_TITLE_BYTES, "%s%s%s", verb->group ? verb->group : "",
             verb->group ? " " : "", verb->name);
    return title;
}

/* ---- which verb ----------------------------------------------------------------------------- */

static int unknown_verb(const char *word, Error *e)
{
    TextNearest nearest = {.word = word};
    for (size_t i = 0; i < VERBS; i++)
        text_nearest(&nearest, verbs[i]->group ? verbs[i]->group : verbs[i]->name);
    const char *end = strrchr(word, '.');
    if (end && (strcmp(end, ".yaml") == 0 || strcmp(end, ".yml") == 0))
        return error_set(e, HONE_ERR_USAGE, "unknown command '%s', did you mean 'hone train %s'?",
                         word, word);
    if (nearest.best)
        return error_set(e, HONE_ERR_USAGE, "unknown command '%s', did you mean '%s'?", word,
                         nearest.best);
    return error_set(e, HONE_ERR_USAGE, "unknown command '%s' (hone --help lists them)", word);
}

static int find_in_group(const Verb **verb, const char *group, const char *word, Error *e)
{
    char all[80] = "";
    TextNearest nearest = {.word = word ? word : ""};
    for (size_t i = 0; i < VERBS; i++) {
        if (!verbs[i]->group || strcmp(verbs[i]->group, group) != 0)
            continue;
        if (word && strcmp(verbs[i]->name, word) == 0) {
            *verb = verbs[i];
            return HONE_OK;
        }
        text_nearest(&nearest, verbs[i]->name);
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s'%s %s'", used ? " or " : "", group,
                 verbs[i]->name);
    }
    if (word && word[0] != '-' && nearest.best)
        return error_set(e, HONE_ERR_USAGE, "unknown command '%s %s', did you mean '%s %s'?", group,
                         word, group, nearest.best);
    return error_set(e, HONE_ERR_USAGE, "%s: which one, %s?", group, all);
}

int verb_find(const Verb **verb, int count, char *const *words, int *used, Error *e)
{
    for (size_t i = 0; i < VERBS; i++) {
        const Verb *v = verbs[i];
        if (v->group && strcmp(v->group, words[0]) == 0) {
            *used = 2;
            return find_in_group(verb, v->group, count > 1 ? words[1] : NULL, e);
        }
        if (!v->group && strcmp(v->name, words[0]) == 0) {
            *used = 1;
            *verb = v;
            return HONE_OK;
        }
    }
    return unknown_verb(words[0], e);
}

/* ---- its arguments -------------------------------------------------------------------------- */

typedef struct Parser {
    const Verb *verb;
    int count, next; /* words, and the first not read yet */
    char *const *words;
    char *arguments;    /* the verb's struct */
    const char **sets;  /* room for every word: what FLAG_TYPE_SETS collect */
    const char **rest;  /* likewise FLAG_TYPE_OPERANDS */
    size_t operands;    /* read so far */
    bool operands_only; /* "--" was read */
    Error *e;
} Parser;

static int usage(const Parser *p, const char *what, const char *word)
{
    char title[VERB_TITLE_BYTES];
    return error_set(p->e, HONE_ERR_USAGE, "%s: %s '%s' (hone %s --help lists what there is)",
                     verb_title(p->verb, title), what, word, title);
}

static bool is_operand(const Flag *f)
{
    return f->type == FLAG_TYPE_OPERAND || f->type == FLAG_TYPE_MAYBE ||
           f->type == FLAG_TYPE_OPERANDS;
}

/* The flag of the word "--name" or "--name=value". */
static const Flag *find_flag(const Parser *p, const char *word)
{
    size_t n = strcspn(word, "=");
    for (const Flag *f = p->verb->flags; f->type != FLAG_TYPE_END; f++)
        if (!is_operand(f) && strlen(f->name) == n && strncmp(f->name, word, n) == 0)
            return f;
    return NULL;
}

static int unknown_flag(const Parser *p, const char *word)
{
    char title[VERB_TITLE_BYTES], name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    TextNearest nearest = {.word = name};
    for (const Flag *f = p->verb->flags; f->type != FLAG_TYPE_END; f++)
        if (!is_operand(f))
            text_nearest(&nearest, f->name);
    text_nearest(&nearest, "--help");
    if (!nearest.best)
        return usage(p, "unknown flag", name);
    return error_set(p->e, HONE_ERR_USAGE, "%s: unknown flag '%s', did you mean '%s'?",
                     verb_title(p->verb, title), name, nearest.best);
}

static int store_count(const Parser *p, const Flag *f, const char *value, int64_t *out)
{
    char title[VERB_TITLE_BYTES], *end;
    errno = 0;
    long long v = strtoll(value, &end, 10);
    if (end == value || *end)
        return error_set(p->e, HONE_ERR_USAGE, "%s: %s: '%s' is not a whole number",
                         verb_title(p->verb, title), f->name, value);
    if (errno == ERANGE || v < f->min || v > f->max)
        return error_set(p->e, HONE_ERR_USAGE, "%s: %s: %s is outside %lld..%lld",
                         verb_title(p->verb, title), f->name, value, (long long)f->min,
                         (long long)f->max);
    *out = v;
    return HONE_OK;
}

/* The index of a word among the flag's choices, or -1 with a sentence. */
static int find_choice(const Parser *p, const Flag *f, const char *word)
{
    char title[VERB_TITLE_BYTES], all[64] = "";
    TextNearest nearest = {.word = word};
    for (int i = 0; f->choices[i]; i++) {
        size_t used = strlen(all);
        if (strcmp(f->choices[i], word) == 0)
            return i;
        snprintf(all + used, sizeof all - used, "%s%s", used ? "|" : "", f->choices[i]);
        text_nearest(&nearest, f->choices[i]);
    }
    error_set(p->e, HONE_ERR_USAGE, "%s: %s: '%s' is not %s%s%s%s", verb_title(p->verb, title),
              f->name, word, all, nearest.best ? ", did you mean '" : "",
              nearest.best ? nearest.best : "", nearest.best ? "'?" : "");
    return -1;
}

static int store_choice(const Parser *p, const Flag *f, const char *value, int *out)
{
    int i = find_choice(p, f, value);
    if (i >= 0)
        *out = i;
    return i >= 0 ? HONE_OK : HONE_ERR_USAGE;
}

static int store_names(const Parser *p, const Flag *f, const char *value, const char **out)
{
    char title[VERB_TITLE_BYTES], word[64];
    unsigned seen = 0;
    *out = value;
    for (const char *at = value;; at++) {
        size_t n = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : (int)sizeof word, at);
        int i = find_choice(p, f, word);
        if (i < 0)
            return HONE_ERR_USAGE;
        if (seen >> i & 1)
            return error_set(p->e, HONE_ERR_USAGE, "%s: %s names '%s' twice",
                             verb_title(p->verb, title), f->name, word);
        seen |= 1U << i;
        at += n;
        if (!*at)
            return HONE_OK;
    }
}

static int store_value(Parser *p, const Flag *f, const char *value)
{
    void *field = p->arguments + f->offset;
    if (f->type == FLAG_TYPE_COUNT)
        return store_count(p, f, value, field);
    if (f->type == FLAG_TYPE_CHOICE)
        return store_choice(p, f, value, field);
    if (f->type == FLAG_TYPE_NAMES)
        return store_names(p, f, value, field);
    if (f->type == FLAG_TYPE_SETS) {
        FlagTexts *texts = field;
        texts->v = p->sets;
        p->sets[texts->count++] = value;
    } else {
        *(const char **)field = value;
    }
    return HONE_OK;
}

static int read_flag(Parser *p, const char *word)
{
    char title[VERB_TITLE_BYTES];
    const Flag *f = find_flag(p, word);
    const char *value = strchr(word, '=');
    if (!f)
        return unknown_flag(p, word);
    if (f->type == FLAG_TYPE_SWITCH) {
        if (value)
            return error_set(p->e, HONE_ERR_USAGE, "%s: %s takes no value",
                             verb_title(p->verb, title), f->name);
        *(bool *)(p->arguments + f->offset) = true;
        return HONE_OK;
    }
    if (value)
        return store_value(p, f, value + 1);
    if (p->next == p->count)
        return error_set(p->e, HONE_ERR_USAGE, "%s: %s needs a value, %s",
                         verb_title(p->verb, title), f->name, f->argument);
    return store_value(p, f, p->words[p->next++]);
}

static int read_operand(Parser *p, const char *word)
{
    size_t i = 0;
    for (const Flag *f = p->verb->flags; f->type != FLAG_TYPE_END; f++) {
        if (f->type == FLAG_TYPE_OPERANDS && i <= p->operands) {
            FlagTexts *texts = (FlagTexts *)(void *)(p->arguments + f->offset);
            texts->v = p->rest;
            p->rest[texts->count++] = word;
            p->operands++;
            return HONE_OK;
        }
        if (is_operand(f) && i++ == p->operands) {
            *(const char **)(p->arguments + f->offset) = word;
            p->operands++;
            return HONE_OK;
        }
    }
    return usage(p, "one argument too many,", word);
}

static int read_word(Parser *p)
{
    const char *word = p->words[p->next++];
    if (p->operands_only || word[0] != '-' || !word[1])
        return read_operand(p, word);
    if (strcmp(word, "--") != 0)
        return read_flag(p, word);
    p->operands_only = true;
    return HONE_OK;
}

/* Whether every operand that must be there is there. */
static int check_operands(const Parser *p)
{
    char title[VERB_TITLE_BYTES];
    size_t i = 0;
    for (const Flag *f = p->verb->flags; f->type != FLAG_TYPE_END; f++)
        if (is_operand(f) && i++ >= p->operands && f->type != FLAG_TYPE_MAYBE)
            return error_set(p->e, HONE_ERR_USAGE, "%s: %s is missing (hone %s --help shows how)",
                             verb_title(p->verb, title), f->name, title);
    return HONE_OK;
}

/* --help wins over whatever else is wrong, wherever it stands. */
static bool asks_help(int count, char *const *words)
{
    for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++)
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            return true;
    return false;
}

static void set_defaults(const Parser *p)
{
    for (const Flag *f = p->verb->flags; f->type != FLAG_TYPE_END; f++) {
        void *field = p->arguments + f->offset;
        if (f->type == FLAG_TYPE_COUNT)
            *(int64_t *)field = FLAG_UNSET;
        if (f->type == FLAG_TYPE_CHOICE)
            *(int *)field = FLAG_UNSET;
    }
}

int verb_parse(const Verb *verb, int count, char *const *words, Arena *arena,
               const void **arguments, Error *e)
{
    *arguments = NULL;
    if (asks_help(count, words))
        return HONE_OK;
    Parser p = {.verb = verb, .count = count, .words = words, .e = e};
    size_t room = (size_t)(count + 1) * sizeof *p.sets;
    p.arguments = arena_alloc(arena, verb->size);
    p.sets = arena_alloc(arena, room);
    p.rest = arena_alloc(arena, room);
    if (!p.arguments || !p.sets || !p.rest)
        return error_memory(e, "the arguments", verb->size + 2 * room);
    set_defaults(&p);
    int status = HONE_OK;
    while (status == HONE_OK && p.next < count)
        status = read_word(&p);
    if (status == HONE_OK)
        status = check_operands(&p);
    if (status == HONE_OK)
        *arguments = p.arguments;
    return status;
}
