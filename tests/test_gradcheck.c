/* Gradients of every differentiable op, in double against central differences, straight-through ones
 * against their closed form; in every build the independence of the number of threads. A new op
 * needs a case (tests/grad_cases.h), or `every_op_has_a_case` fails. SPDX-License-Identifier: Apache-2.0 */
#include "distill/distill.h"
#include "layers/layers.h"
#include "qat/nodes.h"
#include "tests/grad_cases.h"
#include "tests/suites.h"

#include <check.h>

#define TOLERANCE 1e-6

static const GradCases *const lists[] = {&grad_weighted, &grad_plain, &grad_losses,
                                         &grad_quantized};
enum { LISTS = sizeof lists / sizeof lists[0] };

static int case_count(void)
{
    int count = 0;
    for (int i = 0; i < LISTS; i++)
        count += lists[i]->count;
    return count;
}

static const GradCase *case_at(int number)
{
    const GradCases *const *list = lists;
    while (number >= (*list)->count)
        number -= (*list++)->count;
    return &(*list)->cases[number];
}

static const Op *const ops[] = {
#define OP(op) &op,
#include "distill/ops.def"
#include "layers/ops.def"
#include "qat/ops.def"
#undef OP
};

/* Differences need double; a closed form does not. */
static bool exact(const GradCase *c)
{
    return sizeof(Real) == sizeof(double) || c->slope;
}

START_TEST(gradients)
{
    const GradCase *c = case_at(_i);
    if (!exact(c))
        return;
    GradResult worst = gradcheck(c);
    ck_assert_msg(worst.error <= TOLERANCE, "%s: error %g", worst.where, worst.error);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    gradcheck_threads(case_at(_i));
}
END_TEST

START_TEST(every_op_has_a_case)
{
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        bool found = !ops[i]->backward;
        for (int c = 0; c < case_count(); c++)
            found = found || case_at(c)->op == ops[i];
        ck_assert_msg(found, "op '%s' is differentiable and has no gradient case", ops[i]->name);
    }
}
END_TEST

Suite *suite_gradcheck(void)
{
    Suite *s = suite_create("gradcheck");
    TCase *t = tcase_create("gradcheck");
    tcase_add_loop_test(t, gradients, 0, case_count());
    tcase_add_loop_test(t, threads_do_not_matter, 0, case_count());
    tcase_add_test(t, every_op_has_a_case);
    suite_add_tcase(s, t);
    return s;
}
