/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/fleet.h"

#include <errno.h>

#include "report/clean.h"

int fleet_new(Fleet **ret) {
        _cleanup_(fleet_freep) Fleet *f = NULL;
        int r;

        assert(ret);

        f = calloc(1, sizeof(*f));
        if (!f)
                return -ENOMEM;

        r = arena_new(&f->arena);
        if (r < 0)
                return r;

        *ret = STEAL(f);
        return 0;
}

Fleet *fleet_free(Fleet *f) {
        if (!f)
                return NULL;

        arena_free(f->arena);
        free(f->items);
        free(f->endpoints);
        free(f);
        return NULL;
}

const char *fleet_text(Fleet *f, const char *s) {
        _cleanup_(freep) char *clean = NULL;
        size_t size;

        if (!s)
                return NULL;

        size = strlen(s) * CLEAN_GROWTH_MAX + 1;
        clean = malloc(size);
        if (!clean)
                return NULL;
        (void) clean_text(s, clean, size);
        return arena_intern_text(f->arena, clean);
}

static int own(Fleet *f, const StatusField *fields, size_t n, void *s) {
        for (size_t i = 0; i < n; i++) {
                const char **text = (const char **) (void *) ((char *) s + fields[i].offset);

                if (fields[i].type != STATUS_TEXT || !*text)
                        continue;
                *text = fleet_text(f, *text);
                if (!*text)
                        return -ENOMEM;
        }

        return 0;
}

int fleet_own(Fleet *f, ControlStatus *s) {
        int r;

        r = own(f, status_fields, n_status_fields, s);
        if (r < 0)
                return r;

        /* Sorting and matching need these. */
        s->name = s->name ? s->name : "";
        s->control = s->control ? s->control : "";
        s->instance_id = s->instance_id ? s->instance_id : "";
        return 0;
}

int fleet_add(Fleet *f, const ControlStatus *s) {
        int r;

        assert(f);
        assert(s);

        if (f->n_items >= f->n_allocated) {
                size_t n = MAX((size_t) 64, f->n_allocated * 2);
                ControlStatus *items = reallocarray(f->items, n, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                f->items = items;
                f->n_allocated = n;
        }

        f->items[f->n_items] = *s;
        r = fleet_own(f, &f->items[f->n_items]);
        if (r < 0)
                return r;

        f->n_items++;
        return 0;
}

int fleet_add_endpoint(Fleet *f, const EndpointStatus *s) {
        EndpointStatus *endpoints;
        int r;

        assert(f);
        assert(s);

        endpoints = reallocarray(f->endpoints, f->n_endpoints + 1, sizeof(*endpoints));
        if (!endpoints)
                return -ENOMEM;

        f->endpoints = endpoints;
        endpoints[f->n_endpoints] = *s;
        r = own(f, endpoint_status_fields, n_endpoint_status_fields, &endpoints[f->n_endpoints]);
        if (r < 0)
                return r;

        f->n_endpoints++;
        return 0;
}

static int by_name(const void *a, const void *b) {
        const ControlStatus *x = a, *y = b;
        int c = strcmp(x->name, y->name);

        if (c == 0)
                c = strcmp(x->instance_id, y->instance_id);
        return c != 0 ? c : strcmp(x->control, y->control);
}

void fleet_sort(Fleet *f) {
        if (f->n_items > 1)
                qsort(f->items, f->n_items, sizeof(*f->items), by_name);
}

Verdict status_verdict(const ControlStatus *s) {
        int r = s->verdict ? verdict_from_string(s->verdict) : -EINVAL;

        return r < 0 ? VERDICT_UNKNOWN : (Verdict) r;
}

void fleet_count(const Fleet *f, FleetCounts *ret) {
        FleetCounts c = { .n_controls = f->n_items };

        for (size_t i = 0; i < f->n_items; i++) {
                const ControlStatus *s = &f->items[i];

                if (i == 0 || !streq(s->name, f->items[i - 1].name))
                        c.n_instances++;
                switch (status_verdict(s)) {
                case VERDICT_COMPLIANT:
                        c.n_compliant++;
                        break;
                case VERDICT_VIOLATED:
                        c.n_violated++;
                        break;
                case VERDICT_UNKNOWN:
                case VERDICT__MAX:
                        c.n_unknown++;
                        break;
                }
        }

        *ret = c;
}

bool fleet_is_well(const Fleet *f, bool whole) {
        FleetCounts c;

        fleet_count(f, &c);
        if (c.n_compliant < c.n_controls)
                return false;
        if (!whole)
                return true;

        for (size_t i = 0; i < f->n_endpoints; i++)
                if (f->endpoints[i].frozen)
                        return false;
        return f->info.n_rejected == 0 && !f->info.settings_rejected && !f->info.policies_rejected &&
               !f->info.state_failing && !f->info.config_broken;
}

static const char *item_name(const void *list, size_t i) {
        return ((const Fleet *) list)->items[i].name;
}

static const char *item_instance_id(const void *list, size_t i) {
        return ((const Fleet *) list)->items[i].instance_id;
}

static void mark(void *userdata, size_t i) {
        bool *marks = userdata;

        marks[i] = true;
}

int fleet_select(Fleet *f, char *const names[], size_t n_names) {
        NameList list = { .n = f->n_items, .name = item_name, .instance_id = item_instance_id, .list = f };
        _cleanup_(freep) bool *marks = NULL;
        size_t n = 0;
        int r;

        if (n_names == 0)
                return 0;

        marks = calloc(MAX(f->n_items, (size_t) 1), sizeof(*marks));
        if (!marks)
                return -ENOMEM;

        for (size_t i = 0; i < n_names; i++) {
                r = names_match(&list, names[i], mark, marks);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < f->n_items; i++)
                if (marks[i])
                        f->items[n++] = f->items[i];
        f->n_items = n;
        return 0;
}
