/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>

#include "sim/builtin.h"
#include "sim/files.h"
#include "sim/front.h"
#include "sim/options.h"
#include "sim/yaml.h"

/* As sysexits.h and systemd have it; 2 is wrong usage in all of holdfast's programs. */
#define EXIT_USAGE  2
#define EXIT_CONFIG 78

typedef struct Program {
        Options options;
        Sim *sim;
        Front *front;
        Certificate certificate;
        char *ca_file; /* NULL: not written (yet) */
        bool ca_file_is_temporary;
        char urls[3][128]; /* cloud, http, metadata; empty: not served */
} Program;

static void program_done(Program *p) {
        front_free(p->front);
        sim_free(p->sim);
        certificate_done(&p->certificate);
        if (p->ca_file && p->ca_file_is_temporary)
                file_temporary_remove(p->ca_file);
        free(p->ca_file);
}

static int fail(const char *what, int error) {
        fprintf(stderr, "holdfast-sim: %s: %s\n", what, strerror(-error));
        return EXIT_FAILURE;
}

static usec_t now_usec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_REALTIME, &t); /* cannot fail for this clock */
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

/* Return: 0, or the status to exit with. */
static int load_state(Program *p) {
        _cleanup_(diagnostics_done) Diagnostics errors = {};
        const char *file = p->options.state_file;
        _cleanup_(freep) char *text = NULL;
        size_t n = 0;
        int r;

        if (file) {
                const char *slash = strrchr(file, '/');

                r = file_read(file, SIM_YAML_BYTES_MAX, &text, &n);
                if (r < 0) {
                        (void) fail(file, r);
                        return EXIT_CONFIG;
                }
                r = sim_change(p->sim, slash ? slash + 1 : file, text, n, now_usec(), &errors);
                explicit_bzero(text, n); /* keys and passwords */
        } else {
                r = sim_change(p->sim, "built-in", sim_builtin_state, sim_builtin_state_size, now_usec(), &errors);
        }
        if (r != -EINVAL)
                return r < 0 ? fail("cannot build the state", r) : 0;

        for (size_t i = 0; i < errors.n_items; i++) {
                _cleanup_(freep) char *line = diagnostic_to_string(&errors.items[i]);

                fprintf(stderr, "holdfast-sim: %s\n", line ? line : "out of memory");
        }
        return EXIT_CONFIG;
}

static int write_certificate(Program *p) {
        const OptionAddress *a = &p->options.listen;
        int r;

        r = certificate_make(a->loopback ? NULL : a->host, now_usec(), &p->certificate);
        if (r < 0)
                return fail("cannot make a certificate", r);
        if (p->options.ca_file) {
                p->ca_file = strdup(p->options.ca_file);
                r = p->ca_file ? 0 : -ENOMEM;
        } else {
                p->ca_file_is_temporary = true;
                r = file_temporary("ca.pem", &p->ca_file);
        }
        if (r >= 0)
                r = file_write(p->ca_file, p->certificate.ca_pem);
        return r < 0 ? fail(p->ca_file ? p->ca_file : "cannot write the certificate", r) : 0;
}

static int listen_on(Program *p, SimListener kind, const OptionAddress *a, bool tls, char *url, size_t size) {
        bool v6 = a->address.ss_family == AF_INET6;
        uint16_t port = 0;
        int r;

        if (!a->given)
                return 0;
        r = front_listen(p->front, kind, (const struct sockaddr *) &a->address, a->size, tls ? &p->certificate : NULL,
                         &port);
        if (r < 0)
                return fail(a->host, r);
        (void) snprintf(url, size, "%s://%s%s%s:%u", tls ? "https" : "http", v6 ? "[" : "", a->host, v6 ? "]" : "",
                        port);
        return 0;
}

static int open_front(Program *p) {
        int r;

        r = front_new(p->sim, p->options.log, &p->front);
        if (r < 0)
                return fail("cannot start", r);
        r = listen_on(p, SIM_LISTENER_CLOUD, &p->options.listen, true, p->urls[0], sizeof(p->urls[0]));
        if (r == 0)
                r = listen_on(p, SIM_LISTENER_CLOUD, &p->options.http, false, p->urls[1], sizeof(p->urls[1]));
        if (r == 0)
                r = listen_on(p, SIM_LISTENER_METADATA, &p->options.metadata, false, p->urls[2], sizeof(p->urls[2]));
        return r;
}

/* How to point a policy here: the part of holdfast.yaml that has to differ. */
static void explain(const Program *p) {
        const char *region, *project_id, *domain_id, *access_key;

        sim_describe(p->sim, &region, &project_id, &domain_id, &access_key);
        printf("# holdfast.yaml for this simulated cloud:\n");
        if (region)
                printf("region: %s\nproject_id: %s\n", region, project_id);
        printf("domain_id: %s\n", domain_id);
        printf("credentials:\n  source: environment\n");
        printf("endpoints:\n  taurusdb: %s\n  dbss: %s\n  gaussdb: %s\n  iam: %s\n", p->urls[0], p->urls[0],
               p->urls[0], p->urls[0]);
        if (p->urls[2][0] != '\0')
                printf("  metadata: %s\n", p->urls[2]);
        printf("http:\n  ca_file: %s\n", p->ca_file);
        if (access_key)
                printf("# HUAWEICLOUD_SDK_AK=%s\n# HUAWEICLOUD_SDK_SK=%s\n", access_key,
                       p->options.state_file ? "(secret_key of it in the state file)" : SIM_BUILTIN_SECRET_KEY);
        printf("# %s/sim/v1/state shows what there is; holdfast-sim(1) says more.\n", p->urls[0]);
}

static int announce(const Program *p) {
        static const char *const names[] = { "cloud", "http", "metadata" };
        char text[4096];
        size_t n = 0;
        int r;

        for (size_t i = 0; i < N_ELEMENTS(names); i++)
                if (p->urls[i][0] != '\0')
                        n += (size_t) snprintf(text + n, sizeof(text) - n, "%s=%s\n", names[i], p->urls[i]);
        (void) snprintf(text + n, sizeof(text) - n, "ca_file=%s\n", p->ca_file);

        explain(p);
        if (p->options.ready_file) {
                r = file_write(p->options.ready_file, text);
                if (r < 0)
                        return fail(p->options.ready_file, r);
        }
        printf("ready: %s\n", p->urls[0]);
        return fflush(stdout) == 0 ? 0 : fail("standard output", -errno);
}

static int run(Program *p) {
        _cleanup_(close_fdp) int fd = -1;
        sigset_t stop;
        int r;

        (void) sigemptyset(&stop);
        (void) sigaddset(&stop, SIGTERM);
        (void) sigaddset(&stop, SIGINT);
        if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return fail("signals", -errno);
        fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return fail("signals", -errno);

        r = announce(p);
        if (r != 0)
                return r;
        r = front_run(p->front, fd);
        return r < 0 ? fail("cannot go on", r) : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        _cleanup_(program_done) Program p = {};
        uint64_t seed = 0;
        int r;

        r = options_parse(argc, argv, &p.options);
        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;

        if (p.options.has_seed)
                seed = p.options.seed;
        else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
                return fail("random numbers", -errno);
        r = sim_new(seed, &p.sim);
        if (r < 0)
                return fail("cannot start", r);
        r = load_state(&p);
        if (r == 0)
                r = write_certificate(&p);
        if (r == 0)
                r = open_front(&p);
        return r == 0 ? run(&p) : r;
}
