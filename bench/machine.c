/* The machine, from /proc: see machine.h. SPDX-License-Identifier: Apache-2.0 */
#include "bench/machine.h"

#include "trainer/speed.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The first line of /proc/stat, in ticks: user nice system idle iowait irq softirq steal. */
static double busy_seconds(void)
{
    enum { FIELDS = 8, IDLE = 3, IOWAIT = 4 };
    double ticks = 0, field;
    FILE *f = fopen("/proc/stat", "r");
    if (f && fscanf(f, "cpu") == 0)
        for (int i = 0; i < FIELDS && fscanf(f, "%lf", &field) == 1; i++)
            ticks += i == IDLE || i == IOWAIT ? 0 : field;
    if (f)
        fclose(f);
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

MachineUse machine_use(void)
{
    struct timespec own = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    return (MachineUse){.clock = speed_now(),
                        .busy = busy_seconds(),
                        .own = (double)own.tv_sec + 1e-9 * (double)own.tv_nsec};
}

double machine_others(MachineUse before, MachineUse after)
{
    double others = (after.busy - before.busy) - (after.own - before.own);
    double seconds = after.clock - before.clock;
    return others > 0 && seconds > 0 ? others / seconds : 0;
}

const char *machine_name(char *buffer, size_t size)
{
    snprintf(buffer, size, "unknown processor");
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(buffer, size, "%s", colon + 1 + strspn(colon + 1, " "));
        break;
    }
    if (f)
        fclose(f);
    return buffer;
}
