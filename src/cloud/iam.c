/* SPDX-License-Identifier: Apache-2.0 */
/* Identity and Access Management: tokens by password, and the project of a region. (IAM API Reference) */
#include <errno.h>
#include <stdio.h>

#include "cloud/failure.h"
#include "cloud/json-read.h"
#include "cloud/request.h"
#include "cloud/text.h"

#define STATUS_OK 200
#define STATUS_CREATED 201
#define ID_MAX 64               /* characters of a project's or an account's id; documented ones have 32 */
#define ID_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

void token_done(Token *t) {
        if (!t)
                return;

        (void) secret_free(t->token);
        free(t->project_id);
        free(t->domain_id);
        *t = (Token) {};
}

void project_done(Project *p) {
        if (!p)
                return;

        free(p->project_id);
        free(p->domain_id);
        *p = (Project) {};
}

static bool given(const char *s) {
        return s && *s;
}

/* {"auth":{"identity":{"methods":["password"],"password":{"user":{...}}},"scope":{"project":{...}}}} */
static int token_body(const char *region, const char *project_id, const char *user_name, const char *domain_name,
                      json_object **ret, json_object **ret_password) {
        _cleanup_(json_putp) json_object *body = NULL;
        json_object *auth, *identity, *methods = NULL, *by_password, *user, *domain, *scope, *project, *place = NULL;
        int r;

        body = json_object_new_object();
        if (!body)
                return -ENOMEM;

        r = json_add_object(body, "auth", &auth);
        if (r >= 0)
                r = json_add_object(auth, "identity", &identity);
        if (r >= 0) {
                methods = json_object_new_array();
                r = json_add(identity, "methods", methods);
        }
        if (r >= 0)
                r = json_object_array_add(methods, json_object_new_string("password")) < 0 ? -ENOMEM : 0;
        if (r >= 0)
                r = json_add_object(identity, "password", &by_password);
        if (r >= 0)
                r = json_add_object(by_password, "user", &user);
        if (r >= 0)
                r = json_add_object(user, "domain", &domain);
        if (r >= 0)
                r = json_add_text(domain, "name", domain_name);
        if (r >= 0)
                r = json_add_text(user, "name", user_name);
        if (r >= 0) {
                place = json_object_new_string("");
                r = json_add(user, "password", place);
        }
        if (r >= 0)
                r = json_add_object(auth, "scope", &scope);
        if (r >= 0)
                r = json_add_object(scope, "project", &project);
        if (r >= 0)
                r = given(project_id) ? json_add_text(project, "id", project_id)
                                      : json_add_text(project, "name", region);
        if (r < 0)
                return r;

        *ret = STEAL(body);
        *ret_password = place;
        return 0;
}

/* What was begun in *q is handed over, or freed when @r says that it failed. */
static int finish(int r, HttpRequest *q, HttpRequest *ret) {
        if (r < 0)
                http_request_done(q);
        else
                *ret = *q;
        return MIN(r, 0);
}

int iam_token_encode(const char *origin, const char *region, const char *project_id, const char *user_name,
                     const char *domain_name, const Secret *password, HttpRequest *ret) {
        static const char *const parts[] = { "v3", "auth", "tokens", NULL };
        _cleanup_(json_putp) json_object *body = NULL;
        json_object *place = NULL;
        HttpRequest q = {};
        int r;

        assert(ret);

        if (!given(user_name) || !given(domain_name) || (!given(project_id) && !given(region)) || !password ||
            !text_is_utf8(secret_text(password), secret_size(password)))
                return -EINVAL;

        r = token_body(region, project_id, user_name, domain_name, &body, &place);
        if (r >= 0)
                r = request_begin(HTTP_POST, origin, parts, CONTENT_TYPE_IAM, &q);
        if (r >= 0)
                r = request_add_query(&q, "nocatalog", "true");
        if (r >= 0)
                r = request_set_secret_body(&q, body, place, password);
        return finish(r, &q, ret);
}

/* Can it be an id? Requests are made of it. */
static bool is_id(const char *s) {
        size_t n = strlen(s);

        return n > 0 && n <= ID_MAX && strspn(s, ID_CHARACTERS) == n;
}

/* A copy of a project's or an account's id, which may be missing. */
static int copy_id(const JsonAt *at, const char *name, char **ret) {
        static const char expected[] = "an id of 1 to " TEXT_OF(ID_MAX) " letters, digits, - and _";
        const char *s = NULL;
        int r;

        r = json_read_text(at, name, expected, &s);
        if (r <= 0 || !*s)
                return MIN(r, 0);
        if (!is_id(s))
                return json_complain(at, name, "another text", expected);

        *ret = strdup(s);
        return *ret ? 1 : -ENOMEM;
}

/* @path: names of nested objects, NULL at the end. Missing ones are no mistake. */
static int copy_nested_id(const JsonAt *at, const char *const *path, const char *name, char **ret) {
        JsonAt here = *at, next;
        int r;

        for (; *path; path++) {
                r = json_read_object(&here, *path, &next);
                if (r <= 0)
                        return r;
                here = next;
        }
        return copy_id(&here, name, ret);
}

static int read_expiry(const JsonAt *at, usec_t *ret) {
        const char *s = NULL;
        usec_t at_usec;
        int r;

        r = json_read_text(at, "expires_at", "a time", &s);
        if (r < 0)
                return r;
        if (r == 0)
                return json_missing(at, "expires_at", "a time");
        if (timestamp_parse(s, &at_usec) < 0 || at_usec < TIME_MIN_USEC || at_usec > TIME_MAX_USEC)
                return json_complain(at, "expires_at", "another text", "a time such as 2020-01-04T09:05:22.701000Z");

        *ret = at_usec;
        return 1;
}

static int read_token(const HttpReply *p, Token *ret, Failure *failure) {
        _cleanup_(json_putp) json_object *o = NULL;
        JsonAt root, token;
        int r;

        if (!p->subject_token || !text_is_visible(p->subject_token, strlen(p->subject_token)))
                return failure_unreadable(failure, p, "X-Subject-Token: %s, expected a token",
                                          p->subject_token ? "found odd characters" : "missing");

        failure_begin(failure, p);
        r = json_reply_root(p, false, failure, &o, &root);
        if (r >= 0)
                r = json_read_object(&root, "token", &token);
        if (r == 0)
                return json_missing(&root, "token", "an object");
        if (r >= 0)
                r = read_expiry(&token, &ret->expires_at_usec);
        if (r >= 0)
                r = copy_nested_id(&token, (const char *const[]) { "project", NULL }, "id", &ret->project_id);
        if (r >= 0)
                r = copy_nested_id(&token, (const char *const[]) { "user", "domain", NULL }, "id", &ret->domain_id);
        if (r < 0)
                return r;

        r = secret_new(p->subject_token, strlen(p->subject_token), &ret->token);
        if (r == -E2BIG)
                return failure_unreadable(failure, p, "X-Subject-Token: found over %d bytes, expected a token",
                                          SECRET_MAX);
        return r < 0 ? r : 1;
}

int iam_token_decode(const HttpReply *p, usec_t now_usec, Token *ret, Failure *reterr) {
        Token t = {};
        int r;

        assert(p);
        assert(ret);
        assert(reterr);

        if (p->outcome != HTTP_REPLIED || (p->status != STATUS_CREATED && p->status != STATUS_OK)) {
                failure_classify(p, false, now_usec, reterr);
                /* The password was refused, and each more attempt brings its lock nearer. */
                reterr->token_expired = false;
                return 0;
        }

        r = read_token(p, &t, reterr);
        if (r < 0) {
                token_done(&t);
                return r == -EBADMSG ? 0 : r;
        }

        *ret = t;
        return 1;
}

int iam_projects_encode(const char *origin, const char *region, HttpRequest *ret) {
        static const char *const parts[] = { "v3", "projects", NULL };
        HttpRequest q = {};
        int r;

        assert(ret);

        if (!given(region))
                return -EINVAL;

        r = request_begin(HTTP_GET, origin, parts, CONTENT_TYPE_IAM, &q);
        if (r >= 0)
                r = request_add_query(&q, "name", region);
        return finish(r, &q, ret);
}

typedef struct ProjectSearch {
        JsonAt match;           /* the last one that fits */
        size_t n_matches, n_disabled;
} ProjectSearch;

static int consider_project(const JsonAt *at, const char *region, ProjectSearch *search) {
        const char *name = NULL;
        bool enabled = true;
        int r;

        r = json_read_text(at, "name", "a project's name", &name);
        if (r <= 0 || !streq(name, region))
                return r;
        r = json_read_bool(at, "enabled", &enabled);
        if (r < 0)
                return r;

        if (enabled) {
                search->match = *at;
                search->n_matches++;
        } else
                search->n_disabled++;
        return 1;
}

static int not_found(Failure *failure, const char *region, const ProjectSearch *search) {
        char text[256];

        if (search->n_matches > 1)
                (void) snprintf(text, sizeof(text), "%zu projects are named %s: project_id must say which",
                                search->n_matches, region);
        else
                (void) snprintf(text, sizeof(text),
                                "the account has no %sproject named %s that this identity can see",
                                search->n_disabled > 0 ? "enabled " : "", region);

        (void) failure_set_unreadable(failure, text);   /* for the text; the class is another */
        failure->class = FAILURE_NOT_FOUND;
        return -EBADMSG;
}

static int read_project(const HttpReply *p, const char *region, Project *ret, Failure *failure) {
        _cleanup_(json_putp) json_object *o = NULL;
        ProjectSearch search = {};
        json_object *list = NULL;
        JsonAt root, item;
        int r;

        failure_begin(failure, p);
        r = json_reply_root(p, false, failure, &o, &root);
        if (r >= 0)
                r = json_read_list(&root, "projects", &list);
        if (r < 0)
                return r;
        if (r == 0)
                return json_missing(&root, "projects", "a list");

        for (size_t i = 0; i < json_object_array_length(list); i++) {
                r = json_read_item(&root, "projects", list, i, &item);
                if (r >= 0)
                        r = consider_project(&item, region, &search);
                if (r < 0)
                        return r;
        }
        if (search.n_matches != 1)
                return not_found(failure, region, &search);

        r = copy_id(&search.match, "id", &ret->project_id);
        if (r == 0)
                return json_missing(&search.match, "id", "a project's id");
        if (r >= 0)
                r = copy_id(&search.match, "domain_id", &ret->domain_id);
        return r < 0 ? r : 1;
}

int iam_projects_decode(const HttpReply *p, const char *region, usec_t now_usec, Project *ret, Failure *reterr) {
        Project project = {};
        int r;

        assert(p);
        assert(region);
        assert(ret);
        assert(reterr);

        if (p->outcome != HTTP_REPLIED || p->status < 200 || p->status > 299) {
                failure_classify(p, false, now_usec, reterr);
                return 0;
        }

        r = read_project(p, region, &project, reterr);
        if (r < 0) {
                project_done(&project);
                return r == -EBADMSG ? 0 : r;
        }

        *ret = project;
        return 1;
}
