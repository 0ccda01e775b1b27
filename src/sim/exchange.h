/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One request on its way through the rules: what was asked, by whom, and the reply so far. */

#include "sim/json.h"
#include "sim/route.h"
#include "sim/state.h"

typedef struct Exchange {
        Sim *sim;
        const SimRequest *request;
        usec_t now_usec; /* the cloud's clock */
        const SimRoute *route;
        SimRouteIds ids;

        usec_t known_until_usec; /* when who asks is no longer known, or allowed to */
        bool near_fault;         /* a rule could have hit this request */

        /* set by the gateway */
        const SimKey *key; /* who signed; NULL: a token, or nobody */
        const char *user;  /* name of the user behind key or token; NULL: the account itself */
        const char *scope; /* project of the token or of X-Project-Id; NULL: not said */
        const SimToken *token;

        SimInstance *instance; /* set by the service, for the counters */
        SimReply *reply;
} Exchange;

/* How errors look, after the numbering of the error bodies that are known of the cloud's services. */
typedef enum ErrorShape {
        ERROR_PLAIN,    /* {"error_code","error_msg"}: TaurusDB, GaussDB */
        ERROR_PDP,      /* the same with details and encoded_authorization_message: DBSS */
        ERROR_KEYSTONE, /* {"error":{"code":400,"message","title"}}: IAM */
        ERROR_GATEWAY,  /* {"error_msg","error_code","request_id"} */
} ErrorShape;

const char *sim_exchange_header(const Exchange *x, const char *name); /* NULL if absent; any case */

/* Sets the reply; an earlier one is replaced. Return: 0 or -ENOMEM. */
int sim_exchange_error(Exchange *x, ErrorShape shape, int status, const char *code, const char *format, ...)
        _printf_(5, 6);
int sim_exchange_json(Exchange *x, int status, JsonBuild *b, json_object *taken);
int sim_exchange_text(Exchange *x, int status, const char *content_type, const char *text);

/* An action that is not allowed, as the route's service says it. */
int sim_exchange_denied(Exchange *x, const char *action);

/* Adds a header, or replaces the one of that name. Return: 0 or -ENOMEM. */
int sim_reply_set_header(SimReply *p, const char *name, const char *value);
void sim_reply_drop_header(SimReply *p, const char *name);
/* Takes @body as the new body. */
void sim_reply_take_body(SimReply *p, char *body, size_t n);

/* One value of the query, decoded; absent gives 0, else 1, or -EINVAL for an encoding that makes no sense. */
int sim_exchange_query(const Exchange *x, const char *key, char *buf, size_t size);
/* Are all keys of the query among @known (ends in NULL), and none twice? The first other one is copied to @buf. */
bool sim_exchange_query_known(const Exchange *x, const char *const *known, char *buf, size_t size);
