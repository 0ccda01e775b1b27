/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "sim/gateway.h"
#include "sim/services.h"

/*
 * IAM: tokens, projects, accounts, temporary keys (IAM API Reference, Token Management, Project Management,
 * Access Key Management).
 */

#define TOKEN_HEX          1024 /* characters; real ones run to several KB */
#define SECURITY_TOKEN_HEX 1024
#define DURATION_MIN       900 /* seconds (Obtaining a Temporary Access Key and Security Token Through a Token) */
#define DURATION_MAX       86400

static int refuse(Exchange *x, int status, const char *code, const char *message) {
        return sim_exchange_error(x, ERROR_KEYSTONE, status, code, "%s", message);
}

static int read_body(Exchange *x, json_object **ret) {
        const char *type = sim_exchange_header(x, "Content-Type");
        json_object *o = NULL;
        int r;

        if (!type || strncasecmp(type, "application/json", strlen("application/json")) != 0)
                return refuse(x, 400, "IAM.0011", "Invalid request: Content-Type must be application/json.");
        r = sim_json_read(x->request->body, x->request->n_body, &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                return refuse(x, 400, "IAM.0011", "Invalid request: the body is not JSON.");
        }
        *ret = o;
        return 1;
}

/* A member some levels down, "identity.password.user"; NULL if any is missing. */
static json_object *dig(json_object *o, const char *path) {
        while (o && *path != '\0') {
                size_t n = strcspn(path, ".");
                char key[32];

                sim_copy_id(key, MIN(sizeof(key), n + 1), path);
                if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &o))
                        return NULL;
                path += n + (path[n] == '.');
        }
        return o;
}

static const char *dig_text(json_object *o, const char *path) {
        json_object *v = dig(o, path);

        return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

static bool has_method(json_object *body, const char *method) {
        json_object *methods = dig(body, "auth.identity.methods");
        const char *s;

        if (!json_object_is_type(methods, json_type_array) || json_object_array_length(methods) != 1)
                return false;
        s = json_object_get_string(json_object_array_get_idx(methods, 0));
        return s && streq(s, method);
}

static void add_expiry(JsonBuild *b, json_object *o, const char *key, usec_t at_usec) {
        char text[TIME_TEXT_MAX], full[TIME_TEXT_MAX + 16];

        /* "2020-01-04T09:05:22.701000Z" */
        rfc3339_format(at_usec, text);
        (void) snprintf(full, sizeof(full), "%.19s.%06uZ", text, (unsigned) (at_usec % USEC_PER_SEC));
        sim_json_build_text(b, o, key, full);
}

/* --- Tokens --------------------------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b) {
        return a && b && strlen(a) == strlen(b) && CRYPTO_memcmp(a, b, strlen(a)) == 0;
}

/* Return: 1 and the user; 0 answered; -ENOMEM. */
static int log_in(Exchange *x, json_object *body, SimUser **ret) {
        const SimSettings *s = &x->sim->settings;
        json_object *who = dig(body, "auth.identity.password.user");
        const char *name = dig_text(who, "name"), *password = dig_text(who, "password"),
                   *domain = dig_text(who, "domain.name"), *domain_id = dig_text(who, "domain.id");
        SimUser *u;

        if (!has_method(body, "password"))
                return refuse(x, 400, "IAM.0072", "Only the authentication method password is offered here.");
        if (!name || !password || (!domain && !domain_id))
                return refuse(x, 400, "IAM.0073", "The user's name, password and domain are mandatory.");

        u = sim_user_find(x->sim, name);
        sim_copy_id(x->reply->who, sizeof(x->reply->who), u ? u->name : "-");
        if ((domain && !streq(domain, s->account.domain_name)) ||
            (domain_id && !streq(domain_id, s->account.domain_id)) || !u || !u->enabled)
                return refuse(x, 401, "IAM.0062", "Incorrect username or password.");
        if (sim_gateway_locked(x, u->locked_until_usec))
                return refuse(x, 401, "IAM.0061", "The account is locked.");
        if (!same(u->password, password)) {
                sim_gateway_count_failure(x, &u->n_failures, &u->locked_until_usec);
                return refuse(x, 401, "IAM.0062", "Incorrect username or password.");
        }
        u->n_failures = 0;
        if (u->console_only)
                return refuse(x, 403, "IAM.0081", "The user can only log in to the console.");
        *ret = u;
        return 1;
}

/*
 * Scope: a project wins over the account; none means the account. Return: 1, @ret NULL for the account; 0
 * answered; -ENOMEM.
 */
static int find_scope(Exchange *x, json_object *body, const SimProject **ret) {
        json_object *scope = dig(body, "auth.scope.project");
        const char *id = dig_text(scope, "id"), *name = dig_text(scope, "name");

        *ret = NULL;
        if (!scope)
                return 1;
        if (!id && !name)
                return refuse(x, 400, "IAM.0073", "The project's id or name is missing in the scope.");
        *ret = id ? sim_project_find(x->sim, id) : sim_project_find_name(x->sim, name);
        return *ret ? 1
                    : refuse(x, 401, "IAM.0001", "The project of the scope does not exist, or is not the user's.");
}

static int show_token(Exchange *x, const SimToken *t, const SimProject *p) {
        const SimSettings *s = &x->sim->settings;
        json_object *o, *token, *child, *domain, *list;
        JsonBuild b = {};

        o = sim_json_build_object(&b);
        token = sim_json_build_child(&b, o, "token");
        list = sim_json_build_list(&b, token, "methods");
        sim_json_build_push(&b, list, json_object_new_string("password"));
        add_expiry(&b, token, "expires_at", t->expires_usec);
        add_expiry(&b, token, "issued_at", x->now_usec);
        child = sim_json_build_child(&b, token, "user");
        sim_json_build_text(&b, child, "name", t->user);
        sim_json_build_text(&b, child, "id", t->user);
        sim_json_build_text(&b, child, "password_expires_at", "");
        domain = sim_json_build_child(&b, child, "domain");
        sim_json_build_text(&b, domain, "name", s->account.domain_name);
        sim_json_build_text(&b, domain, "id", s->account.domain_id);
        child = sim_json_build_child(&b, token, p ? "project" : "domain");
        sim_json_build_text(&b, child, "id", p ? p->id : s->account.domain_id);
        sim_json_build_text(&b, child, "name", p ? p->name : s->account.domain_name);
        if (p) {
                domain = sim_json_build_child(&b, child, "domain");
                sim_json_build_text(&b, domain, "name", s->account.domain_name);
                sim_json_build_text(&b, domain, "id", s->account.domain_id);
        }
        (void) sim_json_build_list(&b, token, "roles");
        (void) sim_json_build_list(&b, token, "catalog");
        return sim_exchange_json(x, 201, &b, o);
}

int sim_iam_token(Exchange *x) {
        _cleanup_(json_object_putp) json_object *body = NULL;
        const SimProject *p = NULL;
        SimUser *u = NULL;
        SimToken *t;
        int r;

        r = read_body(x, &body);
        if (r > 0)
                r = log_in(x, body, &u);
        if (r > 0)
                r = find_scope(x, body, &p);
        if (r <= 0)
                return r;
        assert(u);

        sim_prune_issued(x->sim, x->now_usec);
        t = sim_token_new(x->sim, u->name, TOKEN_HEX,
                          usec_add(x->now_usec, x->sim->settings.gateway.token_life_usec));
        if (!t)
                return -ENOMEM;
        if (p)
                sim_copy_id(t->project_id, sizeof(t->project_id), p->id);
        r = show_token(x, t, p);
        return r < 0 ? r : sim_reply_set_header(x->reply, "X-Subject-Token", t->text);
}

/* --- Projects and accounts ------------------------------------------------------------------------------------ */

static void add_links(JsonBuild *b, json_object *o) {
        json_object *links = sim_json_build_child(b, o, "links");

        sim_json_build_null(b, links, "self");
        sim_json_build_null(b, links, "previous");
        sim_json_build_null(b, links, "next");
}

int sim_iam_projects(Exchange *x) {
        static const char *const known[] = { "name", "domain_id", "enabled", "page", "per_page", NULL };
        char name[128] = "", unknown[64];
        JsonBuild b = {};
        json_object *o, *list;

        if (!sim_exchange_query_known(x, known, unknown, sizeof(unknown)) ||
            sim_exchange_query(x, "name", name, sizeof(name)) < 0)
                return refuse(x, 400, "IAM.0011", "Invalid request: the query.");
        o = sim_json_build_object(&b);
        list = sim_json_build_list(&b, o, "projects");
        for (const SimProject *p = x->sim->projects; p; p = p->hh.next) {
                json_object *entry;

                if (name[0] != '\0' && !streq(name, p->name))
                        continue;
                entry = sim_json_build_object(&b);
                sim_json_build_text(&b, entry, "id", p->id);
                sim_json_build_text(&b, entry, "name", p->name);
                sim_json_build_text(&b, entry, "domain_id", x->sim->settings.account.domain_id);
                sim_json_build_text(&b, entry, "parent_id", x->sim->settings.account.domain_id);
                sim_json_build_bool(&b, entry, "enabled", true);
                sim_json_build_bool(&b, entry, "is_domain", false);
                sim_json_build_text(&b, entry, "description", "");
                add_links(&b, entry);
                sim_json_build_push(&b, list, entry);
        }
        add_links(&b, o);
        return sim_exchange_json(x, 200, &b, o);
}

int sim_iam_domains(Exchange *x) {
        JsonBuild b = {};
        json_object *o, *list, *entry;

        o = sim_json_build_object(&b);
        list = sim_json_build_list(&b, o, "domains");
        entry = sim_json_build_object(&b);
        sim_json_build_text(&b, entry, "id", x->sim->settings.account.domain_id);
        sim_json_build_text(&b, entry, "name", x->sim->settings.account.domain_name);
        sim_json_build_bool(&b, entry, "enabled", true);
        sim_json_build_text(&b, entry, "description", "");
        add_links(&b, entry);
        sim_json_build_push(&b, list, entry);
        add_links(&b, o);
        return sim_exchange_json(x, 200, &b, o);
}

int sim_iam_caller_identity(Exchange *x) {
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b);

        sim_json_build_text(&b, o, "account_id", x->sim->settings.account.domain_id);
        sim_json_build_text(&b, o, "principal_id", x->reply->who);
        return sim_exchange_json(x, 200, &b, o);
}

/* --- Temporary keys ------------------------------------------------------------------------------------------- */

/* Uppercase hex, 20 characters, in the manner of real access keys. */
static SimKey *issue_key(Exchange *x, const char *user, usec_t expires_usec) {
        char access[21], secret[41];
        SimKey *k;

        sim_random_hex(x->sim, access, sizeof(access) - 1);
        sim_random_hex(x->sim, secret, sizeof(secret) - 1);
        for (char *p = access; *p; p++)
                *p = (char) toupper((unsigned char) *p);

        k = sim_key_get(x->sim, access);
        if (!k)
                return NULL;
        k->issued = true;
        k->expires_usec = expires_usec;
        k->secret_key = strdup(secret);
        k->security_token = malloc(SECURITY_TOKEN_HEX + 1);
        k->user = user ? strdup(user) : NULL;
        if (!k->secret_key || !k->security_token || (user && !k->user)) {
                sim_key_remove(x->sim, k);
                return NULL;
        }
        sim_random_hex(x->sim, k->security_token, SECURITY_TOKEN_HEX);
        return k;
}

static int show_key(Exchange *x, int status, const SimKey *k) {
        JsonBuild b = {};
        json_object *o = sim_json_build_object(&b), *credential = sim_json_build_child(&b, o, "credential");

        sim_json_build_text(&b, credential, "access", k->access_key);
        sim_json_build_text(&b, credential, "secret", k->secret_key);
        sim_json_build_text(&b, credential, "securitytoken", k->security_token);
        add_expiry(&b, credential, "expires_at", k->expires_usec);
        return sim_exchange_json(x, status, &b, o);
}

int sim_iam_security_token(Exchange *x) {
        _cleanup_(json_object_putp) json_object *body = NULL;
        int64_t seconds = DURATION_MIN;
        json_object *duration;
        SimKey *k;
        int r;

        r = read_body(x, &body);
        if (r <= 0)
                return r;
        if (!x->token)
                return refuse(x, 403, "IAM.0002", "A token is needed to obtain a temporary access key.");
        if (!has_method(body, "token"))
                return refuse(x, 403, "IAM.0002",
                              "Only the method token is offered here; there are no agencies to assume.");
        duration = dig(body, "auth.identity.token.duration_seconds");
        if (duration &&
            (!json_object_is_type(duration, json_type_int) || json_object_get_int64(duration) < DURATION_MIN ||
             json_object_get_int64(duration) > DURATION_MAX))
                return refuse(x, 400, "IAM.0073", "duration_seconds must be an integer from 900 to 86400.");
        if (duration)
                seconds = json_object_get_int64(duration);

        sim_prune_issued(x->sim, x->now_usec);
        k = issue_key(x, x->user, usec_add(x->now_usec, (usec_t) seconds * USEC_PER_SEC));
        return k ? show_key(x, 201, k) : -ENOMEM;
}

/* --- The server's own view: metadata -------------------------------------------------------------------------- */

static int plain(Exchange *x, int status, const char *text) {
        return sim_exchange_text(x, status, "text/plain", text);
}

/* Tokens of 1 s to 6 h (Elastic Cloud Server User Guide, Obtaining Metadata). */
int sim_metadata_token(Exchange *x) {
        const char *ttl = sim_exchange_header(x, "X-Metadata-Token-Ttl-Seconds");
        int service = x->sim->settings.metadata.service;
        long seconds;
        SimToken *t;
        char *end = NULL;

        if (service == SIM_METADATA_V1 || service == SIM_METADATA_NONE)
                return plain(x, 404, "404 Not Found\n");
        seconds = ttl && isdigit((unsigned char) ttl[0]) ? strtol(ttl, &end, 10) : 0;
        if (seconds < 1 || seconds > 21600 || !end || *end != '\0')
                return plain(x, 400, "Bad Request\n");

        sim_prune_issued(x->sim, x->now_usec);
        t = sim_token_new(x->sim, "metadata", 64, usec_add(x->now_usec, (usec_t) seconds * USEC_PER_SEC));
        if (!t)
                return -ENOMEM;
        t->metadata = true;
        return plain(x, 200, t->text);
}

int sim_metadata_key(Exchange *x) {
        const SimSettings *s = &x->sim->settings;
        const char *text = sim_exchange_header(x, "X-Metadata-Token");
        const SimToken *t = text ? sim_token_find(x->sim, text) : NULL;
        SimKey *k;

        if (s->metadata.service == SIM_METADATA_NONE)
                return plain(x, 404, "404 Not Found\n");
        if (s->metadata.service != SIM_METADATA_V1 && (text || s->metadata.service == SIM_METADATA_V2_ONLY) &&
            (!t || !t->metadata || t->expires_usec <= x->now_usec))
                return plain(x, 401, "401 Unauthorized\n");
        if (!s->metadata.agency)
                return plain(x, 401, "Please configure Cloud Service Agency first\n");

        sim_prune_issued(x->sim, x->now_usec);
        k = issue_key(x, NULL, usec_add(x->now_usec, s->metadata.key_life_usec));
        return k ? show_key(x, 200, k) : -ENOMEM;
}
