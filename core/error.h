/* One sentence of what went wrong, where, with which values.
 *
 *     Error e = {0};
 *     if (dataset_open(&d, &opt, &e) != HONE_OK) { fprintf(stderr, "hone: %s\n", e.text); return 1; }
 *
 * Every fallible function returns HONE_OK (0) or one of the negative codes below and fills the Error
 * its caller gave. The first error wins: a function that gets a failure from below passes it on
 * unchanged or puts context in front of it with error_prefix(). A NULL Error is allowed everywhere.
 * Nothing below cli/ prints or exits. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_ERROR_H
#define HONE_CORE_ERROR_H

#include <stddef.h>

enum {
    HONE_OK = 0,
    HONE_ERR_USAGE = -1,       /* wrong usage of the command line */
    HONE_ERR_CONFIG = -2,      /* a configuration that cannot be run */
    HONE_ERR_DATA = -3,        /* a file whose content is wrong */
    HONE_ERR_IO = -4,          /* a file that cannot be read or written */
    HONE_ERR_MEMORY = -5,      /* out of memory */
    HONE_ERR_SHAPE = -6,       /* tensors that do not fit */
    HONE_ERR_NUMERIC = -7,     /* a NaN, an infinity or an overflow */
    HONE_ERR_MISMATCH = -8,    /* two computations that must agree differ */
    HONE_ERR_INTERRUPTED = -9, /* stopped by a signal, state saved */
};

/* Results that must not be dropped. */
#define HONE_CHECKED __attribute__((warn_unused_result))

typedef struct Error {
    int code;       /* HONE_OK until something failed */
    char text[480]; /* one sentence, no newline, no trailing period needed */
} Error;

/* Stores code and the formatted sentence in e (if e is not NULL and holds no error yet); returns
 * code, so that a failing function ends in `return error_set(e, HONE_ERR_DATA, "...")`. */
int error_set(Error *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As error_set, and appends ": " and strerror(errno) as it was at the call. */
int error_errno(Error *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of the sentence that e holds; returns e's code. e must hold an error. */
int error_prefix(Error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "out of memory" with what was being made and its size in bytes; returns HONE_ERR_MEMORY. */
int error_memory(Error *e, const char *what, size_t bytes);

/* Analyzers see one file at a time; this is what they must know of the functions above. */
#ifdef __clang_analyzer__
#define error_set(e, code, ...)   (error_set(e, code, __VA_ARGS__), (code))
#define error_errno(e, code, ...) (error_errno(e, code, __VA_ARGS__), (code))
#define error_prefix(...)         (error_prefix(__VA_ARGS__), HONE_ERR_DATA)
#define error_memory(...)         (error_memory(__VA_ARGS__), HONE_ERR_MEMORY)
#endif

#endif
