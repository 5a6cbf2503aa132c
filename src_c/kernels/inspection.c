/* What fastbp.inspect needs of one instruction set and one element type; setup.py compiles it like kernels.c. */

#include "kernels/kernels.h"
#include "kernels/passes.h"

#define JOIN(isa, bits) fbp_inspection_##isa##_##bits
#define TABLE_NAME(isa, bits) JOIN(isa, bits)
#define JOIN_KERNELS(isa, bits) fbp_kernels_##isa##_##bits
#define KERNELS_NAME(isa, bits) JOIN_KERNELS(isa, bits)

extern const fbp_kernels KERNELS_NAME(FASTBP_ISA, REAL_BITS); /* kernels.c */
extern const fbp_inspection TABLE_NAME(FASTBP_ISA, REAL_BITS);
const fbp_inspection TABLE_NAME(FASTBP_ISA, REAL_BITS) = {
    .kernels = &KERNELS_NAME(FASTBP_ISA, REAL_BITS),
    .multiply = multiply_any,
    .multiply_outer = multiply_outer,
};
