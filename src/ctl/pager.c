/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-login.h>

#define LESS_DEFAULT "FRSXMK"   /* as systemd's: ends at once if it fits, raw colours, no wrapping, leaves the screen as it is */

static bool is_secure(void) {
        const char *s = getenv("SYSTEMD_PAGERSECURE");
        uid_t owner;

        if (s && *s)
                return !streq(s, "0") && !streq(s, "no") && !streq(s, "false") && !streq(s, "off");

        return sd_pid_get_owner_uid(0, &owner) < 0 || owner != geteuid();
}

/* NULL: less; empty or "cat": none. */
static const char *chosen(bool secure) {
        const char *s;

        s = getenv("SYSTEMD_PAGER");
        if (!s)
                s = getenv("PAGER");
        if (s && (*s == '\0' || streq(s, "cat")))
                return "";
        return secure ? NULL : s;
}

static void run(const char *command, bool secure) {
        const char *less = getenv("SYSTEMD_LESS"), *charset = getenv("SYSTEMD_LESSCHARSET");

        (void) setenv("LESS", less ? less : LESS_DEFAULT, 1);
        if (charset)
                (void) setenv("LESSCHARSET", charset, 1);
        (void) setenv("LESSSECURE", secure ? "1" : "0", 1);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);

        if (command)
                (void) execlp("sh", "sh", "-c", command, NULL);
        (void) execlp("less", "less", NULL);
        if (!secure)
                (void) execlp("more", "more", NULL);
        (void) execlp("cat", "cat", NULL);      /* better unpaged than not at all */
        _exit(EXIT_FAILURE);
}

void pager_start(const CtlOptions *o, Pager *ret) {
        bool secure = is_secure();
        const char *command = chosen(secure);
        int fds[2];
        pid_t pid;

        *ret = (Pager) {};
        if (!o->pager || (command && *command == '\0'))
                return;

        (void) fflush(stdout);
        if (pipe2(fds, O_CLOEXEC) < 0)
                return;

        pid = fork();
        if (pid == 0) {
                if (dup2(fds[0], STDIN_FILENO) < 0)
                        _exit(EXIT_FAILURE);
                run(command, secure);
        }
        if (pid > 0 && dup2(fds[1], STDOUT_FILENO) >= 0)
                ret->pid = pid;

        (void) close(fds[0]);
        (void) close(fds[1]);
}

void pager_done(Pager *p) {
        _cleanup_(close_fdp) int nowhere = -1;

        if (p->pid <= 0)
                return;

        (void) fflush(stdout);
        clearerr(stdout);               /* who quits early has seen enough: that is no failure to write */
        nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
                (void) close(STDOUT_FILENO);    /* whatever happens, the pager sees the end */
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        p->pid = 0;
}
