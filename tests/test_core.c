/* Tests of core/: errors, random numbers, the thread pool, arenas, files. SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"
#include "core/error.h"
#include "core/file.h"
#include "core/rng.h"
#include "core/threads.h"
#include "tests/suites.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- error ---------------------------------------------------------------------------------- */

START_TEST(error_first_wins)
{
    Error e = {0};
    ck_assert_int_eq(error_set(&e, HONE_ERR_SHAPE, "conv '%s': kernel %d", "stem", 5),
                     HONE_ERR_SHAPE);
    ck_assert_int_eq(error_set(&e, HONE_ERR_IO, "later"), HONE_ERR_IO);
    ck_assert_int_eq(e.code, HONE_ERR_SHAPE);
    ck_assert_str_eq(e.text, "conv 'stem': kernel 5");
}
END_TEST

START_TEST(error_context_and_cause)
{
    Error e = {0};
    errno = ENOENT;
    ck_assert_int_eq(error_errno(&e, HONE_ERR_IO, "cannot open '%s'", "a.bin"), HONE_ERR_IO);
    ck_assert_str_eq(e.text, "cannot open 'a.bin': No such file or directory");
    ck_assert_int_eq(error_prefix(&e, "split %d", 2), HONE_ERR_IO);
    ck_assert_str_eq(e.text, "split 2: cannot open 'a.bin': No such file or directory");
}
END_TEST

START_TEST(error_null_is_allowed)
{
    errno = ENOENT;
    ck_assert_int_eq(error_set(NULL, HONE_ERR_DATA, "x"), HONE_ERR_DATA);
    ck_assert_int_eq(error_errno(NULL, HONE_ERR_IO, "x"), HONE_ERR_IO);
    ck_assert_int_lt(error_prefix(NULL, "x"), 0);
    ck_assert_int_eq(error_memory(NULL, "x", 1), HONE_ERR_MEMORY);
}
END_TEST

START_TEST(error_long_text_is_cut)
{
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    Error e = {0};
    errno = EACCES;
    ck_assert_int_eq(error_errno(&e, HONE_ERR_IO, "%s", text), HONE_ERR_IO);
    ck_assert_uint_eq(strlen(e.text), sizeof e.text - 1);
    ck_assert_int_eq(error_prefix(&e, "%s", text), HONE_ERR_IO);
    ck_assert_uint_eq(strlen(e.text), sizeof e.text - 1);
}
END_TEST

START_TEST(error_of_memory)
{
    Error e = {0};
    ck_assert_int_eq(error_memory(&e, "the arena", 4096), HONE_ERR_MEMORY);
    ck_assert_str_eq(e.text, "out of memory: 4096 bytes for the arena");
}
END_TEST

/* ---- rng ------------------------------------------------------------------------------------ */

/* Known answers of the authors' Random123 distribution (philox4x32, 10 rounds). */
START_TEST(rng_published_vectors)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    uint32_t out[4];
    rng_philox(cases[_i].key, cases[_i].counter, out);
    ck_assert_mem_eq(out, cases[_i].out, sizeof out);
}
END_TEST

START_TEST(rng_places_are_independent)
{
    static const struct {
        uint64_t seed, a, b;
        RngStream stream;
    } places[] = {
        {1, 0, 0, RNG_TEST},
        {2, 0, 0, RNG_TEST},
        {1, 1, 0, RNG_TEST},
        {1, 0, 1, RNG_TEST},
        {1, 0, 0, RNG_DATA},
        {1, UINT64_C(1) << 32, 0, RNG_TEST},
        {UINT64_C(1) << 32 | 1, 0, 0, RNG_TEST},
    };
    enum { PLACES = sizeof places / sizeof places[0] };
    uint32_t first[PLACES];
    for (int i = 0; i < PLACES; i++) {
        Rng r = rng_at(places[i].seed, places[i].stream, places[i].a, places[i].b);
        Rng again = rng_at(places[i].seed, places[i].stream, places[i].a, places[i].b);
        first[i] = rng_u32(&r);
        ck_assert_uint_eq(first[i], rng_u32(&again));
        for (int j = 0; j < i; j++)
            ck_assert_uint_ne(first[i], first[j]);
    }
}
END_TEST

START_TEST(rng_uniform_moments)
{
    enum { N = 200000 };
    Rng r = rng_at(1, RNG_TEST, 0, 0);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        float u = rng_uniform(&r);
        ck_assert(u >= 0.0f && u < 1.0f);
        sum += (double)u;
        squares += (double)u * (double)u;
    }
    ck_assert_double_eq_tol(sum / N, 1.0 / 2, 0.003);
    ck_assert_double_eq_tol(squares / N, 1.0 / 3, 0.003);
}
END_TEST

START_TEST(rng_normal_moments)
{
    enum { N = 200000 };
    Rng r = rng_at(2, RNG_TEST, 0, 0);
    double sum = 0, squares = 0, fourth = 0;
    for (int i = 0; i < N; i++) {
        double x = rng_normal(&r);
        ck_assert(isfinite(x));
        sum += x;
        squares += x * x;
        fourth += x * x * x * x;
    }
    ck_assert_double_eq_tol(sum / N, 0.0, 0.01);
    ck_assert_double_eq_tol(squares / N, 1.0, 0.015);
    ck_assert_double_eq_tol(fourth / N, 3.0, 0.1);
}
END_TEST

/* Chi-squared with 9 degrees of freedom: 27.9 is exceeded once in a thousand. */
START_TEST(rng_below_is_uniform)
{
    enum { N = 100000, BINS = 10 };
    Rng r = rng_at(3, RNG_TEST, 0, 0);
    int bins[BINS] = {0};
    for (int i = 0; i < N; i++)
        bins[rng_below(&r, BINS)]++;
    double chi = 0, expected = (double)N / BINS;
    for (int i = 0; i < BINS; i++)
        chi += (bins[i] - expected) * (bins[i] - expected) / expected;
    ck_assert_double_lt(chi, 27.9);
    for (int i = 0; i < 100; i++) {
        ck_assert_uint_eq(rng_below(&r, 1), 0);
        ck_assert_uint_lt(rng_below(&r, UINT32_MAX), UINT32_MAX);
    }
}
END_TEST

START_TEST(rng_permutation_is_one)
{
    uint32_t out[257];
    uint32_t n = (uint32_t)(_i * 64 + (_i > 0)); /* 0, 65, 129, 193, 257 */
    bool seen[257] = {false};
    Rng r = rng_at(4, RNG_TEST, (uint64_t)_i, 0);
    rng_permutation(&r, out, n);
    uint32_t fixed = 0;
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_uint_lt(out[i], n);
        ck_assert(!seen[out[i]]);
        seen[out[i]] = true;
        fixed += out[i] == i;
    }
    ck_assert(n == 0 || fixed < 10);
}
END_TEST

/* ---- threads -------------------------------------------------------------------------------- */

enum { BLOCKS = 100 };

typedef struct Job {
    int round, workers;
    int written[BLOCKS];     /* round in which the block ran: plain memory, published by the pool */
    atomic_int runs[BLOCKS]; /* how often */
    atomic_int outside;      /* worker numbers out of range */
} Job;

static void mark(void *context, int block, int worker)
{
    Job *job = context;
    job->written[block] = job->round;
    atomic_fetch_add(&job->runs[block], 1);
    if (worker < 0 || worker >= job->workers)
        atomic_fetch_add(&job->outside, 1);
}

/* Every block exactly once, and everything done before threads_run returns, at any count. */
START_TEST(threads_every_block_once)
{
    static const int counts[] = {1, 2, 3, 8};
    Error e = {0};
    Threads *pool;
    ck_assert_msg(threads_new(&pool, counts[_i], &e) == HONE_OK, "%s", e.text);
    ck_assert_int_eq(threads_count(pool), counts[_i]);
    Job job = {.workers = counts[_i]};
    for (int round = 1; round <= 300; round++) {
        int blocks = round % (BLOCKS + 1);
        job.round = round;
        for (int b = 0; b < BLOCKS; b++)
            atomic_store(&job.runs[b], 0);
        threads_run(pool, blocks, mark, &job);
        for (int b = 0; b < BLOCKS; b++) {
            ck_assert_int_eq(atomic_load(&job.runs[b]), b < blocks);
            if (b < blocks)
                ck_assert_int_eq(job.written[b], round);
        }
    }
    ck_assert_int_eq(atomic_load(&job.outside), 0);
    threads_free(pool);
}
END_TEST

/* Workers that have gone to sleep wake for the next job. */
START_TEST(threads_wake_from_sleep)
{
    Error e = {0};
    Threads *pool;
    ck_assert_msg(threads_new(&pool, 3, &e) == HONE_OK, "%s", e.text);
    Job job = {.workers = 3};
    for (job.round = 1; job.round <= 5; job.round++) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        threads_run(pool, BLOCKS, mark, &job);
    }
    for (int b = 0; b < BLOCKS; b++)
        ck_assert_int_eq(atomic_load(&job.runs[b]), 5);
    threads_free(pool);
}
END_TEST

START_TEST(threads_without_a_pool)
{
    Job job = {.workers = 1, .round = 7};
    ck_assert_int_eq(threads_count(NULL), 1);
    threads_run(NULL, BLOCKS, mark, &job);
    for (int b = 0; b < BLOCKS; b++)
        ck_assert_int_eq(job.written[b], 7);
    threads_free(NULL);
}
END_TEST

START_TEST(threads_bad_counts)
{
    static const int bad[] = {-1, THREADS_MAX + 1};
    for (int i = 0; i < 2; i++) {
        Error e = {0};
        Threads *pool;
        ck_assert_int_eq(threads_new(&pool, bad[i], &e), HONE_ERR_CONFIG);
        ck_assert_ptr_null(pool);
        char text[64];
        snprintf(text, sizeof text, "threads: %d is outside 0..%d", bad[i], THREADS_MAX);
        ck_assert_str_eq(e.text, text);
    }
    Error e = {0};
    Threads *pool;
    ck_assert_int_eq(threads_new(&pool, 0, &e), HONE_OK);
    ck_assert_int_ge(threads_count(pool), 1);
    threads_free(pool);
}
END_TEST

/* ---- arena ---------------------------------------------------------------------------------- */

/* Zeroed, aligned, not overlapping, at sizes below and above a block; usable after release. */
START_TEST(arena_allocations)
{
    enum { N = 300 };
    unsigned char *p[N];
    Arena a = {0};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < N; i++) {
            size_t bytes = i % 50 == 49 ? 100000 : i * 7 % 1000;
            p[i] = arena_alloc(&a, bytes);
            ck_assert_ptr_nonnull(p[i]);
            ck_assert_uint_eq((uintptr_t)p[i] % 16, 0);
            for (size_t b = 0; b < bytes; b++)
                ck_assert(p[i][b] == 0);
            memset(p[i], (int)i % 255 + 1, bytes);
        }
        for (size_t i = 0; i < N; i++) {
            size_t bytes = i % 50 == 49 ? 100000 : i * 7 % 1000;
            for (size_t b = 0; b < bytes; b++)
                ck_assert(p[i][b] == i % 255 + 1);
        }
        arena_release(&a);
    }
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX - 4));
    arena_release(&a);
}
END_TEST

START_TEST(arena_texts)
{
    Arena a = {0};
    char source[] = "stem";
    char *copy = arena_text(&a, source);
    char *made = arena_printf(&a, "%s/%d.%s", source, 12, "weight");
    source[0] = 'x';
    ck_assert_str_eq(copy, "stem");
    ck_assert_str_eq(made, "stem/12.weight");
    ck_assert_str_eq(arena_text(&a, ""), "");
    arena_release(&a);
}
END_TEST

/* ---- files ---------------------------------------------------------------------------------- */

static char folder[] = "/tmp/hone-core-XXXXXX";

static void enter_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave_folder(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

static int files_here(void)
{
    int count = -2; /* "." and ".." */
    DIR *dir = opendir(".");
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* A name without a folder, one with; new and replaced; beside what a crash has left. */
START_TEST(file_round_trip)
{
    Error e = {0};
    char left[64], path[64];
    unsigned char *got;
    size_t count;
    snprintf(left, sizeof left, "data.tmp-%ld-0", (long)getpid());
    snprintf(path, sizeof path, "%s/data", folder);
    ck_assert_msg(file_write_atomic(left, "x", 1, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(file_write_atomic("data", "hello", 5, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(file_write_atomic(path, "a\0b", 3, &e) == HONE_OK, "%s", e.text);
    ck_assert_msg(file_read("data", 3, &got, &count, &e) == HONE_OK, "%s", e.text);
    ck_assert_uint_eq(count, 3);
    ck_assert_mem_eq(got, "a\0b", 3);
    free(got);
    ck_assert_int_eq(files_here(), 2);
    ck_assert_int_eq(unlink(left), 0);
    ck_assert_int_eq(unlink("data"), 0);
}
END_TEST

START_TEST(file_errors)
{
    Error e = {0};
    unsigned char *got;
    size_t count;
    ck_assert_int_eq(file_read("none", 10, &got, &count, &e), HONE_ERR_IO);
    ck_assert_ptr_null(got);
    ck_assert_ptr_nonnull(strstr(e.text, "No such file or directory"));
    e = (Error){0};
    ck_assert_int_eq(file_read(".", 10, &got, &count, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, "'.' is not a regular file");
    e = (Error){0};
    ck_assert_int_eq(file_write_atomic("none/data", "x", 1, &e), HONE_ERR_IO);
    ck_assert_str_eq(e.text, "cannot create a file beside 'none/data': No such file or directory");
    e = (Error){0};
    ck_assert_int_eq(file_write_atomic(folder, "x", 1, &e), HONE_ERR_IO);
    e = (Error){0};
    ck_assert_msg(file_write_atomic("long", "12345", 5, &e) == HONE_OK, "%s", e.text);
    ck_assert_int_eq(file_read("long", 4, &got, &count, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, "'long' has 5 bytes; at most 4 are read");
    ck_assert_ptr_null(got);
    ck_assert_int_eq(unlink("long"), 0);
    ck_assert_int_eq(files_here(), 0);
}
END_TEST

/* A disk that takes no more, names that all exist, a file with less in it than its size. */
START_TEST(file_damage)
{
    static const char *const short_file = "/sys/devices/system/cpu/online"; /* says 4096 bytes */
    Error e = {0};
    unsigned char *got;
    size_t count;
    char name[64];
    struct rlimit was, little;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
    little = (struct rlimit){4, was.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
    ck_assert_int_eq(file_write_atomic("data", "hello", 5, &e), HONE_ERR_IO);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
    ck_assert_str_eq(e.text, "cannot write 'data': File too large");
    ck_assert_int_eq(files_here(), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "data.tmp-%ld-%d", (long)getpid(), i);
        FILE *f = fopen(name, "w");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(fclose(f), 0);
    }
    e = (Error){0};
    ck_assert_int_eq(file_write_atomic("data", "hello", 5, &e), HONE_ERR_IO);
    ck_assert_str_eq(e.text, "cannot create a file beside 'data': File exists");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "data.tmp-%ld-%d", (long)getpid(), i);
        ck_assert_int_eq(unlink(name), 0);
    }
    e = (Error){0};
    if (access(short_file, R_OK) == 0) {
        ck_assert_int_eq(file_read(short_file, 10000, &got, &count, &e), HONE_ERR_IO);
        ck_assert_str_eq(e.text,
                         "cannot read '/sys/devices/system/cpu/online': Input/output error");
        ck_assert_ptr_null(got);
    }
}
END_TEST

Suite *suite_core(void)
{
    Suite *s = suite_create("core");
    TCase *error = tcase_create("error");
    tcase_add_test(error, error_first_wins);
    tcase_add_test(error, error_context_and_cause);
    tcase_add_test(error, error_null_is_allowed);
    tcase_add_test(error, error_long_text_is_cut);
    tcase_add_test(error, error_of_memory);
    suite_add_tcase(s, error);

    TCase *rng = tcase_create("rng");
    tcase_add_loop_test(rng, rng_published_vectors, 0, 3);
    tcase_add_test(rng, rng_places_are_independent);
    tcase_add_test(rng, rng_uniform_moments);
    tcase_add_test(rng, rng_normal_moments);
    tcase_add_test(rng, rng_below_is_uniform);
    tcase_add_loop_test(rng, rng_permutation_is_one, 0, 5);
    suite_add_tcase(s, rng);

    TCase *threads = tcase_create("threads");
    tcase_add_loop_test(threads, threads_every_block_once, 0, 4);
    tcase_add_test(threads, threads_wake_from_sleep);
    tcase_add_test(threads, threads_without_a_pool);
    tcase_add_test(threads, threads_bad_counts);
    suite_add_tcase(s, threads);

    TCase *arena = tcase_create("arena");
    tcase_add_test(arena, arena_allocations);
    tcase_add_test(arena, arena_texts);
    suite_add_tcase(s, arena);

    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, enter_folder, leave_folder);
    tcase_add_test(files, file_round_trip);
    tcase_add_test(files, file_errors);
    tcase_add_test(files, file_damage);
    suite_add_tcase(s, files);
    return s;
}
