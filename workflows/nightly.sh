#!/usr/bin/env bash
# A nightly job for cron: one config, run to its end, at most one copy at a time.
#
#   15 2 * * *  /opt/wholecloth/workflows/nightly.sh /data/jobs/country.yaml >> /var/log/country.log 2>&1
#
# Exit 75 (stopped, storage away) and 1 (some blocks failed) are tried again up to TRIES times; a rerun computes only what is missing.
# WHOLECLOTH names the command, such as "/opt/wholecloth/.venv/bin/wholecloth".
set -u
config=${1:?usage: nightly.sh CONFIG [--set key.path=value ...]}
exec 9> "${TMPDIR:-/tmp}/wholecloth-$(printf %s "$config" | cksum | cut -d' ' -f1).lock"
flock -n 9 || { echo "another run of $config is at work; nothing was started" >&2; exit 75; }

code=75
for try in $(seq "${TRIES:-3}"); do
    ${WHOLECLOTH:-wholecloth} run "$@"
    code=$?
    case $code in
        1 | 75) echo "try $try ended with exit $code" >&2; sleep "${PAUSE:-60}" ;;
        *) break ;;
    esac
done
exit "$code"
