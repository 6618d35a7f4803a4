/* Text: a growing buffer, JSON strings, plurals, and the nearest word to a mistyped one.
 *
 *     Text t = {0};
 *     text_printf(&t, "epochs: %d\n", 12);      // never fails half-way: failure is remembered
 *     if (text_failed(&t)) ...                  // out of memory at some point
 *     text_release(&t);
 *
 * The distance between words is optimal string alignment (Damerau-Levenshtein without repeated
 * edits of one substring; Boytsov, "Indexing methods for approximate dictionary searching", JEA
 * 2011, sec. 2.1), letters compared without case. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_TEXT_H
#define HONE_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Text {
    char *data; /* NUL-terminated, or NULL before the first addition */
    size_t length, room;
    bool failed;
} Text;

/* Append a string, bytes that need not end in NUL, or what printf makes. */
void text_add(Text *t, const char *s);
void text_add_bytes(Text *t, const char *s, size_t length);
void text_printf(Text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* s between quotes, escaped as JSON wants it (RFC 8259, section 7); NULL becomes null. */
void text_add_json(Text *t, const char *s);
/* The shortest decimal of 15 digits or more that reads back as v, which is finite: "0.1", "12",
 * "4.0e-05", forms that every YAML and JSON reader takes for a number. */
void text_add_real(Text *t, double v);
/* Whether an addition ran out of memory; data then lacks it and all later ones. */
bool text_failed(const Text *t);
/* data, or "" before the first addition. Valid until the next addition. */
const char *text_string(const Text *t);
void text_release(Text *t);

/* As text_add_real, into out, which holds at least 32 bytes; returns out. */
char *text_from_real(double v, char out[32]);

/* What a noun ends in behind a count: "s", or "" for one. */
const char *text_plural(long long count);

/* Edits that turn a into b: insertions, deletions, replacements, swaps of neighbours. Words longer
 * than 63 bytes are infinitely far (SIZE_MAX) from anything else. */
size_t text_distance(const char *a, const char *b);

/* The nearest of the words offered:
 *     TextNearest n = {.word = typed};
 *     for (...) text_nearest(&n, name);
 *     if (n.best) "did you mean 'best'?"
 * A word is near when the edits are at most a third of its length, rounded up; ties go to the word
 * offered first. */
typedef struct TextNearest {
    const char *word;
    const char *best; /* NULL when nothing near was offered */
    size_t distance;
} TextNearest;

/* Offers a word. */
void text_nearest(TextNearest *n, const char *candidate);

#endif
