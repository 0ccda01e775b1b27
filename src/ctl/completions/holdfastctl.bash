# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion of holdfastctl(1); installed as "holdfastctl", where bash-completion looks for it.

# Names of policies, with the --config, --instances and --state that stand in the line already.
__holdfastctl_names() {
        local -a files=()
        local i
        for ((i = 1; i < COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                --config | --instances | --state) files+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}") ;;
                esac
        done
        "${COMP_WORDS[0]}" "${files[@]}" status --all --no-legend --no-pager --color never 2>/dev/null | awk 'NF == 0 { exit } /^[^ ]/ { print $1 }' | sort -u
}

__holdfastctl_reply() {
        mapfile -t COMPREPLY < <(compgen "$@" -- "${COMP_WORDS[COMP_CWORD]}")
}

_holdfastctl() {
        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' i
        local shared='--json --no-legend --no-pager --color --config --instances --state --version --help'
        local verbs='status why history log plan rehearse check reconcile reload thaw schema iam-policy help'
        local options=''

        for ((i = 1; i < COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                --config | --instances | --state | --color) ((i++)) ;;
                -*) ;;
                *)
                        verb=${COMP_WORDS[i]}
                        break
                        ;;
                esac
        done

        case $prev in
        --config) __holdfastctl_reply -f; return ;;
        --instances | --state) __holdfastctl_reply -d; return ;;
        --color) __holdfastctl_reply -W 'auto always never'; return ;;
        --verdict) __holdfastctl_reply -W 'compliant violated unknown'; return ;;
        --part) __holdfastctl_reply -W 'observe enforce'; return ;;
        --start) __holdfastctl_reply -W 'bare as-written'; return ;;
        esac

        case $verb in
        '')
                if [[ $cur == -* ]]; then
                        __holdfastctl_reply -W "$shared"
                else
                        __holdfastctl_reply -W "$verbs"
                fi
                return
                ;;
        status) options='--all --verdict' ;;
        history) options='--since --lines --verdicts --changes' ;;
        rehearse) options='--for --fault --start --from-cloud --at --seed --all' ;;
        iam-policy) options='--identity --part' ;;
        esac

        if [[ $cur == -* ]]; then
                __holdfastctl_reply -W "$options $shared"
                return
        fi
        case $verb in
        status | why | history | log | plan | rehearse | reconcile) __holdfastctl_reply -W "$(__holdfastctl_names)" ;;
        schema) __holdfastctl_reply -W 'settings instance' ;;
        esac
}

complete -F _holdfastctl holdfastctl
