/* The cases of gradients, by what they are of. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_GRAD_CASES_H
#define HONE_TESTS_GRAD_CASES_H

#include "tests/gradcheck.h"

typedef struct GradCases {
    const GradCase *cases;
    int count;
} GradCases;

extern const GradCases grad_weighted, grad_plain, grad_losses, grad_quantized;

#endif
