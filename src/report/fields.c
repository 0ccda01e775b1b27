/* SPDX-License-Identifier: Apache-2.0 */
#include "report/fields.h"

#include <stdio.h>

#include "base/time-util.h"

#define IDENTIFIER "holdfastd"

static void add_sized(Fields *f, const char *name, const char *value, size_t value_max) {
        size_t n_name = strlen(name);
        Field *field;
        char *p;

        if (!value || !*value)
                return;

        assert(f->n_items < FIELDS_MAX);
        assert(n_name + 1 < FIELD_NAME_MAX);
        assert(sizeof(f->block) - f->n_block >= n_name + 1 + value_max);

        p = f->block + f->n_block;
        field = &f->items[f->n_items++];
        *field = (Field) { .name = name, .text = p, .value = p + n_name + 1 };

        memcpy(p, name, n_name);
        p[n_name] = '=';
        field->n_text = n_name + 1 + clean_text(value, p + n_name + 1, value_max);
        f->n_block += field->n_text + 1;
}

static void add(Fields *f, const char *name, const char *value) {
        add_sized(f, name, value, FIELD_VALUE_MAX);
}

/* 0: does not apply. */
static void add_number(Fields *f, const char *name, int64_t value) {
        char text[24];

        if (value == 0)
                return;

        (void) snprintf(text, sizeof(text), "%lld", (long long) value);
        add(f, name, text);
}

void fields_from_event(Fields *f, const Event *e, int priority) {
        const EventType *type = event_type(e->id);
        char digit[2] = { (char) ('0' + priority), 0 };
        char end[TIME_TEXT_MAX];

        assert(priority >= 0 && priority <= 7);

        f->n_items = 0;
        f->n_block = 0;
        add_sized(f, "MESSAGE", e->message, CLEAN_GROWTH_MAX * EVENT_MESSAGE_MAX);
        add(f, "PRIORITY", digit);
        add(f, "SYSLOG_IDENTIFIER", IDENTIFIER);
        add(f, "MESSAGE_ID", type->message_id);
        add(f, "HOLDFAST_EVENT", type->name);
        add(f, "HOLDFAST_NAME", e->name);
        add(f, "HOLDFAST_INSTANCE", e->instance);
        add(f, "HOLDFAST_SERVICE", e->service);
        add(f, "HOLDFAST_REGION", e->region);
        add(f, "HOLDFAST_CONTROL", e->control);
        add_number(f, "HOLDFAST_HTTP_STATUS", e->http_status);
        add(f, "HOLDFAST_ERROR_CODE", e->error_code);
        add(f, "HOLDFAST_REQUEST_ID", e->request_id);
        if (e->lock_end_usec > 0)
                add(f, "HOLDFAST_LOCK_END", rfc3339_format(e->lock_end_usec, end));
        add(f, "HOLDFAST_FILE", e->file);
        add_number(f, "HOLDFAST_LINE", e->line);
        add_number(f, "HOLDFAST_COLUMN", e->column);
}

const char *fields_get(const Fields *f, const char *name) {
        for (size_t i = 0; i < f->n_items; i++)
                if (streq(f->items[i].name, name))
                        return f->items[i].value;

        return NULL;
}
