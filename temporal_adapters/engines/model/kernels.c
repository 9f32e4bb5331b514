/* Fused float32 kernels for training small models on one core: what lies between the matrix products.

   Takes pointers to row-major float32 arrays, gives results in place or in arrays of the caller. Allocates nothing,
   keeps no state, starts no thread. Every row (token, document, head) is computed by itself in a fixed order: its bits
   depend on nothing that stands beside it. Compiled on first use by `native.py`, which describes the arguments. */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* LANES: floats per vector, as wide as the registers: a compiler that has to split vectors spills them. WIDTH: vectors
   of a row taken at once, so that TILE * WIDTH sums and what they need fit into the registers. */
#if defined(__AVX512F__) /* 32 registers of 16 floats */
#define LANES 16
#define WIDTH 4
#elif defined(__AVX__) /* 16 registers of 8 floats */
#define LANES 8
#define WIDTH 2
#elif defined(__aarch64__) /* 32 registers of 4 floats */
#define LANES 4
#define WIDTH 4
#else /* SSE, and whatever else: 16 registers of 4 floats */
#define LANES 4
#define WIDTH 2
#endif
#define TILE 4 /* queries computed together */

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
#define INLINE static inline __attribute__((always_inline))

int64_t lanes(void) { return LANES; }

INLINE vec load(const float *p) { vec x; memcpy(&x, p, sizeof x); return x; }
INLINE void store(float *p, vec x) { memcpy(p, &x, sizeof x); }
INLINE vec all(float x) { return x - (vec){0}; }
INLINE vec pick(ints yes, vec a, vec b) { return (vec)((yes & (ints)a) | (~yes & (ints)b)); }
INLINE vec larger(vec a, vec b) { return pick((ints)(a > b), a, b); }

INLINE float total(vec x) {
    float part[LANES];
    store(part, x);
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) part[i] += part[i + half];
    return part[0];
}

INLINE float highest(vec x) {
    float part[LANES];
    store(part, x);
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) part[i] = part[i] > part[i + half] ? part[i] : part[i + half];
    return part[0];
}

/* e^x for x up to 87, 0 below -87: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes' expf), 2 ulp. */
INLINE vec exponential(vec x) {
    ints tiny = (ints)(x < all(-87.0f)); /* what is no number stays that */
    x = pick(tiny, all(-87.0f), x);
    x = pick((ints)(x > all(87.0f)), all(87.0f), x);
    vec shifted = x * 1.44269504088896341f + 12582912.0f; /* adding 1.5 * 2^23 rounds to an integer */
    ints n = (ints)shifted - (ints)all(12582912.0f);
    vec whole = shifted - 12582912.0f;
    vec r = x - whole * 0.693359375f + whole * 2.12194440e-4f;
    vec p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    return pick(tiny, all(0.0f), p * (vec)((n + 127) << 23));
}

INLINE vec some(const float *p, int64_t n, float rest) { /* the first n floats, then `rest` */
    float part[LANES];
    for (int i = 0; i < LANES; i++) part[i] = i < n ? p[i] : rest;
    return load(part);
}

INLINE void put(float *p, vec x, int64_t n) {
    if (n >= LANES) { store(p, x); return; }
    for (int i = 0; i < n; i++) p[i] = x[i];
}
INLINE vec take(const float *p, int64_t n) { return n < LANES ? some(p, n, 0) : load(p); }

/* out = w x / sqrt(mean(x^2) + eps); rstd keeps the factor of each row. */
void rms_norm(const float *x, const float *w, float *out, float *rstd, int64_t rows, int64_t d, float eps) {
    for (int64_t row = 0; row < rows; row++, x += d, out += d) {
        vec sum = {0};
        for (int64_t i = 0; i < d; i += LANES) { vec a = take(x + i, d - i); sum += a * a; }
        float factor = 1.0f / sqrtf(total(sum) / d + eps);
        rstd[row] = factor;
        for (int64_t i = 0; i < d; i += LANES)
            put(out + i, take(x + i, d - i) * factor * take(w + i, d - i), d - i);
    }
}

/* out = add (if there is any) + d loss / d x of `rms_norm`; `out` may be `add` or `grad`. */
void rms_norm_back(const float *grad, const float *x, const float *w, const float *rstd, const float *add, float *out,
                   int64_t rows, int64_t d) {
    for (int64_t row = 0; row < rows; row++, grad += d, x += d, out += d) {
        vec sum = {0};
        for (int64_t i = 0; i < d; i += LANES) sum += take(grad + i, d - i) * take(w + i, d - i) * take(x + i, d - i);
        float factor = rstd[row], mean = total(sum) / d * factor * factor;
        for (int64_t i = 0; i < d; i += LANES) {
            vec g = take(grad + i, d - i) * take(w + i, d - i);
            vec old = add ? take(add + row * d + i, d - i) : all(0);
            put(out + i, old + factor * (g - take(x + i, d - i) * mean), d - i);
        }
    }
}

/* Rotate the halves of each head in place by the angles of its token (sign 1), or back (sign -1). */
void rotate(float *x, const float *cosine, const float *sine, int64_t rows, int64_t heads, int64_t d, int64_t back) {
    int64_t half = d / 2;
    for (int64_t row = 0; row < rows; row++, cosine += d, sine += d)
        for (int64_t head = 0; head < heads; head++, x += d) {
            float *restrict low = x, *restrict high = x + half;
            for (int64_t i = 0; i < half; i++) {
                float a = low[i], b = high[i];
                low[i] = a * cosine[i] + b * (back ? sine[i + half] : -sine[i]);
                high[i] = b * cosine[i + half] + a * (back ? -sine[i] : sine[i + half]);
            }
        }
}

/* out = silu(gate) up */
void swiglu(const float *gate, const float *up, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        vec g = take(gate + i, n - i);
        put(out + i, g / (1.0f + exponential(-g)) * take(up + i, n - i), n - i);
    }
}

/* Replace gate and up by their gradients. */
void swiglu_back(const float *grad, float *gate, float *up, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        vec g = take(gate + i, n - i), u = take(up + i, n - i), outer = take(grad + i, n - i);
        vec open = 1.0f / (1.0f + exponential(-g));
        put(up + i, outer * g * open, n - i);
        put(gate + i, outer * u * open * (1.0f + g * (1.0f - open)), n - i);
    }
}

/* Sum of weighted cross-entropies; logits become their gradients if `wanted`. */
double cross_entropy(float *logits, const int64_t *labels, const float *factors, int64_t rows, int64_t size,
                     int64_t wanted) {
    double found = 0;
    for (int64_t row = 0; row < rows; row++, logits += size) {
        float factor = factors ? factors[row] : 1.0f, chosen = logits[labels[row]];
        vec top = all(-INFINITY), sum = {0};
        for (int64_t i = 0; i < size; i += LANES)
            top = larger(size - i < LANES ? some(logits + i, size - i, -INFINITY) : load(logits + i), top);
        float most = highest(top);
        int64_t even = size / LANES * LANES;
        for (int64_t i = 0; i < even; i += LANES) {
            vec e = exponential(load(logits + i) - most);
            sum += e;
            store(logits + i, e);
        }
        float odds = total(sum);
        if (even < size) {
            vec e = exponential(some(logits + even, size - even, -INFINITY) - most);
            put(logits + even, e, size - even);
            for (int64_t i = even; i < size; i++) odds += logits[i];
        }
        found += (double)factor * ((double)logf(odds) + most - chosen);
        if (!wanted) continue;
        float share = factor / odds;
        for (int64_t i = 0; i < size; i += LANES) put(logits + i, take(logits + i, size - i) * share, size - i);
        logits[labels[row]] -= factor;
    }
    return found;
}

/* ---- causal attention of documents; heads lie side by side in a token's row, strides are floats per token ---- */

INLINE int64_t up_to(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/* Keys (n, d) as blocks of LANES keys, transposed: (n / LANES, d, LANES), rest zero. */
static void transpose(const float *x, int64_t stride, int64_t n, int64_t d, float *out) {
    if (n % LANES) memset(out + n / LANES * LANES * d, 0, 4 * LANES * d);
    for (int64_t j = 0; j < n; j++)
        for (int64_t c = 0; c < d; c++) out[(j / LANES * d + c) * LANES + j % LANES] = x[j * stride + c];
}

/* One row of d floats, padded with zeros to whole vectors (calls of memcpy would cost more than the copying). */
INLINE void pad(const float *x, int64_t d, float *out) {
    for (int64_t c = 0; c < d; c += LANES) store(out + c, take(x + c, d - c));
}

INLINE void copy(const float *x, int64_t d, float *out) {
    for (int64_t c = 0; c < d; c += LANES) put(out + c, load(x + c), d - c);
}

/* Rows (n, d) padded to `wide` columns. */
static void gather(const float *x, int64_t stride, int64_t n, int64_t d, int64_t wide, float *out) {
    for (int64_t j = 0; j < n; j++) pad(x + j * stride, d, out + j * wide);
}

INLINE void products_some(const float *rows, int64_t wide, const float *keys, int64_t d, float *scores, int64_t length,
                          const int count) {
    vec sum[TILE][2] = {{{0}}};
    for (int64_t c = 0; c < d; c++)
        for (int v = 0; v < count; v++) {
            vec key = load(keys + (v * d + c) * LANES);
            for (int t = 0; t < TILE; t++) sum[t][v] += rows[t * wide + c] * key;
        }
    for (int t = 0; t < TILE; t++)
        for (int v = 0; v < count; v++) store(scores + t * length + v * LANES, sum[t][v]);
}

/* scores[t][j] = rows[t] . keys[j] for TILE rows and the keys from .. to (multiples of LANES) */
INLINE void products(const float *rows, int64_t wide, const float *keys, int64_t d, int64_t from, int64_t to,
                     float *scores, int64_t length) {
    int64_t j = from;
    for (; j + 2 * LANES <= to; j += 2 * LANES) products_some(rows, wide, keys + j * d, d, scores + j, length, 2);
    if (j < to) products_some(rows, wide, keys + j * d, d, scores + j, length, 1);
}

/* out[t] = sum over keys of weights[t][j] values[j], `count` vectors wide */
INLINE void mix_some(const float *weights, int64_t length, const float *values, int64_t wide, int64_t from, int64_t to,
                     float *out, const int count) {
    vec sum[TILE][WIDTH] = {{{0}}};
    for (int64_t j = from; j < to; j++)
        for (int v = 0; v < count; v++) {
            vec value = load(values + j * wide + v * LANES);
            for (int t = 0; t < TILE; t++) sum[t][v] += weights[t * length + j] * value;
        }
    for (int t = 0; t < TILE; t++)
        for (int v = 0; v < count; v++) store(out + t * wide + v * LANES, sum[t][v]);
}

static void mix(const float *weights, int64_t length, const float *values, int64_t wide, int64_t from, int64_t to,
                float *out) {
    int64_t at = 0;
    for (; at + WIDTH * LANES <= wide; at += WIDTH * LANES) mix_some(weights, length, values + at, wide, from, to, out + at, WIDTH);
    if (WIDTH > 2 && at + 2 * LANES <= wide) { mix_some(weights, length, values + at, wide, from, to, out + at, 2); at += 2 * LANES; }
    if (at < wide) mix_some(weights, length, values + at, wide, from, to, out + at, 1);
}

/* into[j] += sum over rows of weights[t][j] rows[t] */
INLINE void spread_some(const float *weights, int64_t length, const float *rows, int64_t wide, int64_t from, int64_t to,
                        float *into, const int count) {
    vec row[TILE][WIDTH];
    for (int t = 0; t < TILE; t++)
        for (int v = 0; v < count; v++) row[t][v] = load(rows + t * wide + v * LANES);
    for (int64_t j = from; j < to; j++)
        for (int v = 0; v < count; v++) {
            vec sum = load(into + j * wide + v * LANES);
            for (int t = 0; t < TILE; t++) sum += weights[t * length + j] * row[t][v];
            store(into + j * wide + v * LANES, sum);
        }
}

static void spread(const float *weights, int64_t length, const float *rows, int64_t wide, int64_t from, int64_t to,
                   float *into) {
    int64_t at = 0;
    for (; at + WIDTH * LANES <= wide; at += WIDTH * LANES) spread_some(weights, length, rows + at, wide, from, to, into + at, WIDTH);
    if (WIDTH > 2 && at + 2 * LANES <= wide) { spread_some(weights, length, rows + at, wide, from, to, into + at, 2); at += 2 * LANES; }
    if (at < wide) spread_some(weights, length, rows + at, wide, from, to, into + at, 1);
}

/* Keys that query i sees: first .. i; `window` counts itself. */
INLINE int64_t first_key(int64_t i, int64_t window) { return window > 0 && i >= window ? i - window + 1 : 0; }

/* Scores of keys that query i does not see become minus infinity. */
INLINE void blind(float *mine, int64_t i, int64_t from, int64_t to, int64_t window) {
    ints place;
    for (int k = 0; k < LANES; k++) place[k] = k;
    int64_t first = first_key(i, window);
    for (int64_t j = from; j < first; j += LANES)
        store(mine + j, pick(place < (int32_t)(first - j), all(-INFINITY), load(mine + j)));
    for (int64_t j = (i + 1) / LANES * LANES; j < to; j += LANES)
        store(mine + j, pick(place > (int32_t)(i - j), all(-INFINITY), load(mine + j)));
}

/* weights = exp(scale * scores - shift) */
INLINE vec weigh(float *mine, int64_t from, int64_t to, float scale, float shift) {
    vec sum = {0};
    for (int64_t j = from; j < to; j += LANES) {
        vec e = exponential(load(mine + j) * scale - shift);
        sum += e;
        store(mine + j, e);
    }
    return sum;
}

INLINE float top_score(const float *mine, int64_t from, int64_t to) {
    vec top = all(-INFINITY);
    for (int64_t j = from; j < to; j += LANES) top = larger(load(mine + j), top);
    return highest(top);
}

/* Queries i .. i + TILE - 1 of a head, rest zero, `wide` columns. */
INLINE void gather_tile(const float *x, int64_t stride, int64_t i, int64_t n, int64_t d, int64_t wide, float *out) {
    for (int64_t t = 0; t < TILE; t++) {
        if (i + t < n) pad(x + (i + t) * stride, d, out + t * wide);
        else memset(out + t * wide, 0, 4 * wide);
    }
}

void attend(const float *q, const float *k, const float *v, float *out, float *shifts, const int64_t *starts,
            int64_t documents, int64_t heads, int64_t kv_heads, int64_t d, int64_t q_stride, int64_t k_stride,
            int64_t v_stride, int64_t out_stride, float scale, int64_t window, float *scratch) {
    int64_t wide = up_to(d, LANES), group = heads / kv_heads;
    for (int64_t document = 0; document < documents; document++) {
        int64_t start = starts[document], n = starts[document + 1] - start, length = up_to(n, LANES);
        float *keys = scratch, *values = keys + length * wide, *scores = values + length * wide;
        float *rows = scores + TILE * length, *mixed = rows + TILE * wide;
        for (int64_t head = 0; head < heads; head++) {
            if (head % group == 0) {
                transpose(k + start * k_stride + head / group * d, k_stride, n, d, keys);
                gather(v + start * v_stride + head / group * d, v_stride, n, d, wide, values);
            }
            for (int64_t i = 0; i < n; i += TILE) {
                int64_t there = n - i < TILE ? n - i : TILE, last = i + there - 1;
                int64_t from = first_key(i, window) / LANES * LANES, to = up_to(last + 1, LANES);
                float shares[TILE] = {0};
                gather_tile(q + start * q_stride + head * d, q_stride, i, n, d, wide, rows);
                products(rows, wide, keys, d, from, to, scores, length);
                for (int64_t t = 0; t < there; t++) {
                    float *mine = scores + t * length;
                    blind(mine, i + t, from, to, window);
                    float top = top_score(mine, from, to) * scale;
                    float sum = total(weigh(mine, from, to, scale, top));
                    shares[t] = 1.0f / sum;
                    shifts[(start + i + t) * heads + head] = top + logf(sum);
                }
                for (int64_t t = there; t < TILE; t++) memset(scores + t * length + from, 0, 4 * (to - from));
                mix(scores, length, values, wide, from, last + 1, mixed);
                for (int64_t t = 0; t < there; t++) {
                    float *target = out + (start + i + t) * out_stride + head * d;
                    for (int64_t c = 0; c < d; c += LANES) put(target + c, load(mixed + t * wide + c) * shares[t], d - c);
                }
            }
        }
    }
}

/* Gradients of `attend`, with the strides of q, k and v. */
void attend_back(const float *grad, const float *q, const float *k, const float *v, const float *out,
                 const float *shifts, float *dq, float *dk, float *dv, const int64_t *starts, int64_t documents,
                 int64_t heads, int64_t kv_heads, int64_t d, int64_t q_stride, int64_t k_stride, int64_t v_stride,
                 int64_t out_stride, float scale, int64_t window, float *scratch) {
    int64_t wide = up_to(d, LANES), group = heads / kv_heads;
    for (int64_t document = 0; document < documents; document++) {
        int64_t start = starts[document], n = starts[document + 1] - start, length = up_to(n, LANES);
        float *keys = scratch, *key_rows = keys + length * wide, *values = key_rows + length * wide;
        float *key_sums = values + length * wide, *value_sums = key_sums + length * wide;
        float *weights = value_sums + length * wide, *slopes = weights + TILE * length;
        float *rows = slopes + TILE * length, *outer = rows + TILE * wide, *mixed = outer + TILE * wide;
        for (int64_t head = 0; head < heads; head++) {
            if (head % group == 0) {
                transpose(k + start * k_stride + head / group * d, k_stride, n, d, keys);
                gather(k + start * k_stride + head / group * d, k_stride, n, d, wide, key_rows);
                transpose(v + start * v_stride + head / group * d, v_stride, n, d, values);
                memset(key_sums, 0, 4 * n * wide);
                memset(value_sums, 0, 4 * n * wide);
            }
            for (int64_t i = 0; i < n; i += TILE) {
                int64_t there = n - i < TILE ? n - i : TILE, last = i + there - 1;
                int64_t from = first_key(i, window) / LANES * LANES, to = up_to(last + 1, LANES);
                gather_tile(q + start * q_stride + head * d, q_stride, i, n, d, wide, rows);
                gather_tile(grad + start * out_stride + head * d, out_stride, i, n, d, wide, outer);
                products(rows, wide, keys, d, from, to, weights, length);
                products(outer, wide, values, d, from, to, slopes, length);
                for (int64_t t = 0; t < there; t++) {
                    const float *result = out + (start + i + t) * out_stride + head * d;
                    vec sum = {0};
                    for (int64_t c = 0; c < d; c += LANES) sum += take(result + c, d - c) * load(outer + t * wide + c);
                    float delta = total(sum);
                    blind(weights + t * length, i + t, from, to, window);
                    weigh(weights + t * length, from, to, scale, shifts[(start + i + t) * heads + head]);
                    for (int64_t j = from; j < to; j += LANES) {
                        float *slope = slopes + t * length + j;
                        store(slope, load(weights + t * length + j) * (load(slope) - delta) * scale);
                    }
                }
                for (int64_t t = there; t < TILE; t++) {
                    memset(weights + t * length + from, 0, 4 * (to - from));
                    memset(slopes + t * length + from, 0, 4 * (to - from));
                }
                mix(slopes, length, key_rows, wide, from, last + 1, mixed);
                for (int64_t t = 0; t < there; t++)
                    copy(mixed + t * wide, d, dq + (start + i + t) * q_stride + head * d);
                spread(slopes, length, rows, wide, from, last + 1, key_sums);
                spread(weights, length, outer, wide, from, last + 1, value_sums);
            }
            if (head % group == group - 1)
                for (int64_t j = 0; j < n; j++) {
                    copy(key_sums + j * wide, d, dk + (start + j) * k_stride + head / group * d);
                    copy(value_sums + j * wide, d, dv + (start + j) * v_stride + head / group * d);
                }
        }
    }
}
