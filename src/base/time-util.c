/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time-util.h"

#include <errno.h>
#include <stdio.h>

#include "base/macro.h"

#define SECONDS_PER_DAY INT64_C(86400)

/* The years that a CivilTime can show; what is computed rather than read may be as old as year 1. */
#define CIVIL_MIN_SECONDS INT64_C(-62135596800) /* 0001-01-01 00:00:00 */
#define CIVIL_MAX_SECONDS INT64_C(253402300799) /* 9999-12-31 23:59:59 */

static const char month_names[12][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};
static const char day_names[7][10] = {
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
};

usec_t usec_add(usec_t a, usec_t b) {
        usec_t sum;

        return __builtin_add_overflow(a, b, &sum) ? USEC_INFINITY : sum;
}

usec_t usec_sub(usec_t a, usec_t b) {
        if (a == USEC_INFINITY)
                return USEC_INFINITY;

        return a > b ? a - b : 0;
}

/* Durations. */

static const struct {
        char letter;
        usec_t usec;
        const char *for_people;
} units[] = {
        { 'w', USEC_PER_WEEK, "w" },
        { 'd', USEC_PER_DAY, "d" },
        { 'h', USEC_PER_HOUR, "h" },
        { 'm', USEC_PER_MINUTE, "min" },
        { 's', USEC_PER_SEC, "s" },
};
#define UNIT_WRITTEN_FROM 1 /* "7d" rather than "1w": people set backup terms in days */

static int scan_count(const char **s, uint64_t *ret) {
        const char *p = *s;
        bool too_large = false;
        uint64_t n = 0;

        if (*p < '0' || *p > '9')
                return -EINVAL;

        /* Read to the end even when it is too large, so that a text which is no duration at all is called that. */
        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
                    __builtin_add_overflow(n, (uint64_t) (*p - '0'), &n))
                        too_large = true;

        *s = p;
        *ret = n;
        return too_large ? -ERANGE : 0;
}

static int scan_unit(const char **s, size_t *ret) {
        for (size_t i = 0; i < N_ELEMENTS(units); i++)
                if (**s == units[i].letter) {
                        (*s)++;
                        *ret = i;
                        return 0;
                }

        return -EINVAL;
}

int duration_parse(const char *s, usec_t *ret) {
        usec_t sum = 0;
        unsigned seen = 0;
        bool too_large = false;

        assert(s);
        assert(ret);

        do {
                uint64_t n;
                usec_t part;
                size_t unit;
                int r;

                r = scan_count(&s, &n);
                if (r == -EINVAL)
                        return r;
                if (r < 0)
                        too_large = true;

                if (scan_unit(&s, &unit) < 0 || (seen & (1U << unit)))
                        return -EINVAL;
                seen |= 1U << unit;

                if (__builtin_mul_overflow(n, units[unit].usec, &part) || __builtin_add_overflow(sum, part, &sum))
                        too_large = true;
        } while (*s);

        /* USEC_INFINITY means "never" everywhere: no number may come to mean it. */
        if (too_large || sum == USEC_INFINITY)
                return -ERANGE;

        *ret = sum;
        return 0;
}

static char *format_two_units(usec_t usec, bool for_people, char buf[static TIME_TEXT_MAX]) {
        const char *blank = for_people ? " " : "";
        size_t n = 0;
        unsigned n_written = 0;

        if (usec == USEC_INFINITY) {
                (void) snprintf(buf, TIME_TEXT_MAX, "never");
                return buf;
        }

        for (size_t i = UNIT_WRITTEN_FROM; i < N_ELEMENTS(units) && n_written < 2; i++) {
                uint64_t count = usec / units[i].usec;
                char letter[] = { units[i].letter, '\0' };

                if (count == 0)
                        continue;
                /* At most 9 digits of days here: two units never fill the buffer. */
                n += (size_t) snprintf(buf + n, TIME_TEXT_MAX - n, "%s%llu%s%s", n_written > 0 ? blank : "",
                                       (unsigned long long) count, blank, for_people ? units[i].for_people : letter);
                usec %= units[i].usec;
                n_written++;
        }
        if (n_written == 0)
                (void) snprintf(buf, TIME_TEXT_MAX, "0%ss", blank);

        return buf;
}

char *duration_format(usec_t usec, char buf[static TIME_TEXT_MAX]) {
        return format_two_units(usec, false, buf);
}

char *duration_format_human(usec_t usec, char buf[static TIME_TEXT_MAX]) {
        return format_two_units(usec, true, buf);
}

/* The calendar. */

static bool is_leap_year(int year) {
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int civil_days_in_month(int year, int month) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

        assert(month >= 1 && month <= 12);
        return days[month - 1] + (month == 2 && is_leap_year(year));
}

/*
 * Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that the leap day is the
 * last of its year, and in eras of 400 years, each of which has 146097 days.
 */
static int64_t days_from_civil(int year, int month, int day) {
        int64_t y = (int64_t) year - (month <= 2), era, year_of_era, day_of_year;

        era = (y >= 0 ? y : y - 399) / 400;
        year_of_era = y - era * 400;
        day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

        return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

int64_t civil_to_seconds(const CivilTime *c) {
        assert(c);

        return days_from_civil(c->year, c->month, c->day) * SECONDS_PER_DAY + (int64_t) c->hour * 3600 +
               (int64_t) c->minute * 60 + c->second;
}

void civil_from_seconds(int64_t seconds, CivilTime *ret) {
        int64_t days, rest, era, day_of_era, year_of_era, day_of_year, month;

        assert(ret);

        seconds = MIN(seconds, CIVIL_MAX_SECONDS);
        seconds = MAX(seconds, CIVIL_MIN_SECONDS);
        days = seconds / SECONDS_PER_DAY;
        rest = seconds % SECONDS_PER_DAY;
        if (rest < 0) {
                rest += SECONDS_PER_DAY;
                days--;
        }

        /* The inverse of days_from_civil(); year 1 and later keep every term positive. */
        days += 719468;
        era = days / 146097;
        day_of_era = days % 146097;
        year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        month = (5 * day_of_year + 2) / 153;

        *ret = (CivilTime) {
                .year = (int) (year_of_era + era * 400 + (month >= 10)),
                .month = (int) (month < 10 ? month + 3 : month - 9),
                .day = (int) (day_of_year - (153 * month + 2) / 5 + 1),
                .hour = (int) (rest / 3600),
                .minute = (int) (rest / 60 % 60),
                .second = (int) (rest % 60),
        };
}

static bool civil_is_valid(const CivilTime *c) {
        return c->year >= 1970 && c->year <= 9999 && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
               c->day <= civil_days_in_month(c->year, c->month) && c->hour >= 0 && c->hour <= 23 && c->minute >= 0 &&
               c->minute <= 59 && c->second >= 0 && c->second <= 60;
}

/* Reading times. Each scan_ function moves *s past what it read; on failure nobody looks at *s again. */

static bool scan_char(const char **s, char c) {
        if (**s != c)
                return false;

        (*s)++;
        return true;
}

static bool scan_digits(const char **s, unsigned n, int *ret) {
        int v = 0;

        for (; n > 0; n--, (*s)++) {
                if (**s < '0' || **s > '9')
                        return false;
                v = v * 10 + (**s - '0');
        }

        *ret = v;
        return true;
}

static bool scan_clock(const char **s, CivilTime *c) {
        return scan_digits(s, 2, &c->hour) && scan_char(s, ':') && scan_digits(s, 2, &c->minute) &&
               scan_char(s, ':') && scan_digits(s, 2, &c->second);
}

static bool scan_fraction(const char **s, usec_t *ret_usec) {
        usec_t weight = USEC_PER_SEC / 10, usec = 0;

        if (!scan_char(s, '.')) {
                *ret_usec = 0;
                return true;
        }
        if (**s < '0' || **s > '9')
                return false;

        for (; **s >= '0' && **s <= '9'; (*s)++, weight /= 10)
                usec += (usec_t) (**s - '0') * weight;

        *ret_usec = usec;
        return true;
}

/* "yyyy-MM-dd" and "HH:mm:ss" with "T" or a blank between them, and a fraction. */
static bool scan_date_time(const char **s, CivilTime *ret, usec_t *ret_fraction_usec) {
        CivilTime c;

        if (!scan_digits(s, 4, &c.year) || !scan_char(s, '-') || !scan_digits(s, 2, &c.month) || !scan_char(s, '-') ||
            !scan_digits(s, 2, &c.day))
                return false;
        if (!scan_char(s, 'T') && !scan_char(s, ' '))
                return false;
        if (!scan_clock(s, &c) || !scan_fraction(s, ret_fraction_usec) || !civil_is_valid(&c))
                return false;

        *ret = c;
        return true;
}

static bool scan_zone(const char **s, int64_t *ret_offset_seconds) {
        int sign = **s == '-' ? -1 : 1, hours, minutes;

        if (scan_char(s, 'Z')) {
                *ret_offset_seconds = 0;
                return true;
        }
        if (!scan_char(s, '+') && !scan_char(s, '-'))
                return false;
        if (!scan_digits(s, 2, &hours))
                return false;
        (void) scan_char(s, ':'); /* "+0800" is as good as "+08:00" */
        if (!scan_digits(s, 2, &minutes) || hours > 23 || minutes > 59)
                return false;

        *ret_offset_seconds = sign * ((int64_t) hours * 3600 + minutes * 60);
        return true;
}

static int civil_at_offset(const CivilTime *c, int64_t offset_seconds, usec_t *ret) {
        int64_t seconds = civil_to_seconds(c) - offset_seconds;

        if (seconds < 0)
                return -EINVAL;

        *ret = (usec_t) seconds * USEC_PER_SEC;
        return 0;
}

int timestamp_parse(const char *s, usec_t *ret) {
        CivilTime c;
        int64_t offset;
        usec_t fraction_usec, at_usec;
        int r;

        assert(s);
        assert(ret);

        if (!scan_date_time(&s, &c, &fraction_usec) || !scan_zone(&s, &offset) || *s != '\0')
                return -EINVAL;
        r = civil_at_offset(&c, offset, &at_usec);
        if (r < 0)
                return r;

        *ret = at_usec + fraction_usec;
        return 0;
}

int civil_parse(const char *s, CivilTime *ret, bool *ret_has_zone, usec_t *ret_at_usec) {
        CivilTime c;
        bool has_zone;
        usec_t fraction_usec, at_usec = 0;

        assert(s);
        assert(ret);

        if (!scan_date_time(&s, &c, &fraction_usec))
                return -EINVAL;

        has_zone = *s != '\0';
        if (has_zone) {
                int64_t offset;
                int r;

                if (!scan_zone(&s, &offset) || *s != '\0')
                        return -EINVAL;
                r = civil_at_offset(&c, offset, &at_usec);
                if (r < 0)
                        return r;
        }

        *ret = c;
        if (ret_has_zone)
                *ret_has_zone = has_zone;
        if (ret_at_usec && has_zone)
                *ret_at_usec = at_usec;
        return 0;
}

static bool scan_month_name(const char **s, int *ret) {
        for (size_t i = 0; i < N_ELEMENTS(month_names); i++)
                if (strncmp(*s, month_names[i], 3) == 0) {
                        *s += 3;
                        *ret = (int) i + 1;
                        return true;
                }

        return false;
}

/* A day's name, short or in full. That it is the right day for the date is not asked: RFC 9110 does not either. */
static bool scan_day_name(const char **s, bool *ret_in_full) {
        for (size_t i = 0; i < N_ELEMENTS(day_names); i++) {
                size_t n = strlen(day_names[i]);

                if (strncmp(*s, day_names[i], 3) != 0)
                        continue;
                *ret_in_full = strncmp(*s, day_names[i], n) == 0;
                *s += *ret_in_full ? n : 3;
                return true;
        }

        return false;
}

/* "06 Nov 1994 08:49:37 GMT" */
static bool scan_imf_fixdate(const char **s, CivilTime *c) {
        return scan_digits(s, 2, &c->day) && scan_char(s, ' ') && scan_month_name(s, &c->month) && scan_char(s, ' ') &&
               scan_digits(s, 4, &c->year) && scan_char(s, ' ') && scan_clock(s, c) && strcmp(*s, " GMT") == 0;
}

/* "06-Nov-94 08:49:37 GMT". The century is POSIX's: no clock is read here that could tell which is nearer. */
static bool scan_rfc850(const char **s, CivilTime *c) {
        if (!scan_digits(s, 2, &c->day) || !scan_char(s, '-') || !scan_month_name(s, &c->month) || !scan_char(s, '-') ||
            !scan_digits(s, 2, &c->year))
                return false;

        c->year += c->year < 69 ? 2000 : 1900;
        return scan_char(s, ' ') && scan_clock(s, c) && strcmp(*s, " GMT") == 0;
}

/* "Nov  6 08:49:37 1994" */
static bool scan_asctime(const char **s, CivilTime *c) {
        if (!scan_month_name(s, &c->month) || !scan_char(s, ' '))
                return false;
        if (!scan_digits(s, scan_char(s, ' ') ? 1 : 2, &c->day))
                return false;

        return scan_char(s, ' ') && scan_clock(s, c) && scan_char(s, ' ') && scan_digits(s, 4, &c->year) && **s == '\0';
}

int http_date_parse(const char *s, usec_t *ret) {
        CivilTime c;
        bool in_full, ok;

        assert(s);
        assert(ret);

        if (!scan_day_name(&s, &in_full))
                return -EINVAL;

        if (!scan_char(&s, ','))
                ok = !in_full && scan_char(&s, ' ') && scan_asctime(&s, &c);
        else if (!scan_char(&s, ' '))
                ok = false;
        else
                ok = in_full ? scan_rfc850(&s, &c) : scan_imf_fixdate(&s, &c);

        if (!ok || !civil_is_valid(&c))
                return -EINVAL;

        return civil_at_offset(&c, 0, ret);
}

/* Writing times. */

/* snprintf() would cost more than all that a poll does besides. */
static char *add_digits(char *p, int v, int n_digits) {
        for (int i = n_digits - 1; i >= 0; i--, v /= 10)
                p[i] = (char) ('0' + v % 10);
        return p + n_digits;
}

static char *format_civil(const CivilTime *c, const char *date_mark, char middle, const char *time_mark, const char *end, char *buf) {
        const int parts[] = { c->month, c->day };
        const int times[] = { c->minute, c->second };
        char *p = add_digits(buf, c->year, 4);

        for (size_t i = 0; i < N_ELEMENTS(parts); i++)
                p = add_digits(stpcpy(p, date_mark), parts[i], 2);
        *p++ = middle;
        p = add_digits(p, c->hour, 2);
        for (size_t i = 0; i < N_ELEMENTS(times); i++)
                p = add_digits(stpcpy(p, time_mark), times[i], 2);
        (void) stpcpy(p, end);
        return buf;
}

char *civil_format(const CivilTime *c, char buf[static TIME_TEXT_MAX]) {
        assert(c);

        return format_civil(c, "-", ' ', ":", "", buf);
}

char *rfc3339_format(usec_t at_usec, char buf[static TIME_TEXT_MAX]) {
        CivilTime c;

        civil_from_seconds((int64_t) (at_usec / USEC_PER_SEC), &c);
        return format_civil(&c, "-", 'T', ":", "Z", buf);
}

char *sdk_date_format(usec_t at_usec, char buf[static TIME_TEXT_MAX]) {
        CivilTime c;

        civil_from_seconds((int64_t) (at_usec / USEC_PER_SEC), &c);
        return format_civil(&c, "", 'T', "", "Z", buf);
}
