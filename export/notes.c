/* Names of classes, meaning of inputs and outputs: see notes.h. SPDX-License-Identifier: Apache-2.0 */
#include "export/notes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/runtime.h"

static const NotesInput image_input = {IMAGE_SCALE, 0};

_Static_assert(sizeof(NotesInput) == 8, "the struct is the section");

int notes_sections(NotesSections *s, const NotesSource *source, Error *e)
{
    const NotesInput input = source->input;
    *s = (NotesSections){.input = input, .output = (uint32_t)source->output};
    for (int k = 0; source->names && k < source->classes; k++)
        text_add_bytes(&s->names, source->names[k], strlen(source->names[k]) + 1);
    if (text_failed(&s->names))
        return error_memory(e, "the names of the classes", s->names.room);
    bool image = !(input.scale < image_input.scale) && !(input.scale > image_input.scale) &&
                 input.zero_point == image_input.zero_point;
    s->section[0] = (WriteSection){NOTES_TAG_CLASSES, s->names.data, s->names.length};
    s->section[1] = (WriteSection){NOTES_TAG_INPUT, &s->input, image ? 0 : sizeof s->input};
    s->section[2] = (WriteSection){NOTES_TAG_OUTPUT, &s->output,
                                   source->output == LOSS_OUTPUT_PLAIN ? 0 : sizeof s->output};
    return HONE_OK;
}

void notes_release(NotesSections *s)
{
    text_release(&s->names);
}

static int read_names(Notes *n, const char *names, size_t bytes, Error *e)
{
    int count = 0;
    for (size_t i = 0; i < bytes; i++)
        count += names[i] == '\0';
    if (bytes == 0 || names[bytes - 1] != '\0')
        return error_set(e, HONE_ERR_DATA, "the artifact's section CLAS does not end in a zero");
    if (count != n->classes)
        return error_set(e, HONE_ERR_DATA, "the artifact's section CLAS names %d of %d classes",
                         count, n->classes);
    n->names = names;
    return HONE_OK;
}

static int read_input(Notes *n, const void *section, size_t bytes, Error *e)
{
    if (bytes != sizeof n->input)
        return error_set(e, HONE_ERR_DATA, "the artifact's section INPT has %zu bytes, not %zu",
                         bytes, sizeof n->input);
    memcpy(&n->input, section, sizeof n->input);
    if (!(n->input.scale > 0) || !isfinite(n->input.scale))
        return error_set(e, HONE_ERR_DATA, "the artifact's section INPT has a scale of %g",
                         (double)n->input.scale);
    n->has_input = true;
    return HONE_OK;
}

static int read_output(Notes *n, const void *section, size_t bytes, Error *e)
{
    uint32_t output;
    if (bytes != sizeof output)
        return error_set(e, HONE_ERR_DATA, "the artifact's section OUTP has %zu bytes, not %zu",
                         bytes, sizeof output);
    memcpy(&output, section, sizeof output);
    if (output != LOSS_OUTPUT_SOFTMAX && output != LOSS_OUTPUT_SIGMOID)
        return error_set(e, HONE_ERR_DATA,
                         "the artifact's section OUTP says %u, neither 1 (softmax) nor 2 (sigmoid)",
                         (unsigned)output);
    n->output = (LossOutput)output;
    return HONE_OK;
}

int notes_read(Notes *n, const void *artifact, int classes, Error *e)
{
    size_t bytes;
    int status = HONE_OK;
    *n = (Notes){.classes = classes, .input = image_input};
    const void *section = hone_rt_section(artifact, NOTES_TAG_CLASSES, &bytes);
    if (section)
        status = read_names(n, section, bytes, e);
    section = hone_rt_section(artifact, NOTES_TAG_INPUT, &bytes);
    if (section && status == HONE_OK)
        status = read_input(n, section, bytes, e);
    section = hone_rt_section(artifact, NOTES_TAG_OUTPUT, &bytes);
    if (section && status == HONE_OK)
        status = read_output(n, section, bytes, e);
    return status;
}

const char *notes_class(const Notes *n, int k, char *buffer, size_t size)
{
    const char *name = n->names;
    if (!name) {
        snprintf(buffer, size, "class %d", k);
        return buffer;
    }
    while (k-- > 0)
        name += strlen(name) + 1;
    return name;
}
