/* Geometry of sliding windows: see window.h. Padding SAME is TensorFlow's:
 * total = max((out - 1) * stride + span - in, 0), of which the smaller half comes before.
 * SPDX-License-Identifier: Apache-2.0 */
#include "layers/window.h"

#include "runtime/program.h"

#include <assert.h>

/* floor(a / b), b > 0. */
static int floor_div(int a, int b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static int gcd(int a, int b)
{
    while (b != 0) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int check_sizes(const Axis *a, const char *op, const char *name, Error *e)
{
    const int window = HONE_RT_MAX_WINDOW; /* what the integer program can hold */
    if (a->in < 1 || a->in > HONE_RT_MAX_DIM)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': input size %d is outside 1..%d", op, name,
                         a->in, HONE_RT_MAX_DIM);
    if (a->kernel < 1 || a->kernel > window)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': kernel %d is outside 1..%d", op, name,
                         a->kernel, window);
    if (a->stride < 1 || a->stride > window)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': stride %d is outside 1..%d", op, name,
                         a->stride, window);
    if (a->dilation < 1 || a->dilation > window)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': dilation %d is outside 1..%d", op, name,
                         a->dilation, window);
    if (window_span(a) > HONE_RT_MAX_SPAN)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': kernel %d of dilation %d spans more than %d",
                         op, name, a->kernel, a->dilation, HONE_RT_MAX_SPAN);
    return HONE_OK;
}

int window_axis(Axis *a, Padding padding, const char *op, const char *name, Error *e)
{
    int status = check_sizes(a, op, name, e);
    if (status != HONE_OK)
        return status;
    const int span = window_span(a);
    if (padding == PADDING_SAME) {
        a->out = (a->in + a->stride - 1) / a->stride;
        int total = (a->out - 1) * a->stride + span - a->in;
        total = total > 0 ? total : 0;
        a->before = total / 2;
        a->after = total - total / 2;
        return HONE_OK;
    }
    if (padding == PADDING_VALID)
        a->before = a->after = 0;
    if (a->before < 0 || a->after < 0 || a->before >= span || a->after >= span)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': padding %d, %d is outside 0..%d", op, name,
                         a->before, a->after, span - 1);
    const int padded = a->in + a->before + a->after;
    if (span > padded)
        return error_set(e, HONE_ERR_SHAPE, "%s '%s': kernel %d > input %d", op, name, span,
                         padded);
    a->out = (padded - span) / a->stride + 1;
    return HONE_OK;
}

Taps window_at_output(const Axis *a, int o)
{
    const int start = o * a->stride - a->before;
    int first = start >= 0 ? 0 : (-start + a->dilation - 1) / a->dilation;
    int end = start >= a->in ? 0 : (a->in - start + a->dilation - 1) / a->dilation;
    end = end < a->kernel ? end : a->kernel;
    return (Taps){.first = first,
                  .step = 1,
                  .count = end > first ? end - first : 0,
                  .at = start + first * a->dilation,
                  .move = a->dilation};
}

/* Tap t reaches output (i + before - t * dilation) / stride where that is integral: for every
 * step-th tap, step = stride / gcd(stride, dilation), and then the output recedes by
 * dilation / gcd. */
Taps window_at_input(const Axis *a, int i)
{
    const int common = gcd(a->stride, a->dilation);
    const int step = a->stride / common, move = a->dilation / common;
    const int origin = i + a->before;
    Taps taps = {.step = step, .move = -move};
    int first = 0;
    assert(step > 0 && move > 0);
    while (first < step && (origin - first * a->dilation) % a->stride != 0)
        first++;
    if (first == step)
        return taps; /* the stride skips this input */
    int at = floor_div(origin - first * a->dilation, a->stride);
    int late = at < a->out ? 0 : (at - a->out + move) / move; /* taps past the last output */
    first += late * step;
    at -= late * move;
    if (at < 0 || first >= a->kernel)
        return taps;
    int count = (a->kernel - 1 - first) / step + 1;
    taps.count = count < at / move + 1 ? count : at / move + 1;
    taps.first = first;
    taps.at = at;
    return taps;
}
