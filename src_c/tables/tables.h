/* The tables of activations, losses, optimizers and schedules: an id per row, and the rows' names for callers.
 *
 * Ids count in the order of the .def files, each of which documents its columns. */
#ifndef FASTBP_TABLES_H
#define FASTBP_TABLES_H

#include <stddef.h>

typedef enum {
#define ACTIVATION(name, ...) FBP_ACTIVATION_##name,
#include "tables/activations.def"
#undef ACTIVATION
    FBP_ACTIVATIONS,
    FBP_CUSTOM = FBP_ACTIVATIONS /* no row: a function of the caller's, see fbp_network */
} fbp_activation_id;

typedef enum {
#define LOSS(name, ...) FBP_LOSS_##name,
#define ROW_LOSS LOSS
#include "tables/losses.def"
#undef ROW_LOSS
#undef LOSS
    FBP_LOSSES
} fbp_loss_id;

typedef enum {
#define OPTIMIZER(name, ...) FBP_OPTIMIZER_##name,
#include "tables/optimizers.def"
#undef OPTIMIZER
    FBP_OPTIMIZERS
} fbp_optimizer_id;

typedef enum {
#define SCHEDULE(name, ...) FBP_SCHEDULE_##name,
#include "tables/schedules.def"
#undef SCHEDULE
    FBP_SCHEDULES
} fbp_schedule_id;

typedef struct {
    const char *name, *initializer, *formula;
    double alpha; /* default of the activation's parameter */
} fbp_activation_row;

typedef struct { const char *name, *link, *formula; } fbp_loss_row;

typedef struct {
    const char *name;
    size_t states; /* vectors of state, each as long as the parameters */
} fbp_optimizer_row;

extern const fbp_activation_row fbp_activation_rows[FBP_ACTIVATIONS];
extern const fbp_loss_row fbp_loss_rows[FBP_LOSSES];
extern const fbp_optimizer_row fbp_optimizer_rows[FBP_OPTIMIZERS];
extern const char *const fbp_schedule_names[FBP_SCHEDULES];

#endif
