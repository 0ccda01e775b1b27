/* SPDX-License-Identifier: Apache-2.0 */

/* The smaller parts: the table of keys, distances of words, addresses, single values, memory. */

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/arena.h"
#include "policy/claims.h"
#include "policy/keys.h"
#include "policy/nearest.h"
#include "policy/origin.h"
#include "policy/tree.h"
#include "policy/value.h"

/* --- Table ------------------------------------------------------------------------------------------------------ */

static void assert_range(const KeyInfo *key) {
        usec_t shortest, longest, initial;

        if (key->type != KEY_DURATION) {
                assert_true(key->max > key->min);
                return;
        }
        assert_int_equal(duration_parse(key->shortest, &shortest), 0);
        assert_int_equal(duration_parse(key->longest, &longest), 0);
        assert_true(shortest < longest);
        if (!key->initial || streq(key->initial, "never")) {
                assert_true(!key->initial || key->flags & KEY_NEVER);
                return;
        }
        assert_int_equal(duration_parse(key->initial, &initial), 0);
        assert_true(initial >= shortest && initial <= longest);
}

static int visit_key(void *userdata, const char *path, const KeyInfo *key) {
        char expected[KEY_EXPECTED_MAX];
        size_t *n = userdata;

        (*n)++;
        assert_true(strlen(path) < KEY_PATH_MAX - 1);
        assert_true(strlen(path) >= strlen(key->key));
        assert_string_equal(path + strlen(path) - strlen(key->key), key->key);
        assert_true(strlen(key->key) <= NEAREST_WORD_MAX);
        assert_non_null(key->help);
        assert_false(key->flags & KEY_REQUIRED && key->initial); /* what has a default may be left out */
        assert_int_equal(key->section != NULL, key->type == KEY_SECTION || key->type == KEY_CONTROL);
        if (key->section)
                assert_true(key->section->n_keys > 0 && key->section->n_keys <= KEYS_MAX);
        if (key->type == KEY_TEXT)
                assert_true(key->check && key->form);
        if (key->type == KEY_WORD)
                assert_true(key->n_words > 0);
        if (key->type == KEY_DURATION || key->type == KEY_INTEGER || key->type == KEY_COUNT || key->type == KEY_RATE)
                assert_range(key);
        if (key->type == KEY_INTEGER || key->type == KEY_COUNT)
                assert_non_null(key->unit);

        key_expected(key, expected);
        assert_true(strlen(expected) > 0 && strlen(expected) < KEY_EXPECTED_MAX - 1); /* whole */
        return 0;
}

static void test_table(void **state) {
        size_t n_settings = 0, n_instance = 0;

        assert_true(keys_settings.n_keys <= KEYS_MAX);
        assert_true(keys_instance.n_keys <= KEYS_MAX);
        assert_int_equal(keys_each(&keys_settings, visit_key, &n_settings), 0);
        assert_int_equal(keys_each(&keys_instance, visit_key, &n_instance), 0);
        assert_int_equal(n_settings, 46);
        assert_int_equal(n_instance, 34);
}

static int stop_at_lock(void *userdata, const char *path, const KeyInfo *key) {
        return streq(path, "lock") ? -ECANCELED : 0;
}

static void test_keys_each_stops(void **state) {
        assert_int_equal(keys_each(&keys_instance, stop_at_lock, NULL), -ECANCELED);
}

static int has_path(void *userdata, const char *path, const KeyInfo *key) {
        return streq(path, userdata) ? -EEXIST : 0;
}

static void test_defaults_take_what_has_one(void **state) {
        assert_int_equal(keys_each(&keys_settings, has_path, (void *) "defaults.lock.poll"), -EEXIST);
        assert_int_equal(keys_each(&keys_settings, has_path, (void *) "defaults.schedule.reapply"), -EEXIST);
        assert_int_equal(keys_each(&keys_settings, has_path, (void *) "defaults.lock.retention_days"), 0);
        assert_int_equal(keys_each(&keys_settings, has_path, (void *) "defaults.encryption.kms_key_id"), 0);
}

/* The table has words of its own for what facts/ names too: they must be the same, in the same order. */
static void test_words_of_facts(void **state) {
        const KeyInfo *service = keys_find(&keys_instance, "service");
        const KeyInfo *cycle = keys_find(keys_control(CONTROL_SCHEDULE)->section, "cycle");

        assert_non_null(service);
        for (size_t i = 0; i < service->n_words; i++)
                assert_string_equal(service->words[i], service_to_string((Service) i));
        assert_non_null(cycle);
        assert_int_equal(cycle->n_words, CYCLE__MAX);
        for (size_t i = 0; i < cycle->n_words; i++)
                assert_string_equal(cycle->words[i], cycle_to_string((Cycle) i));
        for (Control c = 0; c < CONTROL__MAX; c++) {
                assert_non_null(keys_control(c));
                assert_string_equal(keys_control(c)->key, control_to_string(c));
        }
        assert_null(keys_find(&keys_instance, "servic"));
}

static void test_enums_to_string(void **state) {
        assert_string_equal(mode_to_string(MODE_OBSERVE), "observe");
        assert_string_equal(language_to_string(LANGUAGE_ZH_CN), "zh-cn");
        assert_string_equal(credentials_source_to_string(CREDENTIALS_PROFILE), "profile");
        assert_string_equal(extension_to_string(EXTENSION_FROM_START), "from-start");
}

/* --- Words ------------------------------------------------------------------------------------------------------ */

static void test_word_distance(void **state) {
        static const struct {
                const char *a, *b;
                size_t distance;
                bool near;
        } cases[] = {
                { "poll", "poll", 0, true },
                { "POLL", "poll", 0, true },
                { "renew-before", "renew_before", 0, true },
                { "renew_befor", "renew_before", 1, true },
                { "renwe_before", "renew_before", 1, true },
                { "rnew_befores", "renew_before", 2, true },
                { "pol", "poll", 1, true },
                { "pl", "poll", 2, false },
                { "mode", "name", 3, false },
                { "", "poll", 4, false },
                { "kitten", "sitting", 3, false },
                { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "poll", SIZE_MAX, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                print_message("%s %s\n", cases[i].a, cases[i].b);
                assert_int_equal(word_distance(cases[i].a, cases[i].b), cases[i].distance);
                assert_int_equal(word_distance(cases[i].b, cases[i].a), cases[i].distance);
                assert_int_equal(word_is_near(cases[i].a, cases[i].distance), cases[i].near);
        }
}

static void test_word_begins(void **state) {
        static const struct {
                const char *word, *whole;
                bool begins;
        } cases[] = {
                { "kms_key", "kms_key_id", true },
                { "KMS-", "kms_key_id", true },
                { "kms_key_id", "kms_key_id", true },
                { "kms_key_ids", "kms_key_id", false },
                { "key_id", "kms_key_id", false },
                { "km", "kms_key_id", false },
                { "", "kms_key_id", false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++)
                assert_int_equal(word_begins(cases[i].word, cases[i].whole), cases[i].begins);
}

/* --- Addresses -------------------------------------------------------------------------------------------------- */

static void test_origin_parse(void **state) {
        static const struct {
                const char *s;
                OriginUse use;
                const char *origin, *error;
        } cases[] = {
                { "https://a.example", ORIGIN_SERVICE, "https://a.example", NULL },
                { "https://a.example/", ORIGIN_SERVICE, "https://a.example", NULL },
                { "HTTPS://A.Example:8443/", ORIGIN_SERVICE, "https://a.example:8443", NULL },
                { "a.example", ORIGIN_SERVICE, "https://a.example", NULL },
                { "a.example:1", ORIGIN_SERVICE, "https://a.example:1", NULL },
                { "https://10.0.0.1", ORIGIN_SERVICE, "https://10.0.0.1", NULL },
                { "http://localhost:80", ORIGIN_SERVICE, "http://localhost:80", NULL },
                { "http://127.1.2.3", ORIGIN_SERVICE, "http://127.1.2.3", NULL },
                { "http://[::1]:8080", ORIGIN_SERVICE, "http://[::1]:8080", NULL },
                { "https://[2001:DB8::1]", ORIGIN_SERVICE, "https://[2001:db8::1]", NULL },
                { "http://169.254.169.254", ORIGIN_METADATA, "http://169.254.169.254", NULL },
                { "http://127.0.0.1:8", ORIGIN_METADATA, "http://127.0.0.1:8", NULL },
                { "http://proxy:3128", ORIGIN_PROXY, "http://proxy:3128", NULL },
                { "https://proxy/", ORIGIN_PROXY, "https://proxy", NULL },
                { "http://a.example", ORIGIN_SERVICE, NULL, "found plain http to another host" },
                { "http://128.0.0.1", ORIGIN_SERVICE, NULL, "found plain http to another host" },
                { "http://localhost.example", ORIGIN_SERVICE, NULL, "found plain http to another host" },
                { "http://127.0.0.1.example", ORIGIN_SERVICE, NULL, "found plain http to another host" },
                { "http://169.254.169.254", ORIGIN_SERVICE, NULL, "found plain http to another host" },
                { "http://169.254.169.253", ORIGIN_METADATA, NULL, "found plain http to another host" },
                { "proxy:3128", ORIGIN_PROXY, NULL, "found an address without http:// or https://" },
                { "socks5://proxy", ORIGIN_PROXY, NULL, "found an address that is neither http nor https" },
                { "://a", ORIGIN_SERVICE, NULL, "found an address that is neither http nor https" },
                { "https://u:p@a.example", ORIGIN_SERVICE, NULL, "found an address with a user name or password in it" },
                { "ftp://u:p@a.example", ORIGIN_SERVICE, NULL, "found an address with a user name or password in it" },
                { "https://a.example/v3", ORIGIN_SERVICE, NULL, "found an address with a path or query" },
                { "https://a.example//", ORIGIN_SERVICE, NULL, "found an address with a path or query" },
                { "https://a.example?x", ORIGIN_SERVICE, NULL, "found an address with a path or query" },
                { "https://a.example#x", ORIGIN_SERVICE, NULL, "found an address with a path or query" },
                { "https://", ORIGIN_SERVICE, NULL, "found an address without a host" },
                { "", ORIGIN_SERVICE, NULL, "found an address without a host" },
                { "/", ORIGIN_SERVICE, NULL, "found an address without a host" },
                { "https://:443", ORIGIN_SERVICE, NULL, "found an address with a host that is none" },
                { "https://a b", ORIGIN_SERVICE, NULL, "found an address with a host that is none" },
                { "https://a..b", ORIGIN_SERVICE, NULL, "found an address with a host that is none" },
                { "https://127.1", ORIGIN_SERVICE, NULL, "found an address with a host that is none" },
                { "https://256.1.1.1", ORIGIN_SERVICE, NULL, "found an address with a host that is none" },
                { "https://[::g]", ORIGIN_SERVICE, NULL, "found an address with a host that is none" },
                { "https://[::1", ORIGIN_SERVICE, NULL, "found an address with a port that is none" },
                { "https://a\r\nHost: b", ORIGIN_SERVICE, NULL, "found an address with a port that is none" },
                { "https://a\r\nb", ORIGIN_SERVICE, NULL, "found an address with a host that is none" },
                { "https://b\xc3\xa4r", ORIGIN_SERVICE, NULL, "found an address with a host that is none" },
                { "https://a:", ORIGIN_SERVICE, NULL, "found an address with a port that is none" },
                { "https://a:0", ORIGIN_SERVICE, NULL, "found an address with a port that is none" },
                { "https://a:65536", ORIGIN_SERVICE, NULL, "found an address with a port that is none" },
                { "https://a:1x", ORIGIN_SERVICE, NULL, "found an address with a port that is none" },
                { "https://a:1:2", ORIGIN_SERVICE, NULL, "found an address with a port that is none" },
        };
        _cleanup_(arena_freep) Arena *arena = NULL;

        assert_int_equal(arena_new(&arena), 0);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const char *error = NULL;
                char *origin = NULL;
                int r;

                print_message("%s\n", cases[i].s);
                r = origin_parse(arena, cases[i].s, cases[i].use, &origin, &error);
                assert_int_equal(r, cases[i].origin ? 0 : -EINVAL);
                if (cases[i].origin)
                        assert_string_equal(origin, cases[i].origin);
                else
                        assert_string_equal(error, cases[i].error);
        }
}

static void test_origin_parse_long(void **state) {
        _cleanup_(arena_freep) Arena *arena = NULL;
        const char *error;
        char text[1000] = "https://", *origin;

        assert_int_equal(arena_new(&arena), 0);
        for (size_t n = 1; n < sizeof(text) - 9; n++) {
                text[8 + n - 1] = n % 50 ? 'a' : '.';
                text[8 + n] = '\0';
                assert_int_equal(origin_parse(arena, text, ORIGIN_SERVICE, &origin, &error), n <= 253 ? 0 : -EINVAL);
        }
}

/* --- Values ----------------------------------------------------------------------------------------------------- */

#define X31 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X32 X31 "x"
#define X64 X32 X32

static void test_values(void **state) {
        static const struct {
                bool (*check)(const char *s);
                const char *s;
                bool good;
        } cases[] = {
                { value_is_name, "a.b-c_D9", true },
                { value_is_name, "", false },
                { value_is_name, X64 X64, true },
                { value_is_name, X64 X64 "x", false },
                { value_is_name, "a b", false },
                { value_is_name, "a/b", false },
                { value_is_region, "ap-southeast-1", true },
                { value_is_region, "AP", false },
                { value_is_region, "a.b", false },
                { value_is_project_id, X31, false },
                { value_is_project_id, X32, true },
                { value_is_project_id, X64, true },
                { value_is_project_id, X64 "x", false },
                { value_is_project_id, X31 "-", false },
                { value_is_domain_id, "1", true },
                { value_is_domain_id, "", false },
                { value_is_domain_id, "a/", false },
                { value_is_backup_id, X32 "br14", true },
                { value_is_backup_id, X32 "br1", false },
                { value_is_backup_id, X32 "br14x", false },
                { value_is_backup_id, X32 "b-14", false },
                { value_is_kms_key_id, "4f1b0c7e-5d7a-4b53-9d2c-0d5a1f3a8c11", true },
                { value_is_kms_key_id, "", false },
                { value_is_kms_key_id, "a_b", false },
                { value_is_bucket_name, "abc", true },
                { value_is_bucket_name, "a.b-c", true },
                { value_is_bucket_name, "ab", false },
                { value_is_bucket_name, X64, false },
                { value_is_bucket_name, X32 X31, true },
                { value_is_bucket_name, "Abc", false },
                { value_is_bucket_name, "-abc", false },
                { value_is_bucket_name, "abc.", false },
                { value_is_bucket_name, "a..b", false },
                { value_is_bucket_name, "a.-b", false },
                { value_is_bucket_name, "a-.b", false },
                { value_is_bucket_name, "10.0.0.1", false },
                { value_is_bucket_path, "", true },
                { value_is_bucket_path, "a/b \xc3\xa4", true },
                { value_is_bucket_path, "a\nb", false },
                { value_is_bucket_path, "a\x7f", false },
                { value_is_bucket_path, "a\xc2\x85", false },
                { value_is_bucket_path, "a\xc2\xa0", true },
                { value_is_absolute_path, "/etc", true },
                { value_is_absolute_path, "etc", false },
                { value_is_absolute_path, "", false },
                { value_is_absolute_path, "/a\n", false },
                { value_is_label, "holdfast operator", true },
                { value_is_label, "", false },
                { value_is_label, "a\x1b", false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                print_message("%s\n", cases[i].s);
                assert_int_equal(cases[i].check(cases[i].s), cases[i].good);
        }
}

static void test_value_fits_service(void **state) {
        static const struct {
                const char *id;
                Service service;
                bool good;
        } cases[] = {
                { X32 "in07", SERVICE_TAURUSDB, true },
                { X32 "in14", SERVICE_TAURUSDB, false },
                { X31 "in07", SERVICE_TAURUSDB, false },
                { X32 "xin07", SERVICE_TAURUSDB, false },
                { X31 "-in07", SERVICE_TAURUSDB, false },
                { X32 "in14", SERVICE_GAUSSDB, true },
                { X32 "in07", SERVICE_GAUSSDB, true },
                { X32, SERVICE_GAUSSDB, false },
                { X31 "_in14", SERVICE_GAUSSDB, false },
                { X32, SERVICE_DBSS, true },
                { X31 "-", SERVICE_DBSS, true },
                { X31, SERVICE_DBSS, false },
                { X64, SERVICE_DBSS, true },
                { X64 "x", SERVICE_DBSS, false },
                { X32 "in07", SERVICE_IAM, false },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const char *expected = NULL;

                print_message("%s %s\n", service_to_string(cases[i].service), cases[i].id);
                assert_int_equal(value_fits_service(cases[i].id, cases[i].service, &expected), cases[i].good);
                assert_int_equal(expected == NULL, cases[i].good);
        }
}

/* --- Memory ----------------------------------------------------------------------------------------------------- */

static void test_arena(void **state) {
        _cleanup_(arena_freep) Arena *arena = NULL;
        unsigned char *all[200];
        const char *a, *b;

        assert_int_equal(arena_new(&arena), 0);
        for (size_t i = 0; i < N_ELEMENTS(all); i++) {
                all[i] = arena_alloc(arena, i * 37);
                assert_non_null(all[i]);
                assert_int_equal((uintptr_t) all[i] % _Alignof(max_align_t), 0);
                for (size_t j = 0; j < i * 37; j++)
                        assert_int_equal(all[i][j], 0);
                memset(all[i], (int) i, i * 37);
        }
        for (size_t i = 0; i < N_ELEMENTS(all); i++) /* nobody has written over anybody */
                for (size_t j = 0; j < i * 37; j++)
                        assert_int_equal(all[i][j], i);
        assert_null(arena_alloc(arena, SIZE_MAX));
        assert_null(arena_alloc(arena, SIZE_MAX - 1));

        a = arena_intern_text(arena, "region");
        b = arena_intern_text(arena, "regio");
        assert_string_equal(a, "region");
        assert_string_equal(b, "regio");
        assert_ptr_equal(arena_intern_text(arena, "region"), a);
        assert_ptr_not_equal(arena_strdup(arena, "region"), a);
        assert_string_equal(arena_strndup(arena, "region", 3), "reg");
        assert_memory_equal(arena_copy(arena, "a\0b", 4), "a\0b", 4);

        arena_reset(arena);
        assert_string_equal(arena_intern_text(arena, "region"), "region");
        assert_non_null(arena_alloc(arena, 10000000));
        arena_reset(arena);
        a = arena_alloc(arena, 100);
        assert_non_null(a);
        for (size_t i = 0; i < 100; i++)
                assert_int_equal(a[i], 0);
}

static void test_arena_intern_many(void **state) {
        _cleanup_(arena_freep) Arena *arena = NULL;
        const void *all[1000];
        size_t n_bytes;

        assert_int_equal(arena_new(&arena), 0);
        for (size_t i = 0; i < N_ELEMENTS(all); i++)
                all[i] = arena_intern(arena, &i, 1 + i % sizeof(i)); /* a part of a number is another thing than the whole */
        n_bytes = arena_size(arena);
        for (size_t i = 0; i < N_ELEMENTS(all); i++) {
                assert_memory_equal(all[i], &i, 1 + i % sizeof(i));
                assert_ptr_equal(arena_intern(arena, &i, 1 + i % sizeof(i)), all[i]);
        }
        assert_int_equal(arena_size(arena), n_bytes);
}

/* --- Claims ----------------------------------------------------------------------------------------------------- */

#define CLAIMANTS 40

/* What is free, by looking at all. */
static bool is_free(const Instance *all, const bool *has, size_t k) {
        for (size_t i = 0; i < CLAIMANTS; i++) {
                bool same = all[i].service == all[k].service && streq(all[i].instance_id, all[k].instance_id);

                if (has[i] && (streq(all[i].name, all[k].name) ||
                               (same && ((all[i].terms->lock && all[k].terms->lock) || (all[i].terms->encryption && all[k].terms->encryption)))))
                        return false;
        }
        return true;
}

/* Few names and ids, so that many meet, and entries come and go in all orders. */
static void test_claims(void **state) {
        static const EncryptionPolicy encryption;
        static const LockPolicy lock;
        static const char names[12][4] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l" };
        _cleanup_(claims_freep) Claims *claims = NULL;
        Instance all[CLAIMANTS], twins[CLAIMANTS];
        Terms terms[CLAIMANTS] = {};
        bool has[CLAIMANTS] = {}, moved[CLAIMANTS] = {};
        unsigned seed = 1;

        for (size_t i = 0; i < CLAIMANTS; i++) {
                terms[i].lock = i % 2 == 0 ? &lock : NULL;
                terms[i].encryption = i % 3 == 0 || !terms[i].lock ? &encryption : NULL;
                all[i] = (Instance) {
                        .name = names[i % 12], .instance_id = names[i / 3 % 5], .service = i % 7 == 0, .terms = &terms[i],
                };
                twins[i] = all[i];
        }
        assert_int_equal(claims_new(&claims), 0);

        for (size_t step = 0; step < 20000; step++) {
                size_t k = (seed = seed * 1664525 + 1013904223) / 65536 % CLAIMANTS;
                const Instance *holder = moved[k] ? &twins[k] : &all[k];

                assert_int_equal(claims_are_free(claims, &all[k]), is_free(all, has, k));
                if (!has[k] && is_free(all, has, k)) {
                        assert_int_equal(claims_add(claims, &all[k]), 0);
                        has[k] = true;
                        moved[k] = false;
                } else if (has[k] && !moved[k]) {
                        claims_move(claims, &all[k], &twins[k]);
                        moved[k] = true;
                } else if (has[k]) {
                        assert_ptr_equal(claims_find_name(claims, &all[k]), holder);
                        assert_ptr_equal(claims_find_control(claims, &all[k], all[k].terms->lock ? CONTROL_LOCK : CONTROL_ENCRYPTION), holder);
                        assert_null(claims_find_control(claims, &all[k], CONTROL_SCHEDULE));
                        claims_remove(claims, holder);
                        has[k] = false;
                }
        }
}

static void test_show(void **state) {
        static const struct {
                const char *s;
                bool quote;
                const char *shown;
        } cases[] = {
                { "a", false, "a" },
                { "a", true, "\"a\"" },
                { "", true, "\"\"" },
                { "a\x1b[31m", false, "a?[31m" },
                { "a\xe2\x80\xae" "b\xef\xbb\xbf", false, "a?b?" },
                { "\xf0\x9f\x94\x92 \xf3\xa0\x81\x81", false, "\xf0\x9f\x94\x92 ?" },
                { X32 X31, false, X31 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xe2\x80\xa6" },
                { X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxx", true, "\"" X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxx\"" },
                { X31 "xxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xa4", false, X31 "xxxxxxxxxxxxxxxxxxxxxxxxxxxx\xe2\x80\xa6" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                char buf[TREE_SHOW_MAX];

                assert_string_equal(tree_show_text(cases[i].s, cases[i].quote, buf), cases[i].shown);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_keys_each_stops),
                cmocka_unit_test(test_defaults_take_what_has_one),
                cmocka_unit_test(test_words_of_facts),
                cmocka_unit_test(test_enums_to_string),
                cmocka_unit_test(test_word_distance),
                cmocka_unit_test(test_word_begins),
                cmocka_unit_test(test_origin_parse),
                cmocka_unit_test(test_origin_parse_long),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_value_fits_service),
                cmocka_unit_test(test_arena),
                cmocka_unit_test(test_arena_intern_many),
                cmocka_unit_test(test_claims),
                cmocka_unit_test(test_show),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
