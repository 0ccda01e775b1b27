/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/value.h"

#include <arpa/inet.h>
#include <limits.h>

/* ASCII whatever the locale. */
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define ALNUM LOWER UPPER DIGITS

static bool made_of(const char *s, const char *characters, size_t min, size_t max) {
        size_t n;

        assert(s);

        n = strlen(s);
        return n >= min && n <= max && strspn(s, characters) == n;
}

/* C0, DEL and (in UTF-8) C1. */
static bool has_control(const char *s) {
        for (const unsigned char *p = (const unsigned char *) s; *p; p++)
                if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
                        return true;

        return false;
}

bool value_is_name(const char *s) {
        return made_of(s, ALNUM "._-", 1, 128);
}

bool value_is_region(const char *s) {
        return made_of(s, LOWER DIGITS "-", 1, 64);
}

bool value_is_project_id(const char *s) {
        return made_of(s, ALNUM, 32, 64);
}

bool value_is_domain_id(const char *s) {
        return made_of(s, ALNUM, 1, 64);
}

bool value_is_instance_id(const char *s) {
        return made_of(s, ALNUM "_-", 1, 64);
}

bool value_is_backup_id(const char *s) {
        return made_of(s, ALNUM, 36, 36);
}

bool value_is_kms_key_id(const char *s) {
        return made_of(s, ALNUM "-", 1, 64);
}

/* OBS API Reference, Creating a Bucket: naming rules. */
bool value_is_bucket_name(const char *s) {
        struct in_addr address;
        size_t n;

        if (!made_of(s, LOWER DIGITS ".-", 3, 63))
                return false;

        n = strlen(s);
        if (strchr(".-", s[0]) || strchr(".-", s[n - 1]))
                return false;
        if (strstr(s, "..") || strstr(s, ".-") || strstr(s, "-."))
                return false;
        return inet_pton(AF_INET, s, &address) != 1;
}

bool value_is_bucket_path(const char *s) {
        return strlen(s) <= 1024 && !has_control(s);
}

bool value_is_absolute_path(const char *s) {
        return s[0] == '/' && strlen(s) < PATH_MAX && !has_control(s);
}

bool value_is_label(const char *s) {
        size_t n = strlen(s);

        return n >= 1 && n <= 255 && !has_control(s);
}

bool value_fits_service(const char *instance_id, Service service, const char **reterr) {
        assert(instance_id);
        assert(reterr);

        switch (service) {
        case SERVICE_TAURUSDB:
                if (made_of(instance_id, ALNUM, 36, 36) && streq(instance_id + 32, "in07"))
                        return true;
                *reterr = "the id of a taurusdb instance: 36 letters and digits, the last four of them in07";
                return false;
        case SERVICE_GAUSSDB:
                if (made_of(instance_id, ALNUM, 36, 36))
                        return true;
                *reterr = "the id of a gaussdb instance: 36 letters and digits";
                return false;
        case SERVICE_DBSS:
                if (made_of(instance_id, ALNUM "_-", 32, 64))
                        return true;
                *reterr = "the id of a dbss instance: 32 to 64 letters, digits, hyphens and underscores";
                return false;
        case SERVICE_IAM:
        case SERVICE_METADATA:
        case SERVICE__MAX:
                break;
        }
        *reterr = "an instance of taurusdb, dbss or gaussdb";
        return false;
}
