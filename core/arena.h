/* A growing arena: many small allocations, one owner, freed together.
 *
 *     Arena a = {0};
 *     Node *n = arena_alloc(&a, sizeof *n);   // zeroed, 16-byte aligned; NULL when out of memory
 *     arena_release(&a);
 *
 * Holds graphs, configurations and other things that are built once. Training steps never allocate.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_ARENA_H
#define HONE_CORE_ARENA_H

#include <stddef.h>

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena {
    ArenaBlock *blocks; /* newest first */
    size_t used;        /* bytes used of the newest block */
} Arena;

/* Zeroed bytes, aligned for any type; NULL when out of memory. */
void *arena_alloc(Arena *a, size_t bytes);
/* A copy of text, or printf into the arena; NULL when out of memory. */
char *arena_text(Arena *a, const char *text);
char *arena_printf(Arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Frees everything; the arena is empty and usable again. */
void arena_release(Arena *a);

#endif
