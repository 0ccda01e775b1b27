/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>

#include "cloud/credential-file.h"
#include "cloud/text.h"

static CredentialText trimmed(const char *s, size_t n) {
        text_trim(&s, &n);
        return (CredentialText) { s, n };
}

static bool text_is(CredentialText t, const char *word) {
        return t.n == strlen(word) && strncasecmp(t.s, word, t.n) == 0;
}

/* Some of the SDKs take quotes off, and no key or id holds one. */
static CredentialText unquoted(CredentialText t) {
        if (t.n >= 2 && (t.s[0] == '"' || t.s[0] == '\'') && t.s[t.n - 1] == t.s[0])
                return (CredentialText) { t.s + 1, t.n - 2 };
        return t;
}

static CredentialText *part_of(CredentialTexts *t, CredentialText key) {
        const struct {
                const char *name;
                CredentialText *part;
        } parts[] = {
                { "ak", &t->access_key },
                { "sk", &t->secret_key },
                { "security_token", &t->security_token },
                { "project_id", &t->project_id },
                { "domain_id", &t->domain_id },
        };

        for (size_t i = 0; i < N_ELEMENTS(parts); i++)
                if (text_is(key, parts[i].name))
                        return parts[i].part;

        return NULL;
}

/* One line of section [basic]. */
static int parse_key(CredentialText line, const char *origin, unsigned number, CredentialTexts *texts,
                     char **reterr) {
        CredentialText *part;
        size_t at;

        for (at = 0; at < line.n && line.s[at] != '=' && line.s[at] != ':'; at++)
                ;
        if (at == 0 || at == line.n)
                return credential_error(-EINVAL, reterr, "%s:%u: expected key = value", origin, number);

        part = part_of(texts, trimmed(line.s, at));
        if (!part)
                return 0;
        if (part->s)
                return credential_error(-EINVAL, reterr, "%s:%u: a key of section [basic] for the second time",
                                        origin, number);

        *part = unquoted(trimmed(line.s + at + 1, line.n - at - 1));
        return 0;
}

/* "[name]": is it the one that counts? Return: 1 or 0; -EINVAL if it does not end. */
static int parse_section(CredentialText line, const char *origin, unsigned number, char **reterr) {
        size_t end;

        for (end = 1; end < line.n && line.s[end] != ']'; end++)
                ;
        if (end == line.n)
                return credential_error(-EINVAL, reterr, "%s:%u: expected ] at the section's end", origin, number);

        return text_is(trimmed(line.s + 1, end - 1), "basic");
}

int profile_parse(const char *text, size_t n, const char *origin, Credentials **ret, char **reterr) {
        const char *p = text, *end = text + n;
        CredentialTexts texts = {};
        bool in_basic = false;
        int r;

        assert(text || n == 0);
        assert(origin);
        assert(ret);

        if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
                p += 3; /* byte order mark: an editor's, nothing to do with us */

        for (unsigned number = 1; p < end; number++) {
                const char *newline = memchr(p, '\n', (size_t) (end - p));
                CredentialText line = trimmed(p, (size_t) ((newline ? newline : end) - p));

                p = newline ? newline + 1 : end;
                if (line.n == 0 || line.s[0] == '#' || line.s[0] == ';')
                        continue;

                if (line.s[0] == '[') {
                        r = parse_section(line, origin, number, reterr);
                        if (r < 0)
                                return r;
                        in_basic = r > 0;
                        continue;
                }

                if (!in_basic)
                        continue;
                r = parse_key(line, origin, number, &texts, reterr);
                if (r < 0)
                        return r;
        }

        return credentials_build(&texts, origin, ret, reterr);
}

/* Where the SDKs look. New text; -ENOENT if the environment does not say. */
static int default_path(char **ret) {
        const char *path = getenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE"), *home = getenv("HOME");
        char *s = NULL;

        if (path && *path) {
                s = strdup(path);
                if (!s)
                        return -ENOMEM;
        } else if (home && *home) {
                if (asprintf(&s, "%s/.huaweicloud/credentials", home) < 0)
                        return -ENOMEM;
        } else
                return -ENOENT;

        *ret = s;
        return 0;
}

int credentials_from_profile(const char *path, Credentials **ret, char **reterr) {
        _cleanup_(secret_freep) Secret *text = NULL;
        _cleanup_(freep) char *found = NULL;
        int r;

        assert(ret);

        if (!path) {
                r = default_path(&found);
                if (r == -ENOENT)
                        return credential_error(
                                r, reterr,
                                "no profile file: neither HUAWEICLOUD_SDK_CREDENTIALS_FILE nor HOME is set");
                if (r < 0)
                        return r;
                path = found;
        }

        /* Of any mode: it is the SDKs' file, and they leave that to whoever wrote it. */
        r = credential_file_read(AT_FDCWD, path, path, 0, &text, reterr);
        if (r < 0)
                return r;
        return profile_parse(secret_text(text), secret_size(text), path, ret, reterr);
}
