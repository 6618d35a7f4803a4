/* CRC-32, four bits at a time: a table of 16 words is small enough for any device.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crc.h"

#include "program.h"

static const uint32_t table[16] = {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu,
                                   0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
                                   0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                   0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};

uint32_t hone_rt_crc32(uint32_t crc, const void *data, size_t bytes)
{
    const uint8_t *p = data;
    crc = ~crc;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15u];
        crc = crc >> 4 ^ table[crc & 15u];
    }
    return ~crc;
}

uint32_t hone_rt_file_crc(const void *file, size_t bytes)
{
    static const uint8_t zero[sizeof(uint32_t)] = {0};
    const size_t field = offsetof(HoneRtHeader, crc), rest = field + sizeof zero;
    const uint32_t crc = hone_rt_crc32(hone_rt_crc32(0, file, field), zero, sizeof zero);
    return hone_rt_crc32(crc, (const uint8_t *)file + rest, bytes - rest);
}
