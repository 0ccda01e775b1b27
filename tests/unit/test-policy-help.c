/* SPDX-License-Identifier: Apache-2.0 */
#include "test-policy-help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strbuf.h"

Settings *settings_of(const char *text) {
        _cleanup_(diagnostics_done) Diagnostics d = {};
        Settings *s = NULL;

        assert_int_equal(settings_load_buffer("holdfast.yaml", text, strlen(text), &d, &s), 0);
        assert_int_equal(d.n_items, 0);
        assert_non_null(s);
        return s;
}

char *said(const Diagnostics *d) {
        StrBuf b = STRBUF(1024 * 1024);
        char *text;

        for (size_t i = 0; i < d->n_items; i++) {
                _cleanup_(freep) char *line = diagnostic_to_string(&d->items[i]);

                assert_non_null(line);
                (void) strbuf_addf(&b, "%s\n", line);
        }
        assert_int_equal(strbuf_finish(&b, &text), 0);
        return text;
}

char *read_data(const char *folder, const char *name, size_t *ret_n) {
        _cleanup_(freep) char *path = NULL;
        size_t max = 1024 * 1024;
        char *text = calloc(1, max + 1);
        FILE *f;

        assert_true(asprintf(&path, "%s/policy/%s/%s", getenv("HOLDFAST_TEST_DATA"), folder, name) > 0);
        f = fopen(path, "re");
        assert_non_null(f);
        assert_non_null(text);
        *ret_n = fread(text, 1, max, f);
        (void) fclose(f);
        return text;
}
