/* Runs an artifact: the runtime alone, which is all that a device needs.
 *
 *     cc run.c $(pkg-config --cflags --libs --static hone) -o run && ./run model.hone <image.raw
 *
 * Standard input is one image as bytes, [height][width][channels]; without enough of them the rest is
 * gray. Prints the code of each output and which is the largest. On a microcontroller the model lies
 * in flash, the arena is a static array, and this is all there is to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <hone/runtime.h>

#include <stdio.h>
#include <stdlib.h>

/* A whole file in malloc's memory, which is aligned well enough; NULL on failure. */
static void *read_file(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    void *data = NULL;
    if (f && fseek(f, 0, SEEK_END) == 0) {
        const long length = ftell(f);
        rewind(f);
        data = length > 0 ? malloc((size_t)length) : NULL;
        *bytes = data ? fread(data, 1, (size_t)length, f) : 0;
    }
    if (f)
        fclose(f);
    return data;
}

static int classify(HoneRtModel *model)
{
    const HoneRtTensor *in = hone_rt_input(model), *out = hone_rt_output(model);
    const size_t arena_bytes = hone_rt_arena_bytes(model);
    void *arena = malloc(arena_bytes);
    HoneRtStatus status = arena ? hone_rt_prepare(model, arena, arena_bytes) : HONE_RT_ERR_ARENA;
    if (status == HONE_RT_OK) {
        int8_t *codes = hone_rt_input_codes(model);
        for (uint32_t i = 0; i < hone_rt_elements(in); i++) {
            const int pixel = getchar();
            codes[i] = (int8_t)((pixel == EOF ? 128 : pixel) - 128);
        }
        status = hone_rt_run(model, NULL, NULL);
    }
    if (status == HONE_RT_OK) {
        const int8_t *codes = hone_rt_output_codes(model);
        for (uint32_t i = 0; i < hone_rt_elements(out); i++)
            printf("%d ", codes[i]);
        printf("\nclass %u\n", (unsigned)hone_rt_argmax(codes, hone_rt_elements(out)));
    } else {
        fprintf(stderr, "run: %s\n", hone_rt_status_text(status));
    }
    free(arena);
    return status != HONE_RT_OK;
}

int main(int argc, char **argv)
{
    HoneRtModel model;
    size_t bytes = 0;
    void *blob = argc == 2 ? read_file(argv[1], &bytes) : NULL;
    if (!blob) {
        fprintf(stderr, "usage: run MODEL.hone <image.raw\n");
        return 2;
    }
    const HoneRtStatus status = hone_rt_open(&model, blob, bytes, hone_rt_kernels_for_host(NULL));
    if (status != HONE_RT_OK)
        fprintf(stderr, "run: %s: %s\n", argv[1], hone_rt_status_text(status));
    const int failed = status != HONE_RT_OK || classify(&model);
    free(blob);
    return failed;
}
