/* The scalar of the trainer: float, or double in the gradient-check build (-DHONE_DOUBLE).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_CORE_REAL_H
#define HONE_CORE_REAL_H

#ifdef HONE_DOUBLE
typedef double Real;
#else
typedef float Real;
#endif

#endif
