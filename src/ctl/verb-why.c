/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/json.h"
#include "ctl/pager.h"
#include "ctl/source.h"
#include "ctl/why.h"
#include "ctl/words.h"
#include "ctl/wrap.h"

/*
 * why: each control of an instance, in sentences.
 */

#define INDENT 18               /* of the sentences, behind their labels */
#define COLUMNS_MAX 100         /* longer lines are hard to read */

static void paragraph(const CtlOptions *o, const char *label, const char *text, const char *color) {
        /* Where there is no terminal, its width is no width either; but who names one means it. */
        unsigned columns = o->terminal || getenv("COLUMNS") ? MIN(o->columns, (unsigned) COLUMNS_MAX) : COLUMNS_MAX;
        char on[COLOR_TEXT_MAX];

        if (!*text)
                return;

        (void) printf("  %s%-*s%s", words_color(o, color, on), INDENT - 2, label, words_color_off(o));
        wrap_print(text, columns, INDENT, INDENT);
}

static int print_one(const CtlOptions *o, const Fleet *f, const ControlStatus *s) {
        _cleanup_(why_done) Why w = {};
        Verdict v = status_verdict(s);
        char on[COLOR_TEXT_MAX], on2[COLOR_TEXT_MAX];
        int r;

        r = why_explain(s, &f->info, &w);
        if (r < 0)
                return r;

        (void) printf("%s%s%s: %s is %s%s%s\n", words_color(o, COLOR_HEAD, on), s->name, words_color_off(o), s->control,
                      words_color(o, words_verdict_color(v), on2), verdict_to_string(v), words_color_off(o));
        paragraph(o, "The rule", w.rule, COLOR_DIM);
        paragraph(o, "The facts", w.facts, COLOR_DIM);
        paragraph(o, "What is next", w.next, COLOR_DIM);
        paragraph(o, "What changes it", w.changes, COLOR_DIM);
        paragraph(o, "Who must act", *w.blocked ? w.blocked : "Nobody.", *w.blocked ? COLOR_BAD : COLOR_DIM);
        return 0;
}

static int print_json(const Fleet *f) {
        _cleanup_(json_putp) json_object *document = json_object_new_object();
        json_object *list;

        (void) ctl_json_add_info(document, "daemon", &f->info);
        list = ctl_json_add_array(document, "controls");
        for (size_t i = 0; i < f->n_items; i++) {
                _cleanup_(why_done) Why w = {};
                json_object *o = ctl_json_add_object(list, NULL), *sentences;

                if (ctl_json_add_fields(o, status_fields, n_status_fields, &f->items[i]) < 0 ||
                    why_explain(&f->items[i], &f->info, &w) < 0)
                        return ctl_json_print(NULL);

                sentences = ctl_json_add_object(o, "sentences");
                if (ctl_json_add_text(sentences, "rule", w.rule) < 0 || ctl_json_add_text(sentences, "facts", w.facts) < 0 ||
                    ctl_json_add_text(sentences, "next", w.next) < 0 || ctl_json_add_text(sentences, "changes", w.changes) < 0 ||
                    ctl_json_add_text(sentences, "blocked", *w.blocked ? w.blocked : NULL) < 0)
                        return ctl_json_print(NULL);
        }

        return ctl_json_print(list ? document : NULL);
}

int verb_why(const CtlOptions *o, int argc, char *argv[]) {
        static const struct option longs[] = { {} };
        _cleanup_(fleet_freep) Fleet *f = NULL;
        _cleanup_(pager_done) Pager pager = {};
        int r = 0;

        optind = 0;
        if (getopt_long(argc + 1, argv - 1, "", longs, NULL) >= 0)
                return EXIT_USAGE;
        if (optind > argc)
                return ctl_usage("why: which instance?");

        r = source_read(o, argv - 1 + optind, (size_t) (argc + 1 - optind), &f);
        if (r < 0)
                return source_exit(r);

        if (o->json)
                r = print_json(f) == EXIT_SUCCESS ? 0 : -ENOMEM;
        else {
                pager_start(o, &pager);
                for (size_t i = 0; i < f->n_items && r >= 0; i++) {
                        if (i > 0)
                                (void) printf("\n");
                        r = print_one(o, f, &f->items[i]);
                }
        }
        pager_done(&pager);
        if (r < 0) {
                ctl_complain("%s", strerror(-r));
                return EXIT_FAILURE;
        }

        if (!o->json)
                source_foot(f);
        return fleet_is_well(f, false) ? EXIT_SUCCESS : EXIT_SOMETHING;
}
