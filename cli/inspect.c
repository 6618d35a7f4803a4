/* hone inspect: what a configuration, a checkpoint or an artifact consists of.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspect.h"

#include "cli/inputs.h"

static int run(const void *arguments, Error *e)
{
    const InspectArguments *a = arguments;
    InputKind kind;
    int status = input_kind(&kind, a->file, INPUT_CONFIG | INPUT_CHECKPOINT | INPUT_ARTIFACT, e);
    if (status != HONE_OK)
        return status;
    if (kind == INPUT_ARTIFACT)
        return inspect_artifact(a, e);
    return kind == INPUT_CHECKPOINT ? inspect_checkpoint(a, e) : inspect_config(a, e);
}

const Verb verb_inspect = {
    .name = "inspect",
    .summary = "layers, sizes and costs of a configuration, checkpoint or artifact",
    .example = "hone inspect configs/mobilenet_qat.yaml --set model.width=0.5\n"
               "hone inspect runs/mobilenet_qat/model.hone --quant",
    .flags = (const Flag[]){OPERAND("FILE", InspectArguments, file,
                                    "configuration (YAML), checkpoint (.h5) or artifact (.hone)"),
                            FLAG_SETS(InspectArguments, sets),
                            FLAG_SWITCH("--quant", InspectArguments, quant,
                                        "scales, zero points and clamps of each layer too"),
                            FLAG_JSON(InspectArguments, json), FLAG_END},
    .size = sizeof(InspectArguments),
    .run = run,
};
