/* Losses and their deltas: the rows of losses.def in a loop, and what works on whole rows (softmax). */

/* Sums are kept in double, lane by lane, and added up in the order of the lanes. */
typedef double wide_vec __attribute__((vector_size(VECTOR_BYTES)));
#if REAL_BITS == 32
typedef float half_vec __attribute__((vector_size(VECTOR_BYTES / 2)));
#endif

typedef struct { wide_vec part[2]; } wide_sum;

static inline void add_to(wide_sum *sum, vec v) {
#if REAL_BITS == 32
    union {
        vec whole;
        half_vec half[2];
    } u = {v};
    sum->part[0] += __builtin_convertvector(u.half[0], wide_vec);
    sum->part[1] += __builtin_convertvector(u.half[1], wide_vec);
#else
    sum->part[0] += v;
#endif
}

static inline double total(const wide_sum *sum) {
    double t = 0;
    for (int p = 0; p < 2; p++) {
        for (size_t i = 0; i < sizeof(wide_vec) / sizeof(double); i++) t += sum->part[p][i];
    }
    return t;
}

/* v with the lanes from n on set to `filler`. */
static inline vec fill_tail(vec v, size_t n, real filler) { return blend(lane_numbers() < (ireal)n, v, splat(filler)); }

/* log(cosh(d)) = -log(1 - tanh(d)^2) / 2, where d^2 would be lost beside |d|; else |d| + softplus(-2 |d|) - log(2) */
static inline vec log_cosh(vec d) {
    const vec large = vabs(d) + vsoftplus(REAL(-2) * vabs(d)) - (LN2_HIGH + LN2_LOW);
    return blend(vabs(d) < REAL(1), REAL(-0.5) * vlog1p(-vtanh(d) * vtanh(d)), large);
}

typedef vec loss_function(vec h, vec t, vec d, vec p);

/* Leaves the block's loss in step->lane and dJ/dh in delta. */
ALWAYS_INLINE void elementwise_loss(const fbp_dense *layer, fbp_step *step, loss_function value, loss_function slope,
                                    const int weighted) {
    const int narrow = layer->plan->narrow; /* else rows follow each other without gaps */
    const size_t rows = narrow ? layer->n_out : 1, columns = narrow ? step->rows : step->rows * layer->n_out;
    const vec p = splat((real)layer->plan->network->loss_parameter), scale = splat((real)step->scale);
    wide_sum sum = {0};
    for (size_t i = 0; i < rows; i++) {
        const size_t at = step->offset * layer->n_out + i * layer->y_stride;
        const real *h = (const real *)layer->y + at, *t = (const real *)step->lane->targets + i * layer->y_stride;
        const real *weights = weighted ? (const real *)step->lane->weights + i * layer->y_stride : NULL;
        real *delta = (real *)layer->delta + at;
        for (size_t j = 0; j < columns; j += LANES) {
            const size_t n = smaller(columns - j, LANES);
            const vec hj = load_n(h + j, n), tj = load_n(t + j, n), d = hj - tj;
            const vec weight = weighted ? load_n(weights + j, n) : ONE, v = value(hj, tj, d, p) * weight;
            add_to(&sum, n == (size_t)LANES ? v : fill_tail(v, n, 0));
            store_n(delta + j, slope(hj, tj, d, p) * (weight * scale), n);
        }
    }
    step->lane->loss = total(&sum);
}

/* out = softmax(z) over n elements; returns log sum exp(z - m), m the largest z, in *maximum. z may be out. */
static double softmax_row(const real *z, real *out, size_t n, real *maximum) {
    vec maxima = fill_tail(load_n(z, smaller(n, LANES)), n, z[0]);
    for (size_t j = LANES; j < n; j += LANES) {
        const size_t lanes = smaller(n - j, LANES);
        const vec v = fill_tail(load_n(z + j, lanes), lanes, z[0]);
        maxima = blend(v > maxima, v, maxima);
    }
    *maximum = maxima[0];
    for (int i = 1; i < LANES; i++) *maximum = maxima[i] > *maximum ? maxima[i] : *maximum;
    wide_sum sum = {0};
    for (size_t j = 0; j < n; j += LANES) {
        const size_t lanes = smaller(n - j, LANES);
        const vec e = vexp(load_n(z + j, lanes) - *maximum);
        add_to(&sum, fill_tail(e, lanes, 0));
        store_n(out + j, e, lanes);
    }
    const double exp_sum = total(&sum);
    const vec share = splat((real)exp_sum);
    for (size_t j = 0; j < n; j += LANES) {
        const size_t lanes = smaller(n - j, LANES);
        store_n(out + j, load_n(out + j, lanes) / share, lanes);
    }
    return log(exp_sum);
}

/* Cross entropy joined with softmax: J = log sum exp(z) - sum s z and dJ/dz = h - s, s = (1 - p) t + p / n. */
static void loss_cross_entropy(const fbp_dense *layer, fbp_step *step) {
    const size_t n = layer->n_out;
    const double p = layer->plan->network->loss_parameter;
    const real kept = (real)(1 - p), spread = (real)(p / (double)n);
    const real *weights = step->lane->weights;
    double sum = 0;
    for (size_t i = 0; i < step->rows; i++) {
        const real weight = weights ? weights[i * n] : 1;
        const vec scale = splat(weight * (real)step->scale);
        const real *z = (const real *)layer->y + (step->offset + i) * n;
        real *delta = (real *)layer->delta + (step->offset + i) * n;
        real top;
        double loss = softmax_row(z, delta, n, &top);
        if (step->lane->labels) {
            const size_t label = (size_t)step->lane->labels[i];
            if (label >= n) { /* the door lets none in, but the caller's memory may change during a fit */
                sum = NAN;
                continue;
            }
            loss += (double)kept * ((double)top - (double)z[label]);
            delta[label] -= kept;
        } else {
            const real *t = (const real *)step->lane->targets + i * n;
            for (size_t j = 0; j < n; j++) {
                loss += (double)(kept * t[j]) * ((double)top - (double)z[j]); /* sum t = 1 */
                delta[j] -= kept * t[j];
            }
        }
        for (size_t j = 0; j < n && p > 0; j++) loss += (double)spread * ((double)top - (double)z[j]);
        sum += loss * (double)weight;
        for (size_t j = 0; j < n; j += LANES) {
            const size_t lanes = smaller(n - j, LANES);
            store_n(delta + j, (load_n(delta + j, lanes) - spread) * scale, lanes);
        }
    }
    step->lane->loss = sum;
}

#define LOSS(name, link, value, slope, formula)                                \
    static inline vec value_##name(vec h, vec t, vec d, vec p) {               \
        (void)h;                                                               \
        (void)t;                                                               \
        (void)d;                                                               \
        (void)p;                                                               \
        return value;                                                          \
    }                                                                          \
    static inline vec slope_##name(vec h, vec t, vec d, vec p) {               \
        (void)h;                                                               \
        (void)t;                                                               \
        (void)d;                                                               \
        (void)p;                                                               \
        return slope;                                                          \
    }                                                                          \
    static void loss_##name(const fbp_dense *layer, fbp_step *step) {          \
        elementwise_loss(layer, step, value_##name, slope_##name, 0);          \
    }                                                                          \
    static void weighted_loss_##name(const fbp_dense *layer, fbp_step *step) { \
        elementwise_loss(layer, step, value_##name, slope_##name, 1);          \
    }
#define ROW_LOSS(name, link, formula)
#include "losses.def"
#undef ROW_LOSS
#undef LOSS

static void softmax_rows(const void *z, void *y, size_t rows, size_t columns) {
    real top;
    for (size_t i = 0; i < rows * columns; i += columns) softmax_row((const real *)z + i, (real *)y + i, columns, &top);
}

/* y = softmax(y) in place, for a softmax output that is not joined with its loss. */
static void softmax(const fbp_dense *layer, fbp_step *step) {
    real *y = (real *)layer->y + step->offset * layer->n_out;
    softmax_rows(y, y, step->rows, layer->n_out);
}

/* delta: dJ/dy -> dJ/dz = y (dJ/dy - sum y dJ/dy), row by row; differentiates softmax(). */
static void softmax_chain(const fbp_dense *layer, fbp_step *step) {
    const size_t n = layer->n_out;
    for (size_t i = 0; i < step->rows; i++) {
        const real *y = (const real *)layer->y + (step->offset + i) * n;
        real *delta = (real *)layer->delta + (step->offset + i) * n;
        wide_sum sum = {0};
        for (size_t j = 0; j < n; j += LANES) {
            const size_t lanes = smaller(n - j, LANES);
            add_to(&sum, load_n(y + j, lanes) * load_n(delta + j, lanes));
        }
        const vec mean = splat((real)total(&sum));
        for (size_t j = 0; j < n; j += LANES) {
            const size_t lanes = smaller(n - j, LANES);
            store_n(delta + j, load_n(y + j, lanes) * (load_n(delta + j, lanes) - mean), lanes);
        }
    }
}
