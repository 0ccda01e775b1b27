/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cloud/endpoints.h"

static void test_endpoint_lookup(void **state) {
        static const struct {
                Service service;
                const char *region, *origin;
        } cases[] = {
                { SERVICE_TAURUSDB, "cn-north-4", "https://gaussdb.cn-north-4.myhuaweicloud.com" },
                { SERVICE_TAURUSDB, "af-south-1", "https://gaussdb-mysql.af-south-1.myhuaweicloud.com" },
                { SERVICE_TAURUSDB, "ap-southeast-1", "https://gaussdbformysql.ap-southeast-1.myhuaweicloud.com" },
                { SERVICE_TAURUSDB, "tr-west-1", "https://gaussdbformysql.tr-west-1.myhuaweicloud.com" },
                { SERVICE_TAURUSDB, "cn-north-1", NULL },
                { SERVICE_TAURUSDB, "cn-north", NULL },
                { SERVICE_TAURUSDB, "", NULL },
                { SERVICE_TAURUSDB, NULL, NULL },
                { SERVICE_DBSS, "my-kualalumpur-1", "https://dbss.my-kualalumpur-1.myhuaweicloud.com" },
                { SERVICE_GAUSSDB, "ap-southeast-1", "https://gaussdb-opengauss.ap-southeast-1.myhuaweicloud.com" },
                { SERVICE_GAUSSDB, "tr-west-1", "https://gaussdb.tr-west-1.myhuaweicloud.com" },
                { SERVICE_IAM, "eu-west-101", "https://iam.eu-west-101.myhuaweicloud.eu" },
                { SERVICE_IAM, "tr-west-1", "https://iam.tr-west-1.myhuaweicloud.com" },
                { SERVICE_IAM, "cn-north-11", "https://iam.myhuaweicloud.com" },
                { SERVICE_IAM, NULL, "https://iam.myhuaweicloud.com" },
                { SERVICE_METADATA, "cn-north-4", "http://169.254.169.254" },
                { SERVICE_METADATA, NULL, "http://169.254.169.254" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const char *origin = endpoint_lookup(cases[i].service, cases[i].region);

                print_message("%s %s\n", service_to_string(cases[i].service),
                              cases[i].region ? cases[i].region : "-");
                if (cases[i].origin)
                        assert_string_equal(origin, cases[i].origin);
                else
                        assert_null(origin);
        }
}

static void test_endpoint_row_lists_all(void **state) {
        size_t counts[SERVICE__MAX] = {};
        const char *region = NULL;
        Service service = SERVICE__MAX;
        size_t n = 0;

        for (const char *origin; (origin = endpoint_row(n, &service, &region)); n++) {
                _cleanup_(freep) char *checked = NULL;
                const char *error = NULL;

                /* The bisection finds each row, so the table is sorted; and each host is one that we may talk to. */
                assert_ptr_equal(endpoint_lookup(service, region), origin);
                assert_true(endpoint_region_known(region));
                assert_int_equal(endpoint_check(service, origin, &checked, &error), 0);
                assert_string_equal(checked, origin);
                assert_non_null(strstr(origin, region));
                counts[service]++;
        }

        assert_int_equal(counts[SERVICE_TAURUSDB], 20);
        assert_int_equal(counts[SERVICE_DBSS], 30);
        assert_int_equal(counts[SERVICE_GAUSSDB], 25);
        assert_int_equal(counts[SERVICE_IAM], 28);
        assert_null(endpoint_row(n + 1, NULL, NULL));
        assert_non_null(endpoint_row(0, NULL, NULL));
}

static void test_endpoint_region_known(void **state) {
        assert_true(endpoint_region_known("ap-southeast-5"));
        assert_true(endpoint_region_known("na-mexico-1"));
        assert_false(endpoint_region_known("ap-southeast"));
        assert_false(endpoint_region_known(""));
        assert_false(endpoint_region_known("AP-SOUTHEAST-5"));
}

static void test_endpoint_check_accepts(void **state) {
        static const struct {
                Service service;
                const char *s, *origin;
        } cases[] = {
                { SERVICE_TAURUSDB, "https://gaussdb.example.internal", "https://gaussdb.example.internal" },
                { SERVICE_TAURUSDB, "https://gaussdb.example.internal/", "https://gaussdb.example.internal" },
                { SERVICE_TAURUSDB, "gaussdb.example.internal", "https://gaussdb.example.internal" },
                { SERVICE_TAURUSDB, "gaussdb.example.internal:8443", "https://gaussdb.example.internal:8443" },
                { SERVICE_TAURUSDB, "HTTPS://GaussDB.Example.internal:443/", "https://gaussdb.example.internal" },
                { SERVICE_TAURUSDB, "https://host", "https://host" },
                { SERVICE_TAURUSDB, "https://10.0.0.1:8443", "https://10.0.0.1:8443" },
                { SERVICE_TAURUSDB, "https://[2001:DB8:0::1]", "https://[2001:db8::1]" },
                { SERVICE_TAURUSDB, "[::1]:8443", "https://[::1]:8443" },
                { SERVICE_TAURUSDB, "https://host:80", "https://host:80" },
                { SERVICE_TAURUSDB, "https://host:65535", "https://host:65535" },
                { SERVICE_TAURUSDB, "https://host:00443", "https://host" },
                { SERVICE_TAURUSDB, "http://127.0.0.1:8080", "http://127.0.0.1:8080" },
                { SERVICE_TAURUSDB, "http://127.8.9.1", "http://127.8.9.1" },
                { SERVICE_TAURUSDB, "http://localhost:80", "http://localhost" },
                { SERVICE_TAURUSDB, "http://[::1]:443", "http://[::1]:443" },
                { SERVICE_TAURUSDB, "https://xn--bcher-kva.example", "https://xn--bcher-kva.example" },
                { SERVICE_METADATA, "http://169.254.169.254", "http://169.254.169.254" },
                { SERVICE_METADATA, "http://169.254.169.254:8080/", "http://169.254.169.254:8080" },
                { SERVICE_METADATA, "http://localhost:1", "http://localhost:1" },
                { SERVICE_METADATA, "https://meta.example", "https://meta.example" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                _cleanup_(freep) char *origin = NULL;
                const char *error = NULL;

                print_message("%s\n", cases[i].s);
                assert_int_equal(endpoint_check(cases[i].service, cases[i].s, &origin, &error), 0);
                assert_string_equal(origin, cases[i].origin);
        }
}

static void test_endpoint_check_refuses(void **state) {
        static const struct {
                Service service;
                const char *s, *error;
        } cases[] = {
                { SERVICE_TAURUSDB, "", "host name" },
                { SERVICE_TAURUSDB, "https://", "host name" },
                { SERVICE_TAURUSDB, "https:///", "host name" },
                { SERVICE_TAURUSDB, "ftp://host", "https://" },
                { SERVICE_TAURUSDB, "file:///etc/passwd", "https://" },
                { SERVICE_TAURUSDB, "://host", "https://" },
                { SERVICE_TAURUSDB, "https://host/path", "no path" },
                { SERVICE_TAURUSDB, "https://host//", "no path" },
                { SERVICE_TAURUSDB, "https://host?x", "host name" },
                { SERVICE_TAURUSDB, "https://host#x", "host name" },
                { SERVICE_TAURUSDB, "https://me:pw@host", "port" },
                { SERVICE_TAURUSDB, "https://me@host", "host name" },
                { SERVICE_TAURUSDB, "https://host:0", "port" },
                { SERVICE_TAURUSDB, "https://host:", "port" },
                { SERVICE_TAURUSDB, "https://host:65536", "port" },
                { SERVICE_TAURUSDB, "https://host:99999999999999999999", "port" },
                { SERVICE_TAURUSDB, "https://host:80a", "port" },
                { SERVICE_TAURUSDB, "https://host:-1", "port" },
                { SERVICE_TAURUSDB, "https://ho st", "host name" },
                { SERVICE_TAURUSDB, "https://host\n", "host name" },
                { SERVICE_TAURUSDB, "https://h\xc3\xb6st", "host name" },
                { SERVICE_TAURUSDB, "https://-host", "host name" },
                { SERVICE_TAURUSDB, "https://host-", "host name" },
                { SERVICE_TAURUSDB, "https://a..b", "host name" },
                { SERVICE_TAURUSDB, "https://host.", "host name" },
                { SERVICE_TAURUSDB, "https://1.2.3", "host name" },
                { SERVICE_TAURUSDB, "https://0x7f000001", "host name" },
                { SERVICE_TAURUSDB, "https://256.1.1.1", "host name" },
                { SERVICE_TAURUSDB, "https://[::1", "host name" },
                { SERVICE_TAURUSDB, "https://[::1%25eth0]", "host name" },
                { SERVICE_TAURUSDB, "https://[127.0.0.1]", "host name" },
                { SERVICE_TAURUSDB, "https://[::1]x", "port" },
                { SERVICE_TAURUSDB, "https://::1", "host name" },
                { SERVICE_TAURUSDB, "http://host", "expected https" },
                { SERVICE_TAURUSDB, "http://127.example.com", "expected https" },
                { SERVICE_TAURUSDB, "http://localhost.example.com", "expected https" },
                { SERVICE_TAURUSDB, "http://[::ffff:127.0.0.1]", "expected https" },
                { SERVICE_TAURUSDB, "http://169.254.169.254", "loopback" },
                { SERVICE_IAM, "http://169.254.169.254", "loopback" },
                { SERVICE_METADATA, "http://169.254.169.253", "169.254.169.254" },
                { SERVICE_METADATA, "http://host", "169.254.169.254" },
        };

        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                const char *error = NULL;
                char *origin = NULL;

                print_message("%s\n", cases[i].s);
                assert_int_equal(endpoint_check(cases[i].service, cases[i].s, &origin, &error), -EINVAL);
                assert_null(origin);
                assert_non_null(strstr(error, cases[i].error));
        }
}

static void test_endpoint_check_long_host(void **state) {
        char s[300] = {}, label[80] = {};
        char *origin = NULL;
        const char *error;

        memset(label, 'a', 64);
        assert_int_equal(endpoint_check(SERVICE_IAM, label, &origin, &error), -EINVAL);
        label[63] = '\0';
        assert_int_equal(endpoint_check(SERVICE_IAM, label, &origin, &error), 0);
        free(origin);
        origin = NULL;

        for (size_t i = 0; i < 260; i++)
                s[i] = i % 2 ? '.' : 'a';
        s[253] = '\0';
        assert_int_equal(endpoint_check(SERVICE_IAM, s, &origin, NULL), 0);
        free(origin);
        origin = NULL;
        s[253] = '.';
        s[255] = '\0';
        assert_int_equal(endpoint_check(SERVICE_IAM, s, &origin, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_endpoint_lookup),
                cmocka_unit_test(test_endpoint_row_lists_all),
                cmocka_unit_test(test_endpoint_region_known),
                cmocka_unit_test(test_endpoint_check_accepts),
                cmocka_unit_test(test_endpoint_check_refuses),
                cmocka_unit_test(test_endpoint_check_long_host),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
