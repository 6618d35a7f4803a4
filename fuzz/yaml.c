/* Fuzz target: configurations. Whatever is accepted, printed and read again is the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/target.h"

#include "trainer/config.h"

#include <stdlib.h>
#include <string.h>

static void check_round_trip(const Config *c)
{
    Config again;
    Error e = {0};
    Text text = {0};
    config_print(c, &text);
    if (config_parse(&again, text_string(&text), "printed", NULL, 0, &e) != HONE_OK ||
        config_same(c, &again, &e) != HONE_OK)
        abort();
    config_release(&again);
    text_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Config c;
    Error e = {0};
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    const int status = config_parse(&c, text, "fuzz.yaml", NULL, 0, &e);
    fuzz_expect(status, &e);
    if (status == HONE_OK) {
        check_round_trip(&c);
        config_release(&c);
    }
    free(text);
    return 0;
}
