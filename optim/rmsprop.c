/* RMSprop, optionally centered and with momentum:
 *
 *     h = g + wd w                                (wd for weights only)
 *     s = a s + (1 - a) h^2
 *     m = a m + (1 - a) h                         centered; else m stays out
 *     d = h / (sqrt(max(s - m^2, 0)) + eps)
 *     v = momentum v + d,   w = w - lr v          without momentum v is d
 *
 * Tieleman and Hinton, Coursera lecture 6.5, 2012; centered: Graves, "Generating sequences with
 * recurrent neural networks", 2013, eq. 38-45. As PyTorch's torch.optim.RMSprop, where s - m^2 may
 * round below 0; the maximum keeps its root a number. SPDX-License-Identifier: Apache-2.0 */
#include "optim/rule.h"

typedef struct Coefficients {
    Real lr, decay, alpha, rest, epsilon, momentum;
} Coefficients;

/* m and v NULL: not centered, no momentum. */
static inline Real direction(Real h, Real s, Real m, Coefficients c)
{
    Real spread = s - m * m;
    return h / (optimizer_sqrt(spread > 0 ? spread : 0) + c.epsilon);
}

static void update_plain(const OptimizerSpan *p, Real *restrict mean, Real *restrict velocity,
                         Coefficients c)
{
    Real *restrict w = p->value, *restrict s = p->state[0];
    const Real *restrict g = p->grad;
    for (size_t i = 0; i < p->count; i++) {
        Real h = g[i] + c.decay * w[i], m = 0;
        s[i] = c.alpha * s[i] + c.rest * h * h;
        if (mean)
            m = mean[i] = c.alpha * mean[i] + c.rest * h;
        Real step = direction(h, s[i], m, c);
        if (velocity)
            step = velocity[i] = c.momentum * velocity[i] + step;
        w[i] -= c.lr * step;
    }
}

static void hold(Real *restrict x, const uint8_t *restrict mask, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = optimizer_keep(x[i], mask[i]);
}

static void update(const OptimizerOptions *o, const OptimizerSpan *p)
{
    Coefficients c = {
        .lr = p->lr,
        .decay = p->decay ? (Real)o->weight_decay : 0,
        .alpha = (Real)o->alpha,
        .rest = (Real)(1 - o->alpha),
        .epsilon = (Real)o->epsilon,
        .momentum = (Real)o->momentum,
    };
    Real *mean = o->centered ? p->state[1] : NULL;
    Real *velocity = o->momentum > 0 ? p->state[o->centered ? 2 : 1] : NULL;
    update_plain(p, mean, velocity, c);
    if (!p->mask)
        return;
    Real *held[] = {p->value, p->grad, p->state[0], mean, velocity};
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
        if (held[i])
            hold(held[i], p->mask, p->count);
}

static const char *const *states(const OptimizerOptions *o)
{
    static const char *const names[2][2][4] = {
        {{"square", NULL}, {"square", "velocity", NULL}},
        {{"square", "mean", NULL}, {"square", "mean", "velocity", NULL}},
    };
    return names[o->centered][o->momentum > 0];
}

const OptimizerRule optimizer_rmsprop = {
    .variant =
        {
            .choice = "rmsprop",
            .help = "gradients divided by the root of their mean square",
            .options =
                (const Option[]){
                    OPTION_REAL("lr", OptimizerOptions, lr, "", 0, 1000, "0.01",
                                "learning rate at its peak"),
                    OPTION_REAL_OPEN("alpha", OptimizerOptions, alpha, "", 0, 1, OPTION_OPEN_MAX,
                                     "0.99", "share of the mean square kept per step"),
                    OPTION_REAL_OPEN("epsilon", OptimizerOptions, epsilon, "", 0, 1,
                                     OPTION_OPEN_MIN, "1.0e-8",
                                     "added to the root of the mean square"),
                    OPTION_BOOL("centered", OptimizerOptions, centered, "false",
                                "divide by the gradients' deviation from their mean"),
                    OPTION_REAL_OPEN("momentum", OptimizerOptions, momentum, "", 0, 1,
                                     OPTION_OPEN_MAX, "0", "share of the velocity kept per step"),
                    OPTION_REAL("weight_decay", OptimizerOptions, weight_decay, "", 0, 1, "0",
                                "decay of weights; biases, gamma and beta never decay"),
                    OPTION_END,
                },
        },
    .states = states,
    .update = update,
};
