/* Stochastic gradient descent with momentum:
 *
 *     h = g + wd w             (wd for weights only)
 *     v = momentum v + h
 *     w = w - lr v             or, Nesterov:  w - lr (h + momentum v)
 *
 * The learning rate stays outside the velocity, so that a changing rate acts at once. Formula as in
 * PyTorch's torch.optim.SGD without dampening; Nesterov's form from Sutskever et al., "On the
 * importance of initialization and momentum", ICML 2013, sec. 2.
 * SPDX-License-Identifier: Apache-2.0 */
#include "optim/rule.h"

typedef struct Coefficients {
    Real lr, momentum, decay;
    Real ahead; /* of v in the step; the rest is h's: 1 and 0, or Nesterov's momentum and 1 */
    Real fresh;
} Coefficients;

static void update_all(size_t n, Real *restrict w, const Real *restrict g, Real *restrict v,
                       Coefficients c)
{
    for (size_t i = 0; i < n; i++) {
        Real h = g[i] + c.decay * w[i];
        v[i] = c.momentum * v[i] + h;
        w[i] -= c.lr * (c.fresh * h + c.ahead * v[i]);
    }
}

static void update_masked(size_t n, Real *restrict w, Real *restrict g, Real *restrict v,
                          const uint8_t *restrict mask, Coefficients c)
{
    for (size_t i = 0; i < n; i++) {
        Real h = g[i] + c.decay * w[i];
        Real velocity = c.momentum * v[i] + h;
        Real weight = w[i] - c.lr * (c.fresh * h + c.ahead * velocity);
        g[i] = optimizer_keep(g[i], mask[i]);
        v[i] = optimizer_keep(velocity, mask[i]);
        w[i] = optimizer_keep(weight, mask[i]);
    }
}

static void update(const OptimizerOptions *o, const OptimizerSpan *s)
{
    Coefficients c = {
        .lr = s->lr,
        .momentum = (Real)o->momentum,
        .decay = s->decay ? (Real)o->weight_decay : 0,
        .ahead = o->nesterov ? (Real)o->momentum : 1,
        .fresh = o->nesterov ? 1 : 0,
    };
    if (s->mask)
        update_masked(s->count, s->value, s->grad, s->state[0], s->mask, c);
    else
        update_all(s->count, s->value, s->grad, s->state[0], c);
}

static const char *const *states(const OptimizerOptions *o)
{
    static const char *const names[] = {"velocity", NULL};
    (void)o;
    return names;
}

static int check(const OptimizerOptions *o, Error *e)
{
    if (o->nesterov && o->momentum == 0)
        return error_set(e, HONE_ERR_CONFIG, "nesterov needs a momentum above 0");
    return HONE_OK;
}

const OptimizerRule optimizer_sgd = {
    .variant =
        {
            .choice = "sgd",
            .help = "stochastic gradient descent with momentum",
            .options =
                (const Option[]){
                    OPTION_REAL("lr", OptimizerOptions, lr, "", 0, 1000, "0.1",
                                "learning rate at its peak"),
                    OPTION_REAL_OPEN("momentum", OptimizerOptions, momentum, "", 0, 1,
                                     OPTION_OPEN_MAX, "0.9", "share of the velocity kept per step"),
                    OPTION_BOOL("nesterov", OptimizerOptions, nesterov, "false",
                                "take the gradient one velocity step ahead"),
                    OPTION_REAL("weight_decay", OptimizerOptions, weight_decay, "", 0, 1, "0",
                                "decay of weights; biases, gamma and beta never decay"),
                    OPTION_END,
                },
        },
    .states = states,
    .check = check,
    .update = update,
};
