/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Points in time and durations, always in microseconds; other units exist only where text is read or written.
 * Nothing in here reads a clock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t usec_t;

#define USEC_PER_MSEC   UINT64_C(1000)
#define USEC_PER_SEC    UINT64_C(1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR   (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY    (24 * USEC_PER_HOUR)
#define USEC_PER_WEEK   (7 * USEC_PER_DAY)
#define USEC_INFINITY   UINT64_MAX

/* No date that any cloud API of ours can mean lies outside these: an older or a later one is a mistake of unit. */
#define TIME_MIN_USEC (UINT64_C(1420070400) * USEC_PER_SEC)     /* 2015-01-01T00:00:00Z */
#define TIME_MAX_USEC (UINT64_C(5680281600) * USEC_PER_SEC)     /* 2150-01-01T00:00:00Z */

#define TIME_TEXT_MAX 40        /* bytes; holds every text that the functions below write */

/* A wall-clock reading without a zone, as DBSS writes its times. */
typedef struct CivilTime {
        int year;       /* 1970 to 9999 */
        int month;      /* 1 to 12 */
        int day;        /* 1 to 31 */
        int hour, minute, second;       /* second 0 to 60 */
} CivilTime;

/* Sums that stop at USEC_INFINITY, differences that stop at 0; what is taken from USEC_INFINITY leaves USEC_INFINITY. */
usec_t usec_add(usec_t a, usec_t b);
usec_t usec_sub(usec_t a, usec_t b);
static inline usec_t usec_diff(usec_t a, usec_t b) { return a > b ? a - b : b - a; }

/**
 * duration_parse() - read a duration as the policy files write it
 * @s:          one or more of <whole number><unit>, units s m h d w, as in "1d12h"; nothing else, no blanks; in any order,
 *              but each unit once
 * @ret:        microseconds; never USEC_INFINITY
 *
 * Return: 0; -EINVAL if it is not such a text; -ERANGE if it does not fit.
 */
int duration_parse(const char *s, usec_t *ret);

/* The same form back, largest unit first, the first two units that are not 0, the rest cut off: "7d", "1d12h", "0s"; weeks are
 * written as days, USEC_INFINITY as "never". Returns @buf. */
char *duration_format(usec_t usec, char buf[static TIME_TEXT_MAX]);

/* As duration_format(), but for people: "3 d 4 h", "12 min", "0 s". Returns @buf. */
char *duration_format_human(usec_t usec, char buf[static TIME_TEXT_MAX]);

/* RFC 3339 in UTC, whole seconds: "2026-11-20T21:56:00Z"; the end of the year 9999 for all that is later. Returns @buf. */
char *rfc3339_format(usec_t at_usec, char buf[static TIME_TEXT_MAX]);

/**
 * timestamp_parse() - read a time that names its zone
 * @s:          "2020-01-04T09:05:22[.fraction]" with "T" or a blank, then "Z", "+hh:mm" or "+hhmm" (or minus)
 * @ret:        microseconds since 1970 UTC
 *
 * Return: 0; -EINVAL otherwise.
 */
int timestamp_parse(const char *s, usec_t *ret);

/**
 * civil_parse() - read a time as DBSS writes it
 * @s:          "yyyy-MM-dd HH:mm:ss" with a blank or "T", optionally a fraction (dropped), optionally a zone
 * @ret:        the wall-clock reading as written
 * @ret_has_zone, @ret_at_usec: whether a zone was given, and then the point in time; both may be NULL
 *
 * Return: 0; -EINVAL for anything else, impossible dates included.
 */
int civil_parse(const char *s, CivilTime *ret, bool *ret_has_zone, usec_t *ret_at_usec);

/* "yyyy-MM-dd HH:mm:ss". Returns @buf. */
char *civil_format(const CivilTime *c, char buf[static TIME_TEXT_MAX]);

/* Seconds since 1970-01-01 00:00:00 of the same, unnamed, zone: for differences between two readings of it. The way back stops at
 * the years 1 and 9999. @month is 1 to 12 everywhere. */
int64_t civil_to_seconds(const CivilTime *c);
void civil_from_seconds(int64_t seconds, CivilTime *ret);
int civil_days_in_month(int year, int month);

/**
 * http_date_parse() - read a Date or Retry-After date (RFC 9110 5.6.7, the three forms)
 *
 * Return: 0; -EINVAL.
 */
int http_date_parse(const char *s, usec_t *ret);

/* X-Sdk-Date: "YYYYMMDDTHHMMSSZ". Returns @buf. */
char *sdk_date_format(usec_t at_usec, char buf[static TIME_TEXT_MAX]);
