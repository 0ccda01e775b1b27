/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include "policy/keys.h"
#include "policy/load.h"
#include "policy/record.h"

const char *mode_to_string(Mode m) {
        assert(m < MODE__MAX);
        return key_words_mode[m];
}

const char *language_to_string(Language l) {
        assert(l < LANGUAGE__MAX);
        return key_words_language[l];
}

const char *credentials_source_to_string(CredentialsSource s) {
        assert(s < CREDENTIALS_SOURCE__MAX);
        return key_words_credentials[s];
}

const char *extension_to_string(Extension e) {
        assert(e < EXTENSION__MAX);
        return key_words_extension[e];
}

static const void *instance_control(const Instance *i, Control c) {
        switch (c) {
        case CONTROL_ENCRYPTION:
                return i->terms->encryption;
        case CONTROL_SCHEDULE:
                return i->terms->schedule;
        case CONTROL_LOCK:
                return i->terms->lock;
        case CONTROL_DOWNLOAD:
                return i->terms->download;
        case CONTROL__MAX:
                break;
        }
        assert(false);
        return NULL;
}

bool instance_has(const Instance *i, Control c) {
        assert(i);
        return instance_control(i, c) != NULL;
}

usec_t instance_poll_usec(const Instance *i, Control c) {
        assert(instance_has(i, c));

        switch (c) {
        case CONTROL_ENCRYPTION:
                return i->terms->encryption->poll_usec;
        case CONTROL_SCHEDULE:
                return i->terms->schedule->poll_usec;
        case CONTROL_LOCK:
                return i->terms->lock->poll_usec;
        case CONTROL_DOWNLOAD:
                return i->terms->download->poll_usec;
        case CONTROL__MAX:
                break;
        }
        return USEC_INFINITY;
}

Mode instance_mode(const Instance *i, const Settings *settings) {
        assert(i);
        assert(settings);
        return i->terms->mode < MODE__MAX ? i->terms->mode : settings->mode;
}

bool instance_equal(const Instance *a, const Instance *b) {
        Document x, y;

        assert(a);
        assert(b);

        x = (Document) { .instance = *a, .terms = *a->terms };
        y = (Document) { .instance = *b, .terms = *b->terms };
        return record_equal(&keys_instance, &x, &y);
}

Settings *settings_free(Settings *s) {
        if (!s)
                return NULL;

        record_done(&keys_settings, s);
        free(s);
        return NULL;
}
