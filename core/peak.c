/* Measuring ceilings: see peak.h. Each thread runs the same number of rounds, about a millisecond's
 * worth; the slowest thread ends a measurement. SPDX-License-Identifier: Apache-2.0 */
#include "core/peak.h"

#include "core/clock.h"
#include "runtime/kernels.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_MIN = 5, SAMPLES_MAX = 4096 };

/* Long enough that threads begin and end together but for little, short enough that some samples are
 * not disturbed. */
static const double SAMPLE_SECONDS = 1e-3;

/* ---- measuring ---- */

typedef struct Job {
    const PeakLoop *loop; /* arithmetic */
    long rounds;
    MemoryLoop memory; /* memory and products */
    size_t count;      /* of a thread's part */
    float *a, *b, *c;
    GemmFn gemm;
    int n;
    float sinks[THREADS_MAX];
} Job;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One run of fn by every thread. The pool lets a thread that is late leave its block to another, so
 * the blocks wait for each other first: then each has a thread of its own. */
typedef struct Sample {
    ThreadsFn fn;
    Job *job;
    int workers;
    _Atomic int arrived;
    double begin[THREADS_MAX], end[THREADS_MAX];
} Sample;

static void sample_block(void *context, int block, int worker)
{
    Sample *s = context;
    atomic_fetch_add(&s->arrived, 1);
    while (atomic_load(&s->arrived) < s->workers)
        sched_yield();
    s->begin[block] = clock_seconds();
    s->fn(s->job, block, worker);
    s->end[block] = clock_seconds();
}

/* Seconds from the first thread's begin to the last one's end. */
static double sample(const Peaks *p, Sample *s)
{
    s->workers = threads_count(p->threads);
    atomic_store(&s->arrived, 0);
    threads_run(p->threads, s->workers, sample_block, s);
    double begin = s->begin[0], end = s->end[0];
    for (int i = 1; i < s->workers; i++) {
        begin = s->begin[i] < begin ? s->begin[i] : begin;
        end = s->end[i] > end ? s->end[i] : end;
    }
    return end - begin;
}

/* work: operations or bytes of one run of fn by all threads. */
static Rate measure(const Peaks *p, ThreadsFn fn, Job *job, double work, double seconds)
{
    static double rates[SAMPLES_MAX];
    static Sample s;
    int n = 0;
    s.fn = fn;
    s.job = job;
    sample(p, &s);
    for (double begin = clock_seconds();
         n < SAMPLES_MAX && (n < SAMPLES_MIN || clock_seconds() - begin < seconds); n++)
        rates[n] = 1e-9 * work / sample(p, &s);
    qsort(rates, (size_t)n, sizeof rates[0], compare);
    return (Rate){.best = rates[n - 1], .median = rates[n / 2]};
}

int peaks_open(Peaks *p, int threads, Error *e)
{
    *p = (Peaks){0};
    blas_open(&p->blas, false);
    return threads_new(&p->threads, threads, e);
}

void peaks_close(Peaks *p)
{
    threads_free(p->threads);
    *p = (Peaks){0};
}

/* ---- arithmetic ---- */

static bool runs_here(const PeakLoop *loop)
{
#if defined(__x86_64__)
    if (loop->bf16 && !__builtin_cpu_supports("avx512bf16"))
        return false;
#endif
    return hone_rt_kernels_for_host(loop->level) != NULL;
}

int peaks_loops(const PeakLoop **out, int room)
{
    static const PeakLoop *const levels[] = {peak_loops_avx2, peak_loops_avx512};
    int n = 0;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        for (const PeakLoop *loop = levels[i]; loop->name; loop++)
            if (runs_here(loop) && n < room)
                out[n++] = loop;
    return n;
}

static const PeakLoop *loop_among(const PeakLoop *loops, Arithmetic arithmetic)
{
    for (; loops->name; loops++)
        if (loops->arithmetic == arithmetic && runs_here(loops))
            return loops; /* the widest comes first */
    return NULL;
}

const PeakLoop *peaks_loop_of(const char *level, Arithmetic arithmetic)
{
    static const Arithmetic instead[ARITHMETIC_KINDS] = {[ARITHMETIC_FLOAT] = ARITHMETIC_FLOAT,
                                                         [ARITHMETIC_INT8] = ARITHMETIC_INT16,
                                                         [ARITHMETIC_INT16] = ARITHMETIC_INT8,
                                                         [ARITHMETIC_BF16] = ARITHMETIC_FLOAT};
    const PeakLoop *loops = strcmp(level, "avx512") == 0 ? peak_loops_avx512
                            : strcmp(level, "avx2") == 0 ? peak_loops_avx2
                                                         : NULL;
    if (!loops)
        return NULL;
    const PeakLoop *loop = loop_among(loops, arithmetic);
    return loop ? loop : loop_among(loops, instead[arithmetic]);
}

static void arithmetic_block(void *context, int block, int worker)
{
    Job *job = context;
    (void)worker;
    job->loop->run(job->rounds, &job->sinks[block]);
}

Rate peaks_arithmetic(const Peaks *p, const PeakLoop *loop, double seconds)
{
    Job job = {.loop = loop, .rounds = 1024};
    double took = 0;
    while (took < SAMPLE_SECONDS) {
        job.rounds *= 2;
        double begin = clock_seconds();
        loop->run(job.rounds, &job.sinks[0]);
        took = clock_seconds() - begin;
    }
    double work = loop->operations * (double)job.rounds * threads_count(p->threads);
    return measure(p, arithmetic_block, &job, work, seconds);
}

/* ---- memory ---- */

static float sum_of(const float *a, size_t n)
{
    enum { SUMS = 32 }; /* independent, so that reading is all that takes time */
    float sum[SUMS] = {0}, total = 0;
    for (size_t i = 0; i + SUMS <= n; i += SUMS)
        for (int k = 0; k < SUMS; k++)
            sum[k] += a[i + (size_t)k];
    for (int k = 0; k < SUMS; k++)
        total += sum[k];
    return total;
}

static void memory_block(void *context, int block, int worker)
{
    Job *job = context;
    (void)worker;
    size_t first = (size_t)block * job->count;
    float *restrict a = job->a + first;
    const float *restrict b = job->b + first, *restrict c = job->c + first;
    switch (job->memory) {
    case MEMORY_READ:
        job->sinks[block] += sum_of(a, job->count);
        break;
    case MEMORY_COPY:
        memcpy(a, b, job->count * sizeof *a);
        break;
    case MEMORY_TRIAD:
        for (size_t i = 0; i < job->count; i++)
            a[i] = b[i] + 3 * c[i];
        break;
    }
}

/* Three arrays in one block, every page touched. NULL: out of memory. */
static float *arrays_new(size_t count)
{
    float *all = aligned_alloc(64, 3 * count * sizeof *all);
    for (size_t i = 0; all && i < 3 * count; i++)
        all[i] = 1e-3f * (float)(i & 1023);
    return all;
}

int peaks_memory(const Peaks *p, MemoryLoop loop, size_t bytes, double seconds, Rate *rate,
                 Error *e)
{
    static const double moved[] = {[MEMORY_READ] = 4, [MEMORY_COPY] = 8, [MEMORY_TRIAD] = 12};
    size_t workers = (size_t)threads_count(p->threads);
    Job job = {.memory = loop, .count = (bytes / sizeof(float) / workers + 15) / 16 * 16};
    size_t count = job.count * workers;
    job.a = arrays_new(count);
    if (!job.a)
        return error_memory(e, "the arrays to measure memory with", 3 * count * sizeof(float));
    job.b = job.a + count;
    job.c = job.b + count;
    *rate = measure(p, memory_block, &job, moved[loop] * (double)count, seconds);
    free(job.a);
    return HONE_OK;
}

/* ---- products ---- */

static void gemm_block(void *context, int block, int worker)
{
    Job *job = context;
    (void)worker;
    size_t first = (size_t)block * job->count;
    const Real *a = (const Real *)(void *)job->a + first, *b = (const Real *)(void *)job->b + first;
    Real *c = (Real *)(void *)job->c + first;
    job->gemm(NO_TRANSPOSE, NO_TRANSPOSE, job->n, job->n, job->n, 1, a, job->n, b, job->n, 0, c,
              job->n);
}

int peaks_gemm(const Peaks *p, int n, double seconds, Rate *rate, Error *e)
{
    int workers = threads_count(p->threads);
    Job job = {.gemm = p->blas.gemm, .n = n, .count = (size_t)n * (size_t)n};
    size_t count = job.count * (size_t)workers * (sizeof(Real) / sizeof(float));
    count = (count + 15) / 16 * 16;
    job.a = arrays_new(count);
    if (!job.a)
        return error_memory(e, "the matrices to measure products with", 3 * count * sizeof(float));
    job.b = job.a + count;
    job.c = job.b + count;
    *rate = measure(p, gemm_block, &job, 2.0 * n * n * n * workers, seconds);
    free(job.a);
    return HONE_OK;
}

/* ---- ceilings ---- */

const char *arithmetic_name(Arithmetic arithmetic)
{
    static const char *const names[ARITHMETIC_KINDS] = {[ARITHMETIC_FLOAT] = "float",
                                                        [ARITHMETIC_INT8] = "int8",
                                                        [ARITHMETIC_INT16] = "int16",
                                                        [ARITHMETIC_BF16] = "bf16"};
    return names[arithmetic];
}

int ceilings_measure(Ceilings *c, const char *level, int threads, Error *e)
{
    static const double seconds = 0.07;
    static const size_t array_bytes = (size_t)64 << 20;
    Peaks p;
    *c = (Ceilings){0};
    int status = peaks_open(&p, threads, e);
    if (status != HONE_OK)
        return status;
    for (int a = 0; a < ARITHMETIC_KINDS; a++) {
        const PeakLoop *loop = peaks_loop_of(level, (Arithmetic)a);
        c->gops[a] = loop ? peaks_arithmetic(&p, loop, seconds).best : 0;
    }
    for (int m = MEMORY_READ; m <= MEMORY_TRIAD && status == HONE_OK; m++) {
        Rate rate = {0};
        status = peaks_memory(&p, (MemoryLoop)m, array_bytes, seconds, &rate, e);
        c->gbytes = rate.best > c->gbytes ? rate.best : c->gbytes;
    }
    peaks_close(&p);
    return status;
}
