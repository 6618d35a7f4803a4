/* Shapes as text. SPDX-License-Identifier: Apache-2.0 */
#include "core/shape.h"

#include <stdio.h>

const char *shape_text(Shape s, char *buffer)
{
    int used = snprintf(buffer, SHAPE_TEXT_BYTES, "[");
    for (int i = 0; i < s.rank; i++)
        used += snprintf(buffer + used, (size_t)(SHAPE_TEXT_BYTES - used), "%s%d", i ? ", " : "",
                         s.dim[i]);
    snprintf(buffer + used, (size_t)(SHAPE_TEXT_BYTES - used), "]");
    return buffer;
}
