#!/usr/bin/env bash
# Rotates access keys step by step. Read it before you run it. It asks before each step that changes something, and skips
# users of other accounts than the one whose credentials it has. It deletes nothing: it shows how, for later.
set -euo pipefail

current=$(aws sts get-caller-identity --query Account --output text)

in_account() { # ACCOUNT TITLE
    printf '\n== %s in %s\n' "$2" "$1"
    [ "$current" = "$1" ] || { printf 'Skipped: these are credentials of %s.\n' "$current"; return 1; }
}
people() { # WHAT
    printf '%s\n' "$1"
    read -r -p 'Done? Enter to go on, Ctrl-C to stop. ' || { printf '\nStopped.\n'; exit 1; }
}
look() { # WHAT COMMAND...
    printf '%s\n' "$1"
    "${@:2}"
}
later() { # WHAT COMMAND...
    printf 'Not now: %s\n  %s\n' "$1" "${*:2}"
}
ask() { # WHAT COMMAND...
    printf '%s\n  %s\n' "$1" "${*:2}"
    read -r -p 'Do it? [y/N] ' answer || { printf '\nStopped.\n'; exit 1; }
    [ "$answer" = y ] || { printf 'Skipped.\n'; return 0; }
    "${@:2}"
}
