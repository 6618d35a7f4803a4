/* Overrides of a configuration's tree: "train.optimizer.lr=0.1", "layers.3.kernel=[5, 5]".
 *
 * Keys name the same tables as the file; a number is the element of a list that the file gives.
 * Sections on the way are made where the file has none: whether a key exists is the binder's to
 * say. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_TRAINER_OVERRIDE_H
#define HONE_TRAINER_OVERRIDE_H

#include "trainer/yaml.h"

/* Applies "KEY=VALUE", VALUE in YAML, to root, a mapping; new nodes belong to arena and are placed
 * at "--set KEY=VALUE". Sentences start with that. */
HONE_CHECKED int override_apply(YamlNode *root, const char *set, Arena *arena, Error *e);

/* The node at the dotted key, or the deepest one on the way to it. */
const YamlNode *override_find(const YamlNode *root, const char *key);

#endif
