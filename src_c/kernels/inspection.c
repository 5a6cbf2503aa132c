/* What fastbp.inspect needs of one instruction set and one element type; setup.py compiles it like kernels.c. */

/* the functions of the headers that only kernels.c calls */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"

#include "kernels/curvature.h"
#include "kernels/kernels.h"
#include "kernels/passes.h"

extern const fbp_kernels PER_ISA(fbp_kernels); /* kernels.c */
extern const fbp_inspection PER_ISA(fbp_inspection);
const fbp_inspection PER_ISA(fbp_inspection) = {
    .kernels = &PER_ISA(fbp_kernels),
    .multiply = multiply_any,
    .multiply_outer = multiply_outer,
    .curvatures = curvatures,
    .loss_curvatures = loss_curvatures,
};
