/* Failing allocations: see allocations.h. SPDX-License-Identifier: Apache-2.0 */
#include "tests/allocations.h"

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *p);

static _Thread_local long countdown;
static _Thread_local bool failed;
static atomic_long alive; /* of all threads: blocks change hands */

static bool refused(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    failed = true;
    errno = ENOMEM;
    return true;
}

static void *counted(void *p)
{
    alive += p != NULL;
    return p;
}

void *malloc(size_t bytes)
{
    return refused() ? NULL : counted(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    return refused() ? NULL : counted(__libc_calloc(count, bytes));
}

void *realloc(void *p, size_t bytes)
{
    if (refused())
        return NULL;
    void *moved = __libc_realloc(p, bytes);
    if (!p)
        counted(moved);
    else if (bytes == 0)
        alive--;
    return moved;
}

void *aligned_alloc(size_t align, size_t bytes)
{
    return refused() ? NULL : counted(__libc_memalign(align, bytes));
}

void free(void *p)
{
    alive -= p != NULL;
    __libc_free(p);
}

bool allocations_available(void)
{
    return true;
}

void allocations_fail_at(long n)
{
    countdown = n;
    failed = false;
}

bool allocations_failed(void)
{
    return failed;
}

long allocations_alive(void)
{
    return alive;
}

#else

bool allocations_available(void)
{
    return false;
}

void allocations_fail_at(long n)
{
    (void)n;
}

bool allocations_failed(void)
{
    return false;
}

long allocations_alive(void)
{
    return 0;
}

#endif

long allocations_fail_each(int (*attempt)(void *context, Error *e), void *context, long step)
{
    Error first = {0};
    ck_assert_msg(attempt(context, &first) == HONE_OK, "%s", first.text);
    for (long n = 1; allocations_available(); n += step) {
        Error e = {0};
        const long before = allocations_alive();
        allocations_fail_at(n);
        const int status = attempt(context, &e);
        const bool refused_one = allocations_failed();
        allocations_fail_at(0);
        ck_assert_msg(status == HONE_OK || (refused_one && status == HONE_ERR_MEMORY && e.text[0]),
                      "allocation %ld: %s", n, e.text);
        ck_assert_msg(allocations_alive() == before, "allocation %ld: %ld blocks lost (%s)", n,
                      allocations_alive() - before, e.text);
        if (!refused_one)
            return n / step;
    }
    return 0;
}
