/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The table of keys: which there are in holdfast.yaml and in a policy, what may stand there, and what holds when they are
 * left out. Reading, defaults, checks, copying and comparing all follow it, and holdfast.yaml(5) is held against it.
 */

#include "policy/policy.h"

typedef enum KeyType {
        KEY_TEXT,               /* char *: see check and form */
        KEY_WORD,               /* an enum: index into words */
        KEY_SWITCH,             /* bool: on or off */
        KEY_INTEGER,            /* int64_t, min to max */
        KEY_COUNT,              /* unsigned, min to max */
        KEY_RATE,               /* unsigned: "<n>/s", min to max */
        KEY_DURATION,           /* usec_t, shortest to longest */
        KEY_TIME,               /* CivilTime: "yyyy-MM-dd HH:mm:ss" */
        KEY_ZONE,               /* const Timezone *: IANA name */
        KEY_ORIGIN,             /* char *: address of a server; max is its OriginUse */
        KEY_BACKUPS,            /* DownloadPolicy itself: latest, or a list of backup ids */
        KEY_SECTION,            /* a struct that lies within the one around it */
        KEY_CONTROL,            /* a pointer to a struct of its own */
        KEY_TYPE__MAX,
} KeyType;

typedef enum KeyFlags {
        KEY_REQUIRED    = 1 << 0,
        KEY_NEVER       = 1 << 1,       /* duration: "never" is a value too, USEC_INFINITY */
        KEY_ANY_CASE    = 1 << 2,       /* word: upper and lower case are the same */
        KEY_OWN         = 1 << 3,       /* text: another in each policy, so that looking for an equal one to share is no use */
        KEY_PRIVATE     = 1 << 4,       /* what was found there is not quoted back: it might be a secret in the wrong place */
        KEY_UNSTORED    = 1 << 5,       /* word: there is but one, which need not be kept */
        KEY_DEFAULTS    = 1 << 6,       /* section: only keys that have a default, and none of them required */
} KeyFlags;

typedef struct KeySection KeySection;

typedef struct KeyInfo {
        const char *key;
        KeyType type;
        unsigned flags;         /* KeyFlags */
        size_t offset;          /* into the struct of the section */
        bool (*check)(const char *s);   /* text */
        const char *form;       /* text, origin, and where the type does not say it: what is expected */
        uint64_t min, max;      /* integer, count, rate */
        const char *unit;       /* integer, count: "days" */
        const char *shortest, *longest; /* duration */
        const char *const *words;       /* word */
        size_t n_words;
        const char *initial;    /* the default, as it would be written; NULL: none, or see help */
        const KeySection *section;      /* section, control */
        size_t size;            /* control: of its struct */
        size_t defaults_offset; /* control: where its defaults lie in Settings */
        Control control;        /* control */
        const char *help;       /* half a sentence */
} KeyInfo;

struct KeySection {
        const KeyInfo *keys;
        size_t n_keys;          /* at most KEYS_MAX */
};

#define KEYS_MAX 16             /* of a section; a test holds the table to it */
#define KEY_EXPECTED_MAX 512    /* bytes; holds what key_expected() writes */
#define KEY_PATH_MAX 128        /* bytes; holds every path of a known key */

/* A document of instances.d while it is read, or compared: instance.terms is its own terms. */
typedef struct Document {
        Instance instance;
        Terms terms;
} Document;

extern const KeySection keys_settings;  /* holdfast.yaml: Settings */
extern const KeySection keys_instance;  /* Document */

extern const char *const key_words_mode[MODE__MAX];
extern const char *const key_words_language[LANGUAGE__MAX];
extern const char *const key_words_credentials[CREDENTIALS_SOURCE__MAX];
extern const char *const key_words_extension[EXTENSION__MAX];

/* The row of a key, or of a control in keys_instance; NULL if there is none. */
const KeyInfo *keys_find(const KeySection *section, const char *key);
const KeyInfo *keys_control(Control c);

/* May the key stand in a section that has these flags? Sections of defaults take only what has a default. */
bool key_allowed(const KeyInfo *key, unsigned section_flags);

/* What may stand at a key, for people: "a duration from 1s to 30d, such as 5m". Returns @buf. */
char *key_expected(const KeyInfo *key, char buf[static KEY_EXPECTED_MAX]);

/**
 * keys_each() - visit every key that can be written, in the order of the table
 * @visit:      gets the dotted path ("defaults.lock.poll"), valid during the call; sections are visited before their keys; a
 *              negative return ends it
 *
 * For documentation, schemas and completion. Return: 0, or what @visit returned.
 */
int keys_each(const KeySection *section, int (*visit)(void *userdata, const char *path, const KeyInfo *key),
              void *userdata);
