/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What proves who we are: an access key (temporary ones with a security token) or the user and password that buy IAM
 * tokens. Reading local sources happens here; what needs the network (metadata, tokens) is encoded and decoded in
 * iam.c and driven by the engine.
 */

#include "base/secret.h"
#include "base/time-util.h"

typedef struct Credentials {
        char *access_key;               /* not secret; NULL with a password */
        Secret *secret_key;
        Secret *security_token;         /* temporary keys only */
        Secret *password;               /* source password only */
        usec_t expires_at_usec;         /* wall clock; USEC_INFINITY: does not expire */
        char *project_id, *domain_id;   /* from a profile or the environment, where given; hints only */
        char *origin;                   /* for people: "environment", "/run/credentials/…", never a secret */
} Credentials;

Credentials *credentials_free(Credentials *c);
DEFINE_CLEANUP(Credentials *, credentials_free)

/* Same key, same token? */
int credentials_equal(const Credentials *a, const Credentials *b);

/**
 * credentials_from_directory() - files access_key, secret_key, optional security_token
 * @dir:        folder
 * @strict:     refuse files that group or others can read (source files); systemd's own folder is not checked
 * @reterr:     new text for people on failure (free with free()): which file, what is wrong; never its content
 *
 * White space at the end of a file is dropped. Files are opened O_NOFOLLOW-safe: a symlink to a regular file is
 * allowed (Kubernetes and systemd use them), anything but a regular file is not.
 *
 * Return: 0; -ENOENT if there is no access_key file; -EPERM when @strict refuses; -EINVAL for an empty or odd file;
 * -errno.
 */
int credentials_from_directory(const char *dir, int strict, Credentials **ret, char **reterr);

/* File password of @dir (source password). As above. */
int credentials_password_from_directory(const char *dir, Credentials **ret, char **reterr);

/* HUAWEICLOUD_SDK_AK, _SK, _SECURITY_TOKEN. Return: 0; -ENOENT if there is no key; -EINVAL if it is half there. */
int credentials_from_environment(Credentials **ret, char **reterr);

/*
 * The SDKs' INI file: section [basic], keys ak, sk, security_token. @path NULL: HUAWEICLOUD_SDK_CREDENTIALS_FILE or
 * ~/.huaweicloud/credentials; of any mode. Return: 0; -ENOENT if there is no file or no key in it; -EINVAL.
 */
int credentials_from_profile(const char *path, Credentials **ret, char **reterr);
