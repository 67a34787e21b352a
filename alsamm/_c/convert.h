/* Samples of one format into another: one pass, no temporary but a block on the stack, nothing but the samples touched.
 *
 * One rule. A sample is a fraction of full scale. An integer of b bits is value / 2^(b-1), an unsigned one after 2^(b-1)
 * is taken from it. So, with one rounding each, to the nearest and from the middle to the even neighbour:
 *
 *  - to b bits: fraction * 2^(b-1) rounded, held within -2^(b-1) and 2^(b-1) - 1, plus 2^(b-1) if unsigned;
 *  - to float or double: the fraction rounded; what float cannot hold becomes infinite;
 *  - NaN is 0.0, silence; infinities are full scale.
 *
 * Bits beside the value (S24 in 4 bytes, S20 in 3): written as the sign of a signed value, as zero of an unsigned one;
 * not looked at in reading (rule F6).
 *
 * Dither: only to integers of 16 bits or fewer, from floats or from more bits; otherwise asking for it changes nothing.
 * Before the rounding noise / 2^16 is added to fraction * 2^(b-1). Of sample i of a run, with n = index + i * index_step:
 *
 *  - h = hash(n % 2^32 ^ hash(n / 2^32)), hash being lowbias32; noise = h / 2^16 - h % 2^16: two uniform numbers of 16
 *    bits, their difference triangular and less than one step of the target (TPDF);
 *  - the sum is a float (rounded once more) where the source is float, a double where it is double; of integers exact.
 *
 * n alone decides, so a run split in any way, and every instruction set, gives the same bytes. NaN is dithered as 0.0.
 *
 * The arithmetic leans on the processor's own rounding to nearest even, as every C program's does by default. */
#ifndef ALSAMM_CONVERT_H
#define ALSAMM_CONVERT_H

#include "shim.h"

/* fast_convert of what fast_converter found good, without its checks. to and from may lie at any address and must not
 * overlap; every sample is read once and written once, in order (rule C11). */
void convert_run(const struct alsamm_converter *converter, char *to, long to_step, const char *from, long from_step,
                 long samples, unsigned long long index, long index_step);

#endif
