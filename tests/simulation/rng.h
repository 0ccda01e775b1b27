/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Chance from a seed (SplitMix64, Steele, Lea and Flood 2014): the same on every machine. Whatever a life draws, it draws from here.
 */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/time-util.h"

typedef struct Rng {
        uint64_t state;
} Rng;

static inline uint64_t rng_next(Rng *r) {
        uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

/* 0 to n - 1. */
static inline uint64_t rng_below(Rng *r, uint64_t n) {
        return rng_next(r) % n;
}

/* Both ends included. */
static inline uint64_t rng_between(Rng *r, uint64_t low, uint64_t high) {
        return low + rng_below(r, high - low + 1);
}

/* 0 up to, but not including, 1. */
static inline double rng_unit(Rng *r) {
        return (double) (rng_next(r) >> 11) * 0x1p-53;
}

static inline bool rng_chance(Rng *r, double p) {
        return rng_unit(r) < p;
}

/* Short ones as often as long ones: even over the orders of magnitude. */
static inline usec_t rng_span(Rng *r, usec_t low, usec_t high) {
        return (usec_t) ((double) low * pow((double) high / (double) low, rng_unit(r)));
}

/* Until the next of events that come so often a year, independent of each other. */
static inline usec_t rng_wait(Rng *r, double per_year) {
        return (usec_t) (-log(1 - rng_unit(r)) * 365.25 * (double) USEC_PER_DAY / per_year) + 1;
}
