/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include <sys/stat.h>

#include "cloud/credential-file.h"
#include "cloud/text.h"

#define ACCESS_KEY_MAX 128      /* characters; real ones have 20 to 40, the rest is room */
#define SCOPE_ID_MAX 64         /* characters of a project or account id; documented ones have 32 */

Credentials *credentials_free(Credentials *c) {
        if (!c)
                return NULL;

        free(c->access_key);
        (void) secret_free(c->secret_key);
        (void) secret_free(c->security_token);
        (void) secret_free(c->password);
        free(c->project_id);
        free(c->domain_id);
        free(c->origin);
        free(c);
        return NULL;
}

int credentials_equal(const Credentials *a, const Credentials *b) {
        if (!a || !b)
                return a == b;

        return streq0(a->access_key, b->access_key) && !a->access_key == !b->access_key &&
               secret_equal(a->secret_key, b->secret_key) && secret_equal(a->security_token, b->security_token) &&
               secret_equal(a->password, b->password);
}

static CredentialText trimmed(CredentialText t) {
        text_trim(&t.s, &t.n);
        return t;
}

/* A text that holds no secret, copied where it is there; an odd one is left out if it is a mere hint. */
static int copy_hint(CredentialText t, char **ret) {
        t = trimmed(t);
        if (!text_is_visible(t.s, t.n) || t.n > SCOPE_ID_MAX)
                return 0;

        *ret = strndup(t.s, t.n);
        return *ret ? 0 : -ENOMEM;
}

static int copy_secret(CredentialText t, const char *origin, const char *what, Secret **ret, char **reterr) {
        if (t.n == 0)
                return 0;
        if (!text_is_visible(t.s, t.n))
                return credential_error(-EINVAL, reterr, "%s: the %s holds blanks, control or non-ASCII characters",
                                        origin, what);

        return secret_new(t.s, t.n, ret);
}

static int copy_access_key(CredentialText t, const char *origin, char **ret, char **reterr) {
        /* A comma would end it early in the Authorization header. */
        if (!text_is_visible(t.s, t.n) || t.n > ACCESS_KEY_MAX || memchr(t.s, ',', t.n))
                return credential_error(-EINVAL, reterr,
                                        "%s: the access key is too long or holds characters that no key has", origin);

        *ret = strndup(t.s, t.n);
        return *ret ? 0 : -ENOMEM;
}

int credentials_build(const CredentialTexts *t, const char *origin, Credentials **ret, char **reterr) {
        _cleanup_(credentials_freep) Credentials *c = NULL;
        CredentialText access_key, secret_key;
        int r;

        assert(t);
        assert(origin);
        assert(ret);

        access_key = trimmed(t->access_key);
        secret_key = trimmed(t->secret_key);
        if (access_key.n == 0 && secret_key.n == 0)
                return credential_error(-ENOENT, reterr, "%s: no access key", origin);
        if (access_key.n == 0 || secret_key.n == 0)
                return credential_error(-EINVAL, reterr, "%s: %s", origin,
                                        access_key.n == 0 ? "a secret key without its access key"
                                                          : "an access key without its secret key");

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->expires_at_usec = USEC_INFINITY;

        r = copy_access_key(access_key, origin, &c->access_key, reterr);
        if (r >= 0)
                r = copy_secret(secret_key, origin, "secret key", &c->secret_key, reterr);
        if (r >= 0)
                r = copy_secret(trimmed(t->security_token), origin, "security token", &c->security_token, reterr);
        if (r >= 0)
                r = copy_hint(t->project_id, &c->project_id);
        if (r >= 0)
                r = copy_hint(t->domain_id, &c->domain_id);
        if (r < 0)
                return r;

        c->origin = strdup(origin);
        if (!c->origin)
                return -ENOMEM;

        *ret = STEAL(c);
        return 0;
}

int credentials_build_password(CredentialText password, const char *origin, Credentials **ret, char **reterr) {
        _cleanup_(credentials_freep) Credentials *c = NULL;
        CredentialText inner = trimmed(password);
        int r;

        assert(origin);
        assert(ret);

        /* Only the end is an editor's doing: a password may begin with a blank. */
        password.n = inner.n > 0 ? (size_t) (inner.s + inner.n - password.s) : 0;
        if (password.n == 0)
                return credential_error(-EINVAL, reterr, "%s: empty", origin);
        if (!text_is_utf8(password.s, password.n) || !text_is_printable(password.s, password.n))
                return credential_error(-EINVAL, reterr, "%s: not UTF-8, or control characters in it", origin);

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->expires_at_usec = USEC_INFINITY;

        r = secret_new(password.s, password.n, &c->password);
        if (r < 0)
                return r;
        c->origin = strdup(origin);
        if (!c->origin)
                return -ENOMEM;

        *ret = STEAL(c);
        return 0;
}

/* --- Folders ----------------------------------------------------------------------------------------------- */

static int open_directory(const char *dir, char **reterr) {
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd >= 0 ? fd : credential_error(-errno, reterr, "%s: cannot be opened: %s", dir, strerror(errno));
}

/* @required: whether a missing file is worth a message; it gives -ENOENT either way. */
static int read_in(int dir_fd, const char *dir, const char *name, mode_t forbidden, bool required, Secret **ret,
                   char **reterr) {
        _cleanup_(freep) char *shown = NULL, *error = NULL;
        int r;

        if (asprintf(&shown, "%s/%s", dir, name) < 0) {
                shown = NULL;
                return -ENOMEM;
        }

        r = credential_file_read(dir_fd, name, shown, forbidden, ret, &error);
        if (r < 0 && reterr && (required || r != -ENOENT))
                *reterr = STEAL(error);
        return r;
}

static CredentialText secret_part(const Secret *s) {
        return s ? (CredentialText) { secret_text(s), secret_size(s) } : (CredentialText) {};
}

int credentials_from_directory(const char *dir, int strict, Credentials **ret, char **reterr) {
        _cleanup_(secret_freep) Secret *access_key = NULL, *secret_key = NULL, *security_token = NULL;
        const mode_t forbidden = strict ? S_IRWXG | S_IRWXO : 0;
        _cleanup_(close_fdp) int fd = -1;
        int r;

        assert(dir);
        assert(ret);

        fd = open_directory(dir, reterr);
        if (fd < 0)
                return fd;

        r = read_in(fd, dir, "access_key", forbidden, true, &access_key, reterr);
        if (r < 0)
                return r;

        /* From here on a key was begun: what is missing is a mistake, not another source's turn. */
        r = read_in(fd, dir, "secret_key", forbidden, true, &secret_key, reterr);
        if (r < 0)
                return r == -ENOENT ? -EINVAL : r;
        r = read_in(fd, dir, "security_token", forbidden, false, &security_token, reterr);
        if (r < 0 && r != -ENOENT)
                return r;

        r = credentials_build(&(CredentialTexts) {
                .access_key = secret_part(access_key),
                .secret_key = secret_part(secret_key),
                .security_token = secret_part(security_token),
        }, dir, ret, reterr);
        return r == -ENOENT ? -EINVAL : r;
}

int credentials_password_from_directory(const char *dir, Credentials **ret, char **reterr) {
        _cleanup_(secret_freep) Secret *password = NULL;
        _cleanup_(close_fdp) int fd = -1;
        _cleanup_(freep) char *shown = NULL;
        int r;

        assert(dir);
        assert(ret);

        fd = open_directory(dir, reterr);
        if (fd < 0)
                return fd;

        r = read_in(fd, dir, "password", 0, true, &password, reterr);
        if (r < 0)
                return r;

        if (asprintf(&shown, "%s/password", dir) < 0) {
                shown = NULL;
                return -ENOMEM;
        }
        return credentials_build_password(secret_part(password), shown, ret, reterr);
}

/* --- Environment ------------------------------------------------------------------------------------------- */

static CredentialText environment_part(const char *name) {
        const char *s = getenv(name);

        return s ? (CredentialText) { s, strlen(s) } : (CredentialText) {};
}

int credentials_from_environment(Credentials **ret, char **reterr) {
        const CredentialTexts texts = {
                .access_key = environment_part("HUAWEICLOUD_SDK_AK"),
                .secret_key = environment_part("HUAWEICLOUD_SDK_SK"),
                .security_token = environment_part("HUAWEICLOUD_SDK_SECURITY_TOKEN"),
                .project_id = environment_part("HUAWEICLOUD_SDK_PROJECT_ID"),
                .domain_id = environment_part("HUAWEICLOUD_SDK_DOMAIN_ID"),
        };

        assert(ret);

        return credentials_build(&texts, "environment", ret, reterr);
}
