/* The rows of the tables, for lookup by name. */

#include "fastbp_test.h"

const fbp_activation_row fbp_activation_rows[FBP_ACTIVATIONS] = {
#define ACTIVATION(name, initializer, saved, alpha, value, slope, formula, ...) {#name, #initializer, formula, alpha},
#include "tables/activations.def"
#undef ACTIVATION
};

const fbp_loss_row fbp_loss_rows[FBP_LOSSES] = {
#define LOSS(name, link, value, slope, formula, ...) {#name, #link, formula},
#define ROW_LOSS(name, link, formula) {#name, #link, formula},
#include "tables/losses.def"
#undef ROW_LOSS
#undef LOSS
};

const fbp_optimizer_row fbp_optimizer_rows[FBP_OPTIMIZERS] = {
#define OPTIMIZER(name, states, ...) {#name, states},
#include "tables/optimizers.def"
#undef OPTIMIZER
};

const char *const fbp_schedule_names[FBP_SCHEDULES] = {
#define SCHEDULE(name, ...) #name,
#include "tables/schedules.def"
#undef SCHEDULE
};

static const char *const vector_math_names[] = {
#define VMATH(name) #name,
#include "tables/vmath.def"
#undef VMATH
    NULL};

const char *fbp_vector_math_name(size_t i) { return vector_math_names[i]; }

#if defined(__clang__)
const char *const fbp_compiler = "Clang " __clang_version__;
#else
const char *const fbp_compiler = "GCC " __VERSION__;
#endif
