/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timezone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/macro.h"

#define ZONEINFO_DIR "/usr/share/zoneinfo" /* glibc's own default; Filesystem Hierarchy Standard 3.0, 4.11.7 */
#define ZONE_NAME_MAX 255

/*
 * How far apart the zone is looked at while its table is taken. Two changes that cancel each other out within it would
 * be missed; the shortest known pair (Morocco, around Ramadan) is about 30 days apart.
 */
#define SAMPLE_SECONDS INT64_C(172800)

/* No clock on Earth is further from UTC: what a reading may mean lies within this around it. */
#define OFFSET_MAX_SECONDS INT64_C(172800)

typedef struct Span {
        int64_t from;           /* seconds since 1970 UTC; the first span's is that of TIME_MIN_USEC */
        int32_t offset;         /* seconds east of UTC, until the next span begins */
} Span;

struct Timezone {
        Timezone *next;
        char *name;
        Span *spans;            /* at least one, ascending */
        size_t n_spans, n_allocated;
};

static Timezone *zones; /* few: one a zone that some policy names */

static Timezone *timezone_free(Timezone *z) {
        if (!z)
                return NULL;

        free(z->name);
        free(z->spans);
        free(z);
        return NULL;
}
DEFINE_CLEANUP(Timezone *, timezone_free)

/*
 * Only what may be an IANA name: the C library would take much else, such as POSIX rules or files anywhere. The
 * folders posix and right repeat the tree (the latter with leap seconds counted, which no other time here does), and
 * two more files beside the zones stand for whatever the host is set to.
 */
static bool name_is_sane(const char *name) {
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-_/";
        size_t n = strnlen(name, ZONE_NAME_MAX + 1);

        return n > 0 && n <= ZONE_NAME_MAX && name[0] != '/' && name[n - 1] != '/' && strspn(name, allowed) == n &&
               strncmp(name, "posix/", 6) != 0 && strncmp(name, "right/", 6) != 0 && strcmp(name, "localtime") != 0 &&
               strcmp(name, "posixrules") != 0;
}

static int zone_file_check(const char *name) {
        static const char magic[4] = { 'T', 'Z', 'i', 'f' };
        const char *dir = getenv("TZDIR");
        _cleanup_(freep) char *path = NULL;
        _cleanup_(close_fdp) int fd = -1;
        char start[sizeof(magic)];
        struct stat st;

        if (asprintf(&path, "%s/%s", dir && *dir ? dir : ZONEINFO_DIR, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return errno == ENOMEM ? -ENOMEM : -ENOENT;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return -ENOENT;
        if (read(fd, start, sizeof(start)) != sizeof(start) || memcmp(start, magic, sizeof(magic)) != 0)
                return -ENOENT;

        return 0;
}

static int tz_set(const char *value) {
        if ((value ? setenv("TZ", value, 1) : unsetenv("TZ")) < 0)
                return -ENOMEM;

        /* It has no other way to say so, and takes UTC instead. */
        errno = 0;
        tzset();
        return errno == ENOMEM ? -ENOMEM : 0;
}

static int libc_offset(int64_t at, int32_t *ret) {
        time_t t = (time_t) at;
        struct tm tm;

        errno = 0;
        if (!localtime_r(&t, &tm))
                return -ERANGE;
        if (errno == ENOMEM)
                return -ENOMEM; /* the rule for the years after the zone's table could not be read */

        *ret = (int32_t) tm.tm_gmtoff;
        return 0;
}

static int add_span(Timezone *z, int64_t from, int32_t offset) {
        if (z->n_spans == z->n_allocated) {
                size_t n = z->n_allocated > 0 ? z->n_allocated * 2 : 16;
                Span *spans = reallocarray(z->spans, n, sizeof(*spans));

                if (!spans)
                        return -ENOMEM;
                z->spans = spans;
                z->n_allocated = n;
        }

        z->spans[z->n_spans++] = (Span) { .from = from, .offset = offset };
        return 0;
}

/*
 * The first second after @before at which the offset is no longer @offset, as it was at @before, given that it is
 * another one at @after; and the offset from there on.
 */
static int find_change(int64_t before, int64_t after, int32_t offset, int64_t *ret_at, int32_t *ret_offset) {
        int32_t offset_after = offset, o;
        int r;

        r = libc_offset(after, &offset_after);
        if (r < 0)
                return r;

        while (after - before > 1) {
                int64_t middle = before + (after - before) / 2;

                r = libc_offset(middle, &o);
                if (r < 0)
                        return r;
                if (o == offset)
                        before = middle;
                else {
                        after = middle;
                        offset_after = o;
                }
        }

        *ret_at = after;
        *ret_offset = offset_after;
        return 0;
}

/* With TZ set to the zone. */
static int take_table(Timezone *z) {
        const int64_t end = (int64_t) (TIME_MAX_USEC / USEC_PER_SEC);
        int64_t at = (int64_t) (TIME_MIN_USEC / USEC_PER_SEC);
        int32_t offset = 0, next_offset;
        int r;

        r = libc_offset(at, &offset);
        if (r < 0)
                return r;
        r = add_span(z, at, offset);
        if (r < 0)
                return r;

        while (at < end) {
                int64_t next = MIN(at + SAMPLE_SECONDS, end);

                r = libc_offset(next, &next_offset);
                if (r < 0)
                        return r;
                if (next_offset == offset) {
                        at = next;
                        continue;
                }

                /* On from the change itself, since another one may follow before @next. */
                r = find_change(at, next, offset, &at, &offset);
                if (r < 0)
                        return r;
                r = add_span(z, at, offset);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int timezone_new(const char *name, Timezone **ret) {
        _cleanup_(timezone_freep) Timezone *z = NULL;
        _cleanup_(freep) char *tz = NULL, *tz_before = NULL;
        const char *environment = getenv("TZ");
        int r, r_restore;

        z = calloc(1, sizeof(*z));
        if (!z)
                return -ENOMEM;
        z->name = strdup(name);
        if (!z->name)
                return -ENOMEM;
        if (environment) {
                tz_before = strdup(environment);
                if (!tz_before)
                        return -ENOMEM;
        }
        if (asprintf(&tz, ":%s", name) < 0) {
                tz = NULL;
                return -ENOMEM;
        }

        r = tz_set(tz);
        if (r >= 0)
                r = take_table(z);
        r_restore = tz_set(tz_before);
        if (r < 0)
                return r;
        if (r_restore < 0)
                return r_restore;

        *ret = STEAL(z);
        return 0;
}

int timezone_get(const char *name, const Timezone **ret) {
        Timezone *z;
        int r;

        assert(name);
        assert(ret);

        for (z = zones; z; z = z->next)
                if (streq(z->name, name)) {
                        *ret = z;
                        return 0;
                }

        if (!name_is_sane(name))
                return -ENOENT;
        r = zone_file_check(name);
        if (r < 0)
                return r;
        r = timezone_new(name, &z);
        if (r < 0)
                return r;

        z->next = zones;
        zones = z;
        *ret = z;
        return 0;
}

void timezone_forget_all(void) {
        while (zones) {
                Timezone *z = zones;

                zones = z->next;
                timezone_free(z);
        }
}

const char *timezone_name(const Timezone *z) {
        assert(z);
        return z->name;
}

/* The last span that begins at @at or before; the first for all earlier moments. */
static size_t find_span(const Timezone *z, int64_t at) {
        size_t low = 0, high = z->n_spans;

        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (z->spans[middle].from <= at)
                        low = middle;
                else
                        high = middle;
        }

        return low;
}

int32_t timezone_offset(const Timezone *z, usec_t at_usec) {
        assert(z);

        return z->spans[find_span(z, (int64_t) (at_usec / USEC_PER_SEC))].offset;
}

usec_t timezone_next_change(const Timezone *z, usec_t at_usec) {
        size_t i;

        assert(z);

        i = find_span(z, (int64_t) (at_usec / USEC_PER_SEC)) + 1;
        return i < z->n_spans ? (usec_t) z->spans[i].from * USEC_PER_SEC : USEC_INFINITY;
}

void timezone_to_civil(const Timezone *z, usec_t at_usec, CivilTime *ret) {
        assert(z);
        assert(ret);

        civil_from_seconds((int64_t) (at_usec / USEC_PER_SEC) + timezone_offset(z, at_usec), ret);
}

usec_t timezone_from_civil(const Timezone *z, const CivilTime *c) {
        int64_t reading, at;
        size_t i;

        assert(z);
        assert(c);

        reading = civil_to_seconds(c);

        /* The first span whose last reading is not before this one: of two that show it, the earlier. */
        i = find_span(z, reading - OFFSET_MAX_SECONDS);
        while (i + 1 < z->n_spans && reading - z->spans[i].offset >= z->spans[i + 1].from)
                i++;

        /* Where even its first reading is later, clocks skipped this one: it is counted on from before the gap. */
        at = reading - z->spans[i].offset;
        if (i > 0 && at < z->spans[i].from)
                at = reading - z->spans[i - 1].offset;

        return at > 0 ? (usec_t) at * USEC_PER_SEC : 0;
}
