/* Training and evaluation through hone.h. SPDX-License-Identifier: Apache-2.0 */
#include "api/net.h"

#include "qat/integer.h"

#include <math.h>
#include <string.h>

#define LR_MAX 1e38 /* a Real holds it */

/* ---- steps ---- */

static int training_exec(HoneNet *net, Error *e)
{
    if (net->exec)
        return HONE_OK;
    const Mode mode = {.training = true, .quantize = net->quantized, .fuse = true};
    return api_compile(net, &net->exec, mode, net->options.batch, NULL, e);
}

static int check_labels(const HoneNet *net, const int32_t *labels, int count, Error *e)
{
    for (int i = 0; i < count; i++)
        if (labels[i] < 0 || labels[i] >= net->options.classes)
            return error_set(e, HONE_ERR_DATA, "label %d of image %d is not within 0..%d",
                             labels[i], i, net->options.classes - 1);
    return HONE_OK;
}

/* The flat block of gradients, and the loss. */
static int check_finite(const HoneNet *net, double loss, Error *e)
{
    if (isfinite(loss) && compute_finite(&net->compute, net->params.grad, net->graph.trained_count))
        return HONE_OK;
    return error_set(e, HONE_ERR_NUMERIC, "step %lld: the %s not finite; a lower lr may help",
                     (long long)net->steps + 1, isfinite(loss) ? "gradient is" : "loss is");
}

int hone_train_step(HoneNet *net, const uint8_t *pixels, const int32_t *labels, double lr,
                    double *loss, HoneError *error)
{
    Error *e = api_error(error);
    const int batch = net->options.batch;
    int status = api_ready(net, e);
    if (status == HONE_OK && !(lr >= 0 && lr <= LR_MAX))
        status =
            error_set(e, HONE_ERR_CONFIG, "hone_train_step: lr %g is not within 0..%g", lr, LR_MAX);
    if (status == HONE_OK)
        status = check_labels(net, labels, batch, e);
    if (status == HONE_OK)
        status = training_exec(net, e);
    if (status != HONE_OK)
        return status;
    api_fill(net, net->exec, pixels, batch);
    memcpy(exec_tensor(net->exec, net->labels)->data, labels, (size_t)batch * sizeof *labels);
    *exec_control(net->exec) = (Control){.freeze_batchnorm = net->frozen,
                                         .freeze_observers = net->frozen,
                                         .seed = net->options.seed,
                                         .step = (uint64_t)net->steps};
    exec_forward(net->exec);
    exec_backward(net->exec);
    const double value = (double)*(const Real *)exec_tensor(net->exec, net->loss)->data;
    status = check_finite(net, value, e);
    if (status != HONE_OK)
        return status;
    optimizer_step(net->optimizer, &net->params, NULL, ++net->steps, lr, net->compute.threads);
    exec_commit(net->exec);
    if (loss)
        *loss = value;
    return HONE_OK;
}

/* ---- quantization ---- */

int hone_quantize(HoneNet *net, const uint8_t *pixels, int count, HoneError *error)
{
    Error *e = api_error(error);
    const int batch = count < net->options.batch ? count : net->options.batch;
    Exec *x = NULL;
    int status = api_ready(net, e);
    if (status == HONE_OK && count < 1)
        status = error_set(e, HONE_ERR_CONFIG, "hone_quantize: there are no images");
    if (status == HONE_OK)
        status = api_compile(net, &x, (Mode){.observe = true}, batch, NULL, e);
    for (int i = 0; status == HONE_OK && i + batch <= count; i += batch) {
        api_fill(net, x, pixels + (size_t)i * api_pixels(net), batch);
        exec_forward(x);
        exec_commit(x);
    }
    exec_free(x);
    if (status != HONE_OK)
        return status;
    exec_free(net->exec); /* the next step compiles anew */
    net->exec = NULL;
    net->quantized = true;
    return HONE_OK;
}

void hone_freeze(HoneNet *net)
{
    net->frozen = true;
}

/* ---- evaluation ---- */

static int count_right(HoneNet *net, Exec *x, const uint8_t *pixels, const int32_t *labels,
                       int count)
{
    const Value *logits = net->quantized ? integer_source(net->logits) : net->logits;
    const int batch = net->options.batch;
    int right = 0;
    for (int first = 0; first < count; first += batch) {
        const int n = count - first < batch ? count - first : batch;
        api_fill(net, x, pixels + (size_t)first * api_pixels(net), n);
        exec_forward(x);
        for (int i = 0; i < n; i++)
            right += run_largest(exec_tensor(x, logits), i) == labels[first + i];
    }
    return right;
}

/* The graph's own loss is not read: no row counts for it. */
static void clear_labels(const HoneNet *net, const Exec *x)
{
    Tensor *t = exec_tensor(x, net->labels);
    for (int i = 0; t && i < net->options.batch; i++)
        ((int32_t *)t->data)[i] = -1;
}

int hone_evaluate(HoneNet *net, const uint8_t *pixels, const int32_t *labels, int count,
                  double *accuracy, HoneError *error)
{
    Error *e = api_error(error);
    IntegerPlan plan = {0};
    Exec *x = NULL;
    int status = api_ready(net, e);
    if (status == HONE_OK && count < 1)
        status = error_set(e, HONE_ERR_CONFIG, "hone_evaluate: there are no images");
    if (status == HONE_OK)
        status = check_labels(net, labels, count, e);
    if (status == HONE_OK && net->quantized)
        status = integer_plan_new(&plan, &net->graph, &net->params, &net->compute, HONE_RT_S24, e);
    if (status != HONE_OK)
        return status;
    status =
        api_compile(net, &x, (Mode){.integer = net->quantized}, net->options.batch, plan.layers, e);
    if (status == HONE_OK) {
        clear_labels(net, x);
        *accuracy = (double)count_right(net, x, pixels, labels, count) / (double)count;
    }
    exec_free(x);
    if (net->quantized)
        integer_plan_free(&plan);
    return status;
}
