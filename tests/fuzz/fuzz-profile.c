/* SPDX-License-Identifier: Apache-2.0 */
/* The SDKs' profile file, any bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/profile.h"
#include "cloud/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition, const char *what) {
        if (condition)
                return;
        (void) fprintf(stderr, "broken promise: %s\n", what);
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(credentials_freep) Credentials *c = NULL;
        _cleanup_(freep) char *error = NULL;

        if (profile_parse((const char *) data, size, "profile", &c, &error) < 0) {
                require(!c, "a failure gives nothing");
                require(error && strncmp(error, "profile:", strlen("profile:")) == 0,
                        "a message that names the file");
                return 0;
        }

        require(text_is_visible(c->access_key, strlen(c->access_key)), "a key that fits in a header");
        require(text_is_visible(secret_text(c->secret_key), secret_size(c->secret_key)),
                "a secret of visible characters");
        require(!c->security_token || text_is_visible(secret_text(c->security_token), secret_size(c->security_token)),
                "a token that fits in a header");
        return 0;
}
