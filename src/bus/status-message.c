/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/status-message.h"

#include <errno.h>

#include "report/clean.h"

#define TEXT_MAX 4096           /* bytes; three times the longest that the engine keeps: a cloud's message */

static const char *field_type(StatusType t) {
        switch (t) {
        case STATUS_TEXT:
                return "s";
        case STATUS_BOOL:
                return "b";
        case STATUS_UINT:
                return "u";
        case STATUS_UINT64:
        case STATUS_TIME:
        case STATUS_DURATION:
                return "t";
        }

        assert(false);
        return NULL;
}

static int append_value(sd_bus_message *m, const StatusField *f, const void *member) {
        char text[TEXT_MAX];
        int b;

        switch (f->type) {
        case STATUS_TEXT:
                /* A message that is not valid UTF-8 would cost the daemon its connection. */
                (void) clean_text(*(const char *const *) member, text, sizeof(text));
                return sd_bus_message_append_basic(m, 's', text);
        case STATUS_BOOL:
                b = *(const bool *) member;
                return sd_bus_message_append_basic(m, 'b', &b);
        case STATUS_UINT:
                return sd_bus_message_append_basic(m, 'u', member);
        case STATUS_UINT64:
        case STATUS_TIME:
        case STATUS_DURATION:
                return sd_bus_message_append_basic(m, 't', member);
        }

        assert(false);
        return -EINVAL;
}

static int append_field(sd_bus_message *m, const StatusField *f, const void *s) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', f->key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', field_type(f->type));
        if (r >= 0)
                r = append_value(m, f, (const char *) s + f->offset);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append(sd_bus_message *m, const StatusField *fields, size_t n_fields, const void *s) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (size_t i = 0; r >= 0 && i < n_fields; i++)
                if (status_field_is_set(&fields[i], s))
                        r = append_field(m, &fields[i], s);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int status_message_append(sd_bus_message *m, const ControlStatus *s) {
        assert(m);
        assert(s);
        return append(m, status_fields, n_status_fields, s);
}

int status_message_append_endpoint(sd_bus_message *m, const EndpointStatus *s) {
        assert(m);
        assert(s);
        return append(m, endpoint_status_fields, n_endpoint_status_fields, s);
}

static int read_value(sd_bus_message *m, const StatusField *f, void *member) {
        int r, b = 0;

        switch (f->type) {
        case STATUS_TEXT:
                return sd_bus_message_read_basic(m, 's', member);
        case STATUS_BOOL:
                r = sd_bus_message_read_basic(m, 'b', &b);
                *(bool *) member = b;
                return r;
        case STATUS_UINT:
                return sd_bus_message_read_basic(m, 'u', member);
        case STATUS_UINT64:
        case STATUS_TIME:
        case STATUS_DURATION:
                return sd_bus_message_read_basic(m, 't', member);
        }

        assert(false);
        return -EINVAL;
}

static int read_variant(sd_bus_message *m, const StatusField *f, void *s) {
        const char *contents;
        int r;

        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        if (!streq0(contents, field_type(f->type)))
                return -EBADMSG;

        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r >= 0)
                r = read_value(m, f, (char *) s + f->offset);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static const StatusField *find_field(const StatusField *fields, size_t n_fields, const char *key) {
        for (size_t i = 0; i < n_fields; i++)
                if (streq(fields[i].key, key))
                        return &fields[i];

        return NULL;
}

/* One entry of the dictionary. Return: 1; 0 if there is none. */
static int read_entry(sd_bus_message *m, const StatusField *fields, size_t n_fields, void *s) {
        const StatusField *f;
        const char *key;
        int r;

        r = sd_bus_message_enter_container(m, 'e', "sv");
        if (r <= 0)
                return r;

        r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
                return r;

        f = find_field(fields, n_fields, key);
        r = f ? read_variant(m, f, s) : sd_bus_message_skip(m, "v");
        if (r < 0)
                return r;

        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

static int read_all(sd_bus_message *m, const StatusField *fields, size_t n_fields, void *s) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r <= 0)
                return r == -ENXIO ? -EBADMSG : r;

        while ((r = read_entry(m, fields, n_fields, s)) > 0)
                ;
        if (r < 0)
                return r == -ENXIO ? -EBADMSG : r;

        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

int status_message_read(sd_bus_message *m, ControlStatus *ret) {
        ControlStatus s = {};
        int r;

        assert(m);
        assert(ret);

        r = read_all(m, status_fields, n_status_fields, &s);
        if (r > 0)
                *ret = s;
        return r;
}

int status_message_read_endpoint(sd_bus_message *m, EndpointStatus *ret) {
        EndpointStatus s = {};
        int r;

        assert(m);
        assert(ret);

        r = read_all(m, endpoint_status_fields, n_endpoint_status_fields, &s);
        if (r > 0)
                *ret = s;
        return r;
}
