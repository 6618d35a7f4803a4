/* Adam with decoupled weight decay, step t = 1, 2, ...:
 *
 *     w = w - lr wd w                                  (weights only)
 *     m = b1 m + (1 - b1) g
 *     v = b2 v + (1 - b2) g^2
 *     w = w - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)
 *
 * Kingma and Ba, "Adam", ICLR 2015, algorithm 1; Loshchilov and Hutter, "Decoupled weight decay
 * regularization", ICLR 2019, algorithm 2, with the decay times lr as in PyTorch's torch.optim.AdamW.
 * SPDX-License-Identifier: Apache-2.0 */
#include "optim/rule.h"

#include <math.h>

typedef struct Coefficients {
    Real shrink;     /* of the weight, by decay */
    Real b1, rest1;  /* of m and of the gradient */
    Real b2, rest2;  /* of v and of its square */
    Real rate, root; /* lr / (1 - b1^t), 1 / sqrt(1 - b2^t) */
    Real epsilon;
} Coefficients;

static void update_all(const OptimizerSpan *s, Coefficients c)
{
    Real *restrict w = s->value, *restrict m = s->state[0], *restrict v = s->state[1];
    const Real *restrict g = s->grad;
    for (size_t i = 0; i < s->count; i++) {
        m[i] = c.b1 * m[i] + c.rest1 * g[i];
        v[i] = c.b2 * v[i] + c.rest2 * g[i] * g[i];
        w[i] = c.shrink * w[i] - c.rate * m[i] / (optimizer_sqrt(v[i]) * c.root + c.epsilon);
    }
}

static void hold_pruned(const OptimizerSpan *s)
{
    const uint8_t *restrict mask = s->mask;
    Real *restrict w = s->value, *restrict m = s->state[0], *restrict v = s->state[1];
    Real *restrict g = s->grad;
    for (size_t i = 0; i < s->count; i++) {
        g[i] = optimizer_keep(g[i], mask[i]);
        m[i] = optimizer_keep(m[i], mask[i]);
        v[i] = optimizer_keep(v[i], mask[i]);
        w[i] = optimizer_keep(w[i], mask[i]);
    }
}

static void update(const OptimizerOptions *o, const OptimizerSpan *s)
{
    const double t = (double)s->step;
    Coefficients c = {
        .shrink = (Real)(s->decay ? 1 - (double)s->lr * o->weight_decay : 1),
        .b1 = (Real)o->beta1,
        .rest1 = (Real)(1 - o->beta1),
        .b2 = (Real)o->beta2,
        .rest2 = (Real)(1 - o->beta2),
        .rate = (Real)((double)s->lr / (1 - pow(o->beta1, t))),
        .root = (Real)(1 / sqrt(1 - pow(o->beta2, t))),
        .epsilon = (Real)o->epsilon,
    };
    update_all(s, c);
    if (s->mask)
        hold_pruned(s);
}

static const char *const *states(const OptimizerOptions *o)
{
    static const char *const names[] = {"mean", "square", NULL};
    (void)o;
    return names;
}

const OptimizerRule optimizer_adamw = {
    .variant =
        {
            .choice = "adamw",
            .help = "Adam with decoupled weight decay",
            .options =
                (const Option[]){
                    OPTION_REAL("lr", OptimizerOptions, lr, "", 0, 1000, "0.001",
                                "learning rate at its peak"),
                    OPTION_REAL_OPEN("beta1", OptimizerOptions, beta1, "", 0, 1, OPTION_OPEN_MAX,
                                     "0.9", "share of the gradients' mean kept per step"),
                    OPTION_REAL_OPEN("beta2", OptimizerOptions, beta2, "", 0, 1, OPTION_OPEN_MAX,
                                     "0.999", "share of the gradients' mean square kept per step"),
                    OPTION_REAL_OPEN("epsilon", OptimizerOptions, epsilon, "", 0, 1,
                                     OPTION_OPEN_MIN, "1.0e-8",
                                     "added to the root of the mean square"),
                    OPTION_REAL("weight_decay", OptimizerOptions, weight_decay, "", 0, 1, "0.01",
                                "decay of weights, times lr; biases, gamma and beta never decay"),
                    OPTION_END,
                },
        },
    .states = states,
    .update = update,
};
