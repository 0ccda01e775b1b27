/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/http.h"

/* free() as the module calls it: nothing of what stands for a secret here, SSSS, may be left. */
void __real_free(void *p);
void __wrap_free(void *p);

static bool check_wiped;
static unsigned n_freed;

void __wrap_free(void *p) {
        if (p && check_wiped) {
                assert_null(memmem(p, malloc_usable_size(p), "SSSS", 4));
                n_freed++;
        }
        __real_free(p);
}

static char *copy(const char *s) {
        char *c = strdup(s);

        assert_non_null(c);
        return c;
}

static void test_method_names(void **state) {
        assert_string_equal(http_method_to_string(HTTP_GET), "GET");
        assert_string_equal(http_method_to_string(HTTP_POST), "POST");
        assert_string_equal(http_method_to_string(HTTP_PUT), "PUT");
}

static void test_headers(void **state) {
        HttpRequest q = {};
        char value[] = "one";

        assert_null(http_request_header(&q, "X-One"));
        assert_int_equal(http_request_add_header(&q, "X-One", value), 0);
        value[0] = 'x';
        assert_string_equal(http_request_header(&q, "x-oNE"), "one");
        assert_null(http_request_header(&q, "X-On"));
        assert_int_equal(http_request_add_header(&q, "X-Empty", ""), 0);
        assert_string_equal(http_request_header(&q, "X-Empty"), "");

        while (q.n_headers < HTTP_HEADERS_MAX)
                assert_int_equal(http_request_add_header(&q, "X-More", "more"), 0);
        assert_int_equal(http_request_add_header(&q, "X-Over", "more"), -E2BIG);
        assert_null(http_request_header(&q, "X-Over"));
        http_request_done(&q);
        assert_int_equal(q.n_headers, 0);
}

static void test_request_done_wipes(void **state) {
        HttpRequest q = { .origin = copy("https://a"), .path = copy("/p"), .query = copy("q=1"), .body = copy("SSSS"), .n_body = 4 };

        assert_int_equal(http_request_add_header(&q, "X-Auth-Token", "SSSSSSSSSSSSSSSSSSSSSSSS"), 0);
        n_freed = 0;
        check_wiped = true;
        http_request_done(&q);
        check_wiped = false;
        assert_int_equal(n_freed, 5);
        assert_null(q.body);
        assert_null(q.origin);
        http_request_done(&q);
        http_request_done(NULL);
}

static void test_reply_done_wipes(void **state) {
        HttpReply p = { .error = copy("e"), .body = copy("SSSS"), .n_body = 4, .date = copy("d"), .request_id = copy("r"),
                        .retry_after = copy("1"), .subject_token = copy("SSSSSSSSSSSSSSSSSSSSSSSS") };

        n_freed = 0;
        check_wiped = true;
        http_reply_done(&p);
        check_wiped = false;
        assert_int_equal(n_freed, 6);
        assert_null(p.body);
        assert_null(p.subject_token);
        http_reply_done(&p);
        http_reply_done(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_method_names),
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_request_done_wipes),
                cmocka_unit_test(test_reply_done_wipes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
