/* CRC-32 as in zlib, PNG and Ethernet (reflected polynomial 0xedb88320, IEEE 802.3).
 *
 *     crc = hone_rt_crc32(0, first, n1);
 *     crc = hone_rt_crc32(crc, second, n2);     // of both, one after the other
 *
 * Detects every error burst of up to 32 bits, in particular every flipped bit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_RUNTIME_CRC_H
#define HONE_RUNTIME_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what crc stands for (0: nothing) followed by data[bytes]. */
uint32_t hone_rt_crc32(uint32_t crc, const void *data, size_t bytes);

/* The CRC of a .hone file, bytes >= sizeof(HoneRtHeader): its CRC field is taken as zero. */
uint32_t hone_rt_file_crc(const void *file, size_t bytes);

#endif
