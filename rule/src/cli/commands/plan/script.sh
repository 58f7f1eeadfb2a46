#!/usr/bin/env bash
# Rotates access keys step by step. Read this script before you run it. It asks before each step that changes something, and
# skips users in accounts that your credentials are not for. It deletes nothing, but shows you how to do that later.
set -euo pipefail

current=$(aws sts get-caller-identity --query Account --output text)

in_account() { # ACCOUNT TITLE
    printf '\n== %s in %s\n' "$2" "$1"
    [ "$current" = "$1" ] || { printf 'Skipped: your credentials are for account %s.\n' "$current"; return 1; }
}
people() { # WHAT
    printf '%s\n' "$1"
    read -r -p 'Done? Press Enter to continue, or Ctrl-C to stop. ' || { printf '\nStopped.\n'; exit 1; }
}
look() { # WHAT COMMAND...
    printf '%s\n' "$1"
    "${@:2}"
}
later() { # WHAT COMMAND...
    printf 'Later: %s\n  %s\n' "$1" "${*:2}"
}
ask() { # WHAT COMMAND...
    printf '%s\n  %s\n' "$1" "${*:2}"
    read -r -p 'Run this command? [y/N] ' answer || { printf '\nStopped.\n'; exit 1; }
    [ "$answer" = y ] || { printf 'Skipped.\n'; return 0; }
    "${@:2}"
}
