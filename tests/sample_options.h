/* A table with every type of option, for the tests of options, binding and schemas.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TESTS_SAMPLE_OPTIONS_H
#define HONE_TESTS_SAMPLE_OPTIONS_H

#include "core/option.h"

typedef enum SampleRule { SAMPLE_SGD, SAMPLE_ADAMW } SampleRule;

typedef struct SampleOptimizer {
    SampleRule kind;
    double lr, momentum, beta2;
    bool nesterov;
} SampleOptimizer;

typedef struct SampleLayer {
    int op;
    OptionInts kernel;
    int64_t units;
    const char *name;
} SampleLayer;

typedef struct SampleDistill {
    bool present;
    const char *teacher;
    double temperature;
} SampleDistill;

typedef struct SampleTrain {
    int64_t epochs, begin, end;
    SampleOptimizer optimizer;
} SampleTrain;

typedef struct Sample {
    const char *name;
    const char *baseline;
    int64_t seed;
    double ratio;
    bool verbose;
    int mode;
    OptionInts input;
    OptionReals marks;
    OptionTexts formats, tags;
    SampleTrain train;
    SampleDistill distill;
    OptionList layers;
} Sample;

extern const OptionTable sample_options;

#endif
