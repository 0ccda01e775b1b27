/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/gateway.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include "sim/signature.h"

#define URI_MAX     32768  /* bytes (API Gateway: request constraints) */
#define HEADERS_MAX 131072 /* bytes, all together */

#define REFUSED "Incorrect IAM authentication information: "

int sim_gateway_unknown(Exchange *x) {
        return sim_exchange_error(x, ERROR_GATEWAY, 404, "APIGW.0101",
                                  "The API does not exist or has not been published in the environment");
}

static int refuse(Exchange *x, const char *why) {
        return sim_exchange_error(x, ERROR_GATEWAY, 401, "APIGW.0301", REFUSED "%s", why);
}

bool sim_gateway_locked(const Exchange *x, usec_t locked_until_usec) {
        return x->now_usec < locked_until_usec;
}

void sim_gateway_count_failure(const Exchange *x, uint64_t *n_failures, usec_t *locked_until_usec) {
        int64_t most = x->sim->settings.gateway.lockout_failures;

        if (most == 0 || ++*n_failures < (uint64_t) most)
                return;
        *n_failures = 0;
        *locked_until_usec = usec_add(x->now_usec, x->sim->settings.gateway.lockout_usec);
}

/* --- Who is it? ----------------------------------------------------------------------------------------------- */

static int refuse_signature(Exchange *x, SimKey *k, const char *canonical) {
        _cleanup_(freep) char *flat = NULL;
        int r;

        sim_gateway_count_failure(x, &k->n_failures, &k->locked_until_usec);
        if (!canonical)
                return refuse(x, "verify aksk signature fail");

        flat = strdup(canonical);
        if (!flat)
                return -ENOMEM;
        for (char *p = flat; *p; p++)
                if (*p == '\n')
                        *p = '|';
        r = sim_exchange_error(x, ERROR_GATEWAY, 401, "APIGW.0301",
                               REFUSED "verify aksk signature fail, canonicalRequest:%s", flat);
        explicit_bzero(flat, strlen(flat)); /* X-Security-Token is in there */
        return r;
}

static bool names_header(const char *signed_headers, const char *name) {
        size_t n = strlen(name);

        for (const char *at = signed_headers; (at = strstr(at, name)); at += n)
                if ((at == signed_headers || at[-1] == ';') && (at[n] == ';' || at[n] == '\0'))
                        return true;
        return false;
}

/* Temporary keys go with their token, signed; lasting ones without. Return: 1 fine; 0 answered; -ENOMEM. */
static int check_security_token(Exchange *x, const SimKey *k, const Signature *signature) {
        const char *token = sim_exchange_header(x, "X-Security-Token");
        int r;

        if (!k->security_token && !token)
                return 1;
        if (!k->security_token || !token || strlen(token) != strlen(k->security_token) ||
            CRYPTO_memcmp(token, k->security_token, strlen(token)) != 0 ||
            !names_header(signature->signed_headers, "x-security-token"))
                r = refuse(x, "decrypt securityToken fail");
        else if (k->expires_usec != 0 && k->expires_usec <= x->now_usec)
                r = refuse(x, "securityToken expired");
        else
                return 1;
        return r < 0 ? r : 0;
}

static int verify(Exchange *x, SimKey *k, const Signature *signature) {
        const char *date = sim_exchange_header(x, "X-Sdk-Date");
        _cleanup_(freep) char *canonical = NULL;
        char hex[65];
        usec_t at_usec;
        int r;

        if (!date || sim_signature_parse_date(date, &at_usec) < 0) {
                sim_gateway_count_failure(x, &k->n_failures, &k->locked_until_usec);
                return refuse(x, "x-sdk-date is missing or malformed");
        }
        if (usec_diff(at_usec, x->now_usec) > x->sim->settings.gateway.tolerance_usec) {
                sim_gateway_count_failure(x, &k->n_failures, &k->locked_until_usec);
                return refuse(x, "the request is expired, x-sdk-date is too far from the time of the gateway");
        }
        /* Dates are whole seconds: this near the edge the next signature may be refused. */
        if (usec_diff(at_usec, x->now_usec) + 2 * USEC_PER_SEC > x->sim->settings.gateway.tolerance_usec)
                x->known_until_usec = 0;
        r = check_security_token(x, k, signature);
        if (r <= 0)
                return r;

        r = sim_signature_canonical_request(x->request, signature->signed_headers, &canonical);
        if (r == -EINVAL)
                return refuse_signature(x, k, NULL);
        if (r >= 0)
                r = sim_signature_compute(canonical, date, k->secret_key ? k->secret_key : "", hex);
        if (r >= 0 && (strlen(signature->hex) != 64 || CRYPTO_memcmp(hex, signature->hex, 64) != 0))
                r = refuse_signature(x, k, canonical);
        else if (r >= 0)
                r = 1;
        if (canonical)
                explicit_bzero(canonical, strlen(canonical));
        return r;
}

/* Return: 1 known; 0 answered; -ENOMEM. */
static int check_signature(Exchange *x, const char *authorization) {
        _cleanup_(sim_signature_done) Signature signature = {};
        SimKey *k;
        int r;

        r = sim_signature_parse(authorization, &signature);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return refuse(x, "the Authorization header is malformed");

        k = sim_key_find(x->sim, signature.access_key);
        if (!k || !k->enabled)
                return sim_exchange_error(x, ERROR_GATEWAY, 401, "APIGW.0301",
                                          REFUSED "Get secretKey failed,ak:%.128s,err:ak not exist",
                                          signature.access_key);
        sim_copy_id(x->reply->who, sizeof(x->reply->who), k->access_key);
        if (sim_gateway_locked(x, k->locked_until_usec))
                return refuse(x, "AK access failed to reach the limit,forbidden");

        r = verify(x, k, &signature);
        if (r <= 0)
                return r;

        k->n_failures = 0;
        x->key = k;
        if (k->expires_usec != 0)
                x->known_until_usec = MIN(x->known_until_usec, k->expires_usec);
        x->user = k->user;
        x->scope = sim_exchange_header(x, "X-Project-Id");
        return 1;
}

static int refuse_expired(Exchange *x) {
        switch (x->sim->settings.gateway.expired_token) {
        case SIM_EXPIRED_UNDECODABLE: return refuse(x, "decrypt token fail");
        case SIM_EXPIRED_DBS: return sim_exchange_error(x, ERROR_PLAIN, 403, "DBS.280056", "Invalid token.");
        default: return sim_exchange_error(x, ERROR_GATEWAY, 401, "APIGW.0307", "The token must be updated");
        }
}

static int check_token(Exchange *x, const char *text) {
        const SimToken *t = sim_token_find(x->sim, text);

        if (!t || t->metadata)
                return refuse(x, "decrypt token fail");
        sim_copy_id(x->reply->who, sizeof(x->reply->who), t->user);
        if (t->expires_usec <= x->now_usec)
                return refuse_expired(x);

        x->token = t;
        x->known_until_usec = t->expires_usec;
        x->user = t->user;
        x->scope = t->project_id[0] != '\0' ? t->project_id : NULL;
        return 1;
}

/* Return: 1 known (or nobody needs to be); 0 answered; -ENOMEM. */
static int authenticate(Exchange *x) {
        const char *token = sim_exchange_header(x, "X-Auth-Token"),
                   *authorization = sim_exchange_header(x, "Authorization");

        if (x->route->public || !x->sim->settings.gateway.auth)
                return 1;
        if (token)
                return check_token(x, token);
        if (authorization)
                return check_signature(x, authorization);
        return refuse(x, "x-auth-token not found");
}

/* --- How often? ----------------------------------------------------------------------------------------------- */

void sim_gateway_forget(Sim *s) {
        SimWindow *w, *next;

        HASH_ITER(hh, s->windows, w, next) {
                HASH_DEL(s->windows, w);
                free(w->key);
                free(w);
        }
}

static void prune_windows(Exchange *x) {
        Sim *s = x->sim;
        SimWindow *w, *next;

        if (usec_diff(x->now_usec, s->windows_pruned_usec) < s->settings.gateway.rate_per_usec)
                return;
        s->windows_pruned_usec = x->now_usec;
        HASH_ITER(hh, s->windows, w, next)
        if (usec_diff(x->now_usec, w->since_usec) >= s->settings.gateway.rate_per_usec) {
                HASH_DEL(s->windows, w);
                free(w->key);
                free(w);
        }
}

static SimWindow *window_get(Exchange *x, const char *key) {
        SimWindow *w;

        HASH_FIND_STR(x->sim->windows, key, w);
        if (w)
                return w;
        w = calloc(1, sizeof(*w));
        if (!w)
                return NULL;
        w->since_usec = x->now_usec;
        w->key = strdup(key);
        if (w->key)
                HASH_ADD_KEYPTR(hh, x->sim->windows, w->key, strlen(w->key), w);
        if (!w->hh.tbl) {
                free(w->key);
                free(w);
                return NULL;
        }
        return w;
}

static const char *throttle_key(const Exchange *x, const char **ret_policy) {
        switch (x->sim->settings.gateway.rate_policy) {
        case SIM_RATE_IP: *ret_policy = "ip"; return x->request->peer ? x->request->peer : "";
        case SIM_RATE_API: *ret_policy = "api"; return x->route->call;
        default: *ret_policy = "user"; return x->reply->who;
        }
}

/* Return: 1 within the rate; 0 answered; -ENOMEM. */
static int throttle(Exchange *x) {
        const SimSettings *settings = &x->sim->settings;
        const char *policy, *key = throttle_key(x, &policy);
        uint64_t seconds = settings->gateway.rate_per_usec / USEC_PER_SEC;
        char retry_after[24];
        SimWindow *w;
        int r;

        if (settings->gateway.rate_limit == 0)
                return 1;
        prune_windows(x);
        w = window_get(x, key);
        if (!w)
                return -ENOMEM;
        if (usec_diff(x->now_usec, w->since_usec) >= settings->gateway.rate_per_usec) {
                w->since_usec = x->now_usec;
                w->n = 0;
        }
        if (++w->n <= (uint64_t) settings->gateway.rate_limit)
                return 1;

        r = sim_exchange_error(x, ERROR_GATEWAY, 429, "APIGW.0308",
                               "The throttling threshold has been reached: policy %s over ratelimit,limit:%" PRId64
                               ",time:%" PRIu64 " %s",
                               policy, settings->gateway.rate_limit, seconds % 60 == 0 ? seconds / 60 : seconds,
                               seconds % 60 == 0 ? "minute" : "second");
        if (r >= 0 && settings->gateway.rate_retry_after_usec > 0) {
                (void) snprintf(retry_after, sizeof(retry_after), "%" PRIu64,
                                settings->gateway.rate_retry_after_usec / USEC_PER_SEC);
                r = sim_reply_set_header(x->reply, "Retry-After", retry_after);
        }
        return r < 0 ? r : 0;
}

/* --- Whose is it, and is it allowed? -------------------------------------------------------------------------- */

static bool is_id(const char *s, size_t min, size_t max) {
        size_t n = strlen(s);

        for (const char *p = s; *p; p++)
                if (!isalnum((unsigned char) *p))
                        return false;
        return n >= min && n <= max;
}

static int refuse_scope(Exchange *x, const char *message) {
        if (x->route->service == SIM_DBSS)
                return sim_exchange_error(x, ERROR_PDP, 403, "DBSS.10020100", "%s", message);
        return sim_exchange_error(x, ERROR_PLAIN, 403, "DBS.200010", "%s", message);
}

/* Return: 1 fine; 0 answered; -ENOMEM. */
static int check_scope(Exchange *x) {
        const SimRouteIds *ids = &x->ids;

        if (ids->domain[0] != '\0' && !streq(ids->domain, x->sim->settings.account.domain_id))
                return refuse_scope(x, "The account in the path is not the caller's.");
        if (ids->project[0] == '\0')
                return 1;

        if (!is_id(ids->project, 32, x->route->service == SIM_DBSS ? 64 : 32)) {
                if (x->route->service == SIM_DBSS)
                        return sim_exchange_error(x, ERROR_PDP, 400, "DBSS.10020021", "The project ID is invalid.");
                return sim_exchange_error(x, ERROR_PLAIN, 400, "DBS.280408", "The project ID is invalid.");
        }
        if (!sim_project_find(x->sim, ids->project) || (x->scope && !streq(x->scope, ids->project)))
                return refuse_scope(x, "The project in the path is not the caller's.");
        /* A token without a project is one for the account: not for calls within a project. */
        if (x->token && !x->scope)
                return refuse_scope(x, "The token is not scoped to the project in the path.");
        return 1;
}

/* Return: 1 allowed; 0 answered; -ENOMEM. */
static int authorize(Exchange *x) {
        const SimUser *u = x->user ? sim_user_find(x->sim, x->user) : NULL;
        const SimRoute *route = x->route;
        const SimKey *k = x->key;

        /* A token that was bought with a key keeps the key's limits. */
        if (!k && x->token)
                k = sim_key_find(x->sim, x->token->user);

        if (sim_denies(&x->sim->deny, route->action, route->alias, route->call) ||
            (k && sim_denies(&k->deny, route->action, route->alias, route->call)) ||
            (u && sim_denies(&u->deny, route->action, route->alias, route->call)))
                return sim_exchange_denied(x, route->action ? route->action : route->call);
        return 1;
}

static int check_sizes(Exchange *x) {
        const SimRequest *q = x->request;
        size_t n = 0;

        if (strlen(q->path) + (q->query ? strlen(q->query) : 0) > URI_MAX)
                return sim_exchange_error(x, ERROR_GATEWAY, 414, "APIGW.0201", "The request URI is too large.");
        for (size_t i = 0; i < q->n_headers; i++)
                n += strlen(q->headers[i].name) + strlen(q->headers[i].value);
        if (n > HEADERS_MAX)
                return sim_exchange_error(x, ERROR_GATEWAY, 494, "APIGW.0201", "The request headers are too large.");
        if (q->n_body > SIM_BODY_MAX)
                return sim_exchange_error(x, ERROR_GATEWAY, 413, "APIGW.0201", "The request body is too large.");
        return 1;
}

int sim_gateway_pass(Exchange *x) {
        static int (*const checks[])(Exchange * x) = { check_sizes, authenticate, throttle, check_scope, authorize };

        for (size_t i = 0; i < N_ELEMENTS(checks); i++) {
                int r = checks[i](x);

                if (r <= 0)
                        return r;
        }
        return 1;
}
