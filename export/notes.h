/* What an artifact says to people, in optional sections beside its program: the names of the classes
 * (CLAS), what input codes mean (INPT) and what outputs say of the classes (OUTP). Running needs none
 * of them. docs/FORMAT.md has the bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_EXPORT_NOTES_H
#define HONE_EXPORT_NOTES_H

#include "core/error.h"
#include "core/text.h"
#include "export/write_hone.h"
#include "layers/loss.h"
#include "qat/nodes.h"

#define NOTES_TAG_CLASSES HONE_RT_TAG('C', 'L', 'A', 'S')
#define NOTES_TAG_INPUT   HONE_RT_TAG('I', 'N', 'P', 'T')
#define NOTES_TAG_OUTPUT  HONE_RT_TAG('O', 'U', 'T', 'P')

/* The section INPT: an input code stands for the real number scale * (code - zero_point). */
typedef struct NotesInput {
    float scale; /* > 0 */
    int32_t zero_point;
} NotesInput;

typedef struct Notes {
    const char *names; /* CLAS: [classes], one behind the other, each ended by a zero; or NULL */
    int classes;
    bool has_input; /* whether there is INPT; else input is that of images, IMAGE_SCALE and 0 */
    NotesInput input;
    LossOutput output; /* OUTP; plain without */
} Notes;

/* What there is to say. */
typedef struct NotesSource {
    const char *const *names; /* [classes] or NULL */
    int classes;
    NotesInput input;
    LossOutput output;
} NotesSource;

enum { NOTES_SECTIONS = 3 };

/* What notes_sections fills and write_hone_bytes reads; keep it until then. */
typedef struct NotesSections {
    Text names;
    NotesInput input;
    uint32_t output;
    WriteSection section[NOTES_SECTIONS];
} NotesSections;

/* The sections of an artifact; those that would say nothing are empty. Errors: ERR_MEMORY. The caller
 * releases, in any case. */
HONE_CHECKED int notes_sections(NotesSections *s, const NotesSource *source, Error *e);
void notes_release(NotesSections *s);

/* Reads the notes of an artifact that hone_rt_open accepted and that has so many classes (0: it is no
 * classifier); names point into it. Errors: ERR_DATA for sections that contradict it. */
HONE_CHECKED int notes_read(Notes *n, const void *artifact, int classes, Error *e);
/* The name of class k < classes, or "class 7" written into buffer where there are no names. */
const char *notes_class(const Notes *n, int k, char *buffer, size_t size);

#endif
