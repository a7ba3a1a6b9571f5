#!/bin/bash
# /clean-logs: the log groomer that the Airflow chart runs beside its components. It never ends.
#
#   AIRFLOW__LOG_RETENTION_DAYS (15) plus AIRFLOW__LOG_RETENTION_MINUTES (0)  older *.log files go
#   AIRFLOW__LOG_CLEANUP_FREQUENCY_MINUTES (15)                              how often, on whole multiples of it
#   AIRFLOW__LOG_MAX_SIZE_BYTES (0), AIRFLOW__LOG_MAX_SIZE_PERCENT (0)       then the oldest go until the rest fits
set -euo pipefail

readonly logs="${AIRFLOW_HOME:-/opt/airflow}/logs"
readonly keep_minutes=$((${AIRFLOW__LOG_RETENTION_DAYS:-15} * 24 * 60 + ${AIRFLOW__LOG_RETENTION_MINUTES:-0}))
readonly every_seconds=$((${AIRFLOW__LOG_CLEANUP_FREQUENCY_MINUTES:-15} * 60))

trap 'kill $(jobs -p) 2>/dev/null || true; exit 0' INT TERM

# Prints 0 for no limit.
limit_bytes() {
    local bytes="${AIRFLOW__LOG_MAX_SIZE_BYTES:-0}" percent="${AIRFLOW__LOG_MAX_SIZE_PERCENT:-0}" disk
    if ((bytes == 0 && percent > 0)) && disk="$(df --output=size --block-size=1 "${logs}" | sed 1d)"; then
        bytes=$((disk * percent / 100))
    fi
    printf '%s\n' "${bytes}"
}

# lost+found belongs to the volume's file system and cannot be read.
find_logs() {
    find "${logs}" -name lost+found -prune -o -type f -name '*.log' "$@"
}

remove_old() {
    find_logs -mmin "+${keep_minutes}" -print0 | xargs -0 --no-run-if-empty rm -f --
}

remove_until_it_fits() {
    local limit="$1" total=0 size path
    while read -r size; do total=$((total + size)); done < <(find_logs -printf '%s\n')
    ((total > limit)) || return 0
    echo "Logs take ${total} bytes, ${limit} are allowed: removing the oldest."
    while IFS=' ' read -r -d '' _ size path; do
        ((total > limit)) || break
        rm -f -- "${path}"
        total=$((total - size))
    done < <(find_logs -printf '%T@ %s %p\0' | sort -zn)
}

# A folder just made, whose first log is not written yet, stays. Parents that got empty go the next time.
remove_empty_folders() {
    find "${logs}" -mindepth 1 -name lost+found -prune -o -type d -empty -mmin +5 \
        -exec rmdir --ignore-fail-on-non-empty -- {} +
}

echo "Cleaning ${logs} every ${every_seconds} seconds; logs stay ${keep_minutes} minutes."
while true; do
    if [[ -d "${logs}" ]]; then
        limit="$(limit_bytes)"
        remove_old || true
        if ((limit > 0)); then remove_until_it_fits "${limit}" || true; fi
        remove_empty_folders || true
    fi
    # Whole multiples of the clock, so that the groomers of one volume do not drift. In the background, for the trap.
    sleep "$((every_seconds - $(date -u +%s) % every_seconds))" &
    wait $!
done
