/* The loss at points of a plane through the parameters. Each thread takes a point at a time, and computes it alone. */

#include "plan/plan.h"
#include "system/system.h"

static void evaluate_point(void *context, size_t point, size_t worker) {
    const fbp_plane *plane = context;
    fbp_plan *plan = plane->plans[worker];
    const size_t n = plan->network->n_parameters;
    const double *const origin = plane->origin, *const u = plane->directions, *const v = u + n;
    const double a = plane->points[2 * point], b = plane->points[2 * point + 1];
    if (fbp_dtype_of(plan) == FBP_FLOAT32) {
        float *const parameters = plan->network->parameters;
        for (size_t p = 0; p < n; p++) parameters[p] = (float)(origin[p] + a * u[p] + b * v[p]);
    } else {
        double *const parameters = plan->network->parameters;
        for (size_t p = 0; p < n; p++) parameters[p] = origin[p] + a * u[p] + b * v[p];
    }
    plane->losses[point] = fbp_run(plan, FBP_FORWARD_PART, plane->batch);
}

void fbp_evaluate_plane(fbp_plane *plane, size_t points) {
    fbp_parallel(plane->workers, points, evaluate_point, plane);
}
