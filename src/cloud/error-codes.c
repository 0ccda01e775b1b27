/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/error-codes.h"

#define GATEWAY_DIGITS 4

typedef struct CodeRow {
        const char *code;
        CodeClass class;
} CodeRow;

/* Four digits; the prefix in front of them differs by deployment (API Request Signing Guide, error codes). */
static const CodeRow gateway_codes[] = {
        { "0101", CODE_NOT_OFFERED },   /* no such API, method or path on this host */
        { "0103", CODE_SERVER },        /* the gateway's configuration */
        { "0104", CODE_SERVER },
        { "0105", CODE_SERVER },
        { "0106", CODE_SERVER },
        { "0202", CODE_SERVER },        /* backend unavailable, timed out */
        { "0203", CODE_SERVER },
        { "0204", CODE_BAD_REQUEST },   /* TLS version */
        { "0301", CODE_CREDENTIALS },   /* signature, access key or token wrong, or key locked */
        { "0302", CODE_NOT_PERMITTED },
        { "0306", CODE_NOT_PERMITTED },
        { "0307", CODE_CREDENTIALS_TOKEN },
        { "0308", CODE_THROTTLED },
        { "0310", CODE_NOT_PERMITTED }, /* project suspended */
        { "0401", CODE_NOT_PERMITTED }, /* source address refused */
        { "0402", CODE_NOT_PERMITTED },
        { "0404", CODE_NOT_PERMITTED },
        { "0405", CODE_NOT_PERMITTED },
        { "0601", CODE_SERVER },
        { "0605", CODE_SERVER },
        { "0606", CODE_SERVER },
        { "0607", CODE_BAD_REQUEST },   /* protocol */
        { "0608", CODE_SERVER },
        { "0609", CODE_SERVER },
        { "0610", CODE_SERVER },
        { "0611", CODE_SERVER },
        { "0613", CODE_SERVER },        /* IAM unavailable */
        { "0802", CODE_NOT_PERMITTED },
};

/*
 * Answers of 4xx only: under 5xx any of them may be a half-done job. (TaurusDB and GaussDB API Reference, Error
 * Codes.)
 */
static const CodeRow service_codes[] = {
        /* The state of the instance, cluster or backup does not allow it now. */
        { "DBS.200086", CODE_BUSY },
        { "DBS.201014", CODE_BUSY },
        { "DBS.201208", CODE_BUSY },
        { "DBS.280011", CODE_BUSY },
        { "DBS.280800", CODE_BUSY },
        { "DBS.301024", CODE_BUSY },
        /* Another operation is running. */
        { "DBS.05000084", CODE_BUSY },
        { "DBS.200011", CODE_BUSY },
        { "DBS.200019", CODE_BUSY },
        { "DBS.200047", CODE_BUSY },
        { "DBS.201015", CODE_BUSY },
        { "DBS.201202", CODE_BUSY },
        { "DBS.201205", CODE_BUSY },
        { "DBS.212006", CODE_BUSY },
        { "DBS.212033", CODE_BUSY },
        { "DBS.216011", CODE_BUSY },
        { "DBS.280406", CODE_BUSY },
        /* Storage full: comes with 409, and does not pass by itself. */
        { "DBS.200316", CODE_BAD_REQUEST },
        /* Invalid token: comes with 403. */
        { "DBS.280056", CODE_CREDENTIALS_TOKEN },
        /* One code each for "not yours", "not found" and "not permitted". */
        { "DBS.200010", CODE_NOT_PERMITTED },
        { "DBS.200044", CODE_NOT_PERMITTED },
        { "DBS.200604", CODE_NOT_PERMITTED },
        { "DBS.201003", CODE_NOT_PERMITTED },
        { "DBS.280015", CODE_NOT_PERMITTED },
        /* Instance does not exist. */
        { "DBS.200002", CODE_NOT_FOUND },
        { "DBS.200013", CODE_NOT_FOUND },
        { "DBS.200045", CODE_NOT_FOUND },
        { "DBS.200408", CODE_NOT_FOUND },
        { "DBS.200602", CODE_NOT_FOUND },
        { "DBS.201028", CODE_NOT_FOUND },
        { "DBS.280022", CODE_NOT_FOUND },
        { "DBS.290005", CODE_NOT_FOUND },
        { "DBS.290011", CODE_NOT_FOUND },
        /* Backup does not exist; the first three come with 400. */
        { "DBS.201203", CODE_NOT_FOUND },
        { "DBS.280124", CODE_NOT_FOUND },
        { "DBS.280214", CODE_NOT_FOUND },
        { "DBS.201010", CODE_NOT_FOUND },
        /*
         * Database Security Service API Reference, Error Codes: "page not found", said of the path, not of the
         * instance.
         */
        { "DBSS.10021004", CODE_NOT_OFFERED },
        /* Identity and Access Management API Reference, Error Codes. */
        { "IAM.0012", CODE_THROTTLED },
};

static CodeClass row_class(const CodeRow *rows, size_t n, const char *code) {
        for (size_t i = 0; i < n; i++)
                if (streq(rows[i].code, code))
                        return rows[i].class;

        return CODE_BY_STATUS;
}

static const char *gateway_digits(const char *code) {
        static const char *const prefixes[] = { "APIGW.", "APIG.", "APIC." };

        for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
                size_t n = strlen(prefixes[i]);

                if (strncmp(code, prefixes[i], n) == 0 && strspn(code + n, "0123456789") == GATEWAY_DIGITS &&
                    code[n + GATEWAY_DIGITS] == '\0')
                        return code + n;
        }

        return NULL;
}

bool error_code_is_gateway(const char *code) {
        assert(code);
        return gateway_digits(code);
}

CodeClass error_code_class(const char *code, int status) {
        const char *digits;

        assert(code);

        digits = gateway_digits(code);
        if (digits)
                return row_class(gateway_codes, N_ELEMENTS(gateway_codes), digits);
        if (status >= 400 && status <= 499)
                return row_class(service_codes, N_ELEMENTS(service_codes), code);
        return CODE_BY_STATUS;
}
