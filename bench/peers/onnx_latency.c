/* Latency of ONNX Runtime through its C interface, one image at a time; prints one JSON line.
 *
 *     cc -O2 onnx_latency.c -o onnx_latency -ldl
 *     onnx_latency libonnxruntime.so MODEL.onnx IMAGES.f32 THREADS SECONDS CHANNELS HEIGHT WIDTH
 *
 * C and not Python, whose calls would cost more than a small network. Python's package brings the
 * library without its header, so the functions are taken from their table by number; the table only
 * ever grows at its end. Input and output tensors are made once and used by every run. Not part of
 * Hone: bench/peers_infer.py builds it. SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Places in OrtApi, version 1. */
enum {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    CREATE_SESSION = 7,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    SET_LOG_SEVERITY = 22,
    SET_OPTIMIZATION = 23,
    SET_INTRA_THREADS = 24,
    SET_INTER_THREADS = 25,
    CREATE_TENSOR = 49,
    CREATE_CPU_MEMORY_INFO = 69
};
enum { FLOAT_TENSOR = 1, ERRORS_ONLY = 3, ALL_OPTIMIZATIONS = 99, IMAGES = 8, RUNS_MAX = 1 << 20 };
enum { WARMUP = 20, RUNS_MIN = 50 };

typedef void *Pointer;
static Pointer *api;

static void check(Pointer status)
{
    if (status == NULL)
        return;
    fprintf(stderr, "%s\n", ((const char *(*)(Pointer))api[GET_ERROR_MESSAGE])(status));
    exit(1);
}

/* The types of the parameters in parentheses, then the arguments. */
#define CALL(place, types, ...) check(((Pointer(*) types)api[place])(__VA_ARGS__))

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest resident set of this program alone, not of the one it was forked from. */
static long peak_rss_bytes(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kib * 1024;
}

static Pointer open_session(const char *library, const char *model, int threads)
{
    Pointer env, options, session;
    Pointer handle = dlopen(library, RTLD_NOW);
    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    Pointer *base = ((Pointer * (*)(void)) dlsym(handle, "OrtGetApiBase"))();
    api = ((Pointer * (*)(uint32_t)) base[0])(1);
    CALL(CREATE_ENV, (int, const char *, Pointer *), ERRORS_ONLY, "latency", &env);
    CALL(CREATE_SESSION_OPTIONS, (Pointer *), &options);
    CALL(SET_LOG_SEVERITY, (Pointer, int), options, ERRORS_ONLY);
    CALL(SET_OPTIMIZATION, (Pointer, int), options, ALL_OPTIMIZATIONS);
    CALL(SET_INTRA_THREADS, (Pointer, int), options, threads);
    CALL(SET_INTER_THREADS, (Pointer, int), options, 1);
    CALL(CREATE_SESSION, (Pointer, const char *, Pointer, Pointer *), env, model, options, &session);
    return session;
}

/* Fills inputs with up to IMAGES tensors; returns how many. */
static int make_inputs(const char *path, const int64_t *shape, Pointer *inputs)
{
    const size_t n = (size_t)(shape[1] * shape[2] * shape[3]);
    float *images = malloc(IMAGES * n * sizeof *images);
    FILE *f = fopen(path, "rb");
    if (images == NULL || f == NULL) {
        perror(path);
        exit(1);
    }
    const int count = (int)(fread(images, n * sizeof *images, IMAGES, f));
    Pointer memory;
    fclose(f);
    CALL(CREATE_CPU_MEMORY_INFO, (int, int, Pointer *), 0, 0, &memory);
    for (int i = 0; i < count; i++)
        CALL(CREATE_TENSOR,
             (Pointer, void *, size_t, const int64_t *, size_t, int, Pointer *), memory,
             images + (size_t)i * n, n * sizeof *images, shape, 4, FLOAT_TENSOR, &inputs[i]);
    return count;
}

static void run(Pointer session, Pointer *input, Pointer *output)
{
    const char *x = "x", *y = "y";
    CALL(RUN,
         (Pointer, Pointer, const char **, Pointer *, size_t, const char **, size_t, Pointer *),
         session, NULL, &x, input, 1, &y, 1, output);
}

int main(int count, char **word)
{
    if (count != 9) {
        fputs("usage: onnx_latency LIBRARY MODEL IMAGES THREADS SECONDS CHANNELS HEIGHT WIDTH\n",
              stderr);
        return 2;
    }
    const int64_t shape[] = {1, atoi(word[6]), atoi(word[7]), atoi(word[8])};
    const double wanted_us = 1e6 * atof(word[5]);
    double *us = malloc(RUNS_MAX * sizeof *us);
    Pointer inputs[IMAGES], output = NULL;
    Pointer session = open_session(word[1], word[2], atoi(word[4]));
    const int images = make_inputs(word[3], shape, inputs);
    int n = 0;
    if (us == NULL || images == 0)
        return 1;
    const double warm = now_us();
    for (int i = 0; i < WARMUP || now_us() - warm < wanted_us / 4; i++)
        run(session, &inputs[i % images], &output);
    const double begin = now_us();
    for (; n < RUNS_MIN || (now_us() - begin < wanted_us && n < RUNS_MAX); n++) {
        const double start = now_us();
        run(session, &inputs[n % images], &output);
        us[n] = now_us() - start;
    }
    qsort(us, (size_t)n, sizeof *us, compare);
    printf("{\"latency_us\": %.2f, \"latency_us_p10\": %.2f, \"latency_us_p90\": %.2f, "
           "\"threads\": %d, \"runs\": %d, \"peak_rss_bytes\": %ld}\n",
           us[n / 2], us[n / 10], us[n - 1 - n / 10], atoi(word[4]), n, peak_rss_bytes());
    return 0;
}
