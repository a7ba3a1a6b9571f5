#!/bin/bash
# /entrypoint: prepares the container, then becomes the wanted command.
#
#   first argument `bash` or `python`: that program, with the rest as its arguments
#   first argument `airflow`, or anything else: the airflow command
#
# Variables it answers to, with the meaning they have in the official Airflow image:
#   CONNECTION_CHECK_MAX_COUNT (20; 0 switches waiting off), CONNECTION_CHECK_SLEEP_TIME (3 seconds),
#   _AIRFLOW_DB_MIGRATE, _AIRFLOW_WWW_USER_CREATE and _AIRFLOW_WWW_USER_{USERNAME,FIRSTNAME,LASTNAME,EMAIL,ROLE,PASSWORD,PASSWORD_CMD}.
# AIRFLOW__SECTION__KEY, ..._CMD and ..._SECRET are read by Airflow itself: values are asked of it, never parsed here.
set -euo pipefail

# Files are shared through group 0, since the uid may be any.
umask 0002

: "${AIRFLOW_HOME:=/opt/airflow}"
: "${AIRFLOW_USER_HOME_DIR:=/home/airflow}"
: "${CONNECTION_CHECK_MAX_COUNT:=20}"
: "${CONNECTION_CHECK_SLEEP_TIME:=3}"
export AIRFLOW_HOME AIRFLOW_USER_HOME_DIR

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "ERROR: $1"
    shift
    local line
    for line in "$@"; do say "       ${line}"; done
    exit 1
}

# The image is what its lock says: packages installed at start would be neither locked nor scanned.
refuse_runtime_installation() {
    [[ -z "${_PIP_ADDITIONAL_REQUIREMENTS:-}" ]] || fail \
        "_PIP_ADDITIONAL_REQUIREMENTS is set, but this image installs nothing at start." \
        "Add the requirements to the stack's stack.toml, lock it and build it:" \
        "what runs is then exactly what was locked, scanned and approved."
}

check_group() {
    [[ "$(id -g)" != 0 ]] || return 0
    if [[ "$(id -u)" == 50000 ]]; then
        say "WARNING: run this image with group 0, even as user 50000: its writable folders belong to group 0."
    else
        fail "this image runs as user 50000, or as any other user with group 0." \
            "The group is $(id -g) now; writable folders belong to group 0."
    fi
}

# Python and libraries look up the user's name: an arbitrary uid gets an entry where the file can be written.
name_the_user() {
    local name
    if ! name="$(id -un 2>/dev/null)" && [[ -w /etc/passwd ]]; then
        printf 'default:x:%s:0:default user:%s:/sbin/nologin\n' "$(id -u)" "${AIRFLOW_USER_HOME_DIR}" >>/etc/passwd
        export HOME="${AIRFLOW_USER_HOME_DIR}"
    fi
    if [[ -z "${HOME:-}" || "${HOME}" == / ]]; then
        if [[ "${name:-}" == root ]]; then export HOME=/root; else export HOME="${AIRFLOW_USER_HOME_DIR}"; fi
    fi
    [[ "$(id -u)" != 0 ]] || say "The container runs as root. User 50000 is safer and enough."
}

try_until_it_works() {
    local what="$1" count=0 answer
    shift
    until answer="$("$@" 2>&1)"; do
        count=$((count + 1))
        if ((count >= CONNECTION_CHECK_MAX_COUNT)); then
            say "${answer}"
            fail "no connection to ${what} after ${count} attempts; giving up."
        fi
        sleep "${CONNECTION_CHECK_SLEEP_TIME}"
    done
}

# With nothing configured the database is SQLite in AIRFLOW_HOME: there is nothing to wait for.
a_database_is_configured() {
    local suffix
    for suffix in "" _CMD _SECRET; do
        local wanted="AIRFLOW__DATABASE__SQL_ALCHEMY_CONN${suffix}"
        [[ -z "${!wanted:-}" ]] || return 0
    done
    [[ -e "${AIRFLOW_CONFIG:-${AIRFLOW_HOME}/airflow.cfg}" ]]
}

wait_for_database() {
    ! a_database_is_configured || try_until_it_works "the database" airflow db check
}

# Succeeds when any of the broker's addresses accepts a connection; brokers without an address (SQS, sockets) pass.
broker_answers() {
    python - "$1" <<'PYTHON'
import re
import socket
import sys
from urllib.parse import urlsplit

PORTS = {"redis": 6379, "rediss": 6379, "sentinel": 26379, "amqp": 5672, "pyamqp": 5672, "amqps": 5671}
addresses = []
for part in re.split("[;,]", sys.argv[1]):
    url = urlsplit(part.strip())
    port = url.port or PORTS.get(url.scheme.partition("+")[0])
    if url.hostname and port:
        addresses.append((url.hostname, port))
problems = []
for address in addresses:
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError as error:
        problems.append(f"{address[0]}:{address[1]}: {error}")
    else:
        break
else:
    if addresses:
        sys.exit("\n".join(problems))
PYTHON
}

wait_for_broker() {
    [[ "$(airflow config get-value core executor)" == *Celery* ]] || return 0
    local url
    url="$(airflow config get-value celery broker_url)"
    try_until_it_works "the Celery broker" broker_answers "${url}"
}

migrate_database() {
    airflow db migrate || say "WARNING: airflow db migrate failed; starting all the same."
}

create_user() {
    local password="${_AIRFLOW_WWW_USER_PASSWORD:-}"
    if [[ -n "${_AIRFLOW_WWW_USER_PASSWORD_CMD:-}" ]]; then
        password="$(bash -c "${_AIRFLOW_WWW_USER_PASSWORD_CMD}")"
    fi
    [[ -n "${password}" ]] || fail \
        "_AIRFLOW_WWW_USER_CREATE is set without a password." \
        "Set _AIRFLOW_WWW_USER_PASSWORD or _AIRFLOW_WWW_USER_PASSWORD_CMD."
    if [[ "$(airflow config get-value core auth_manager)" != *FabAuthManager ]]; then
        say "The auth manager is not FabAuthManager: no user is created."
        return 0
    fi
    airflow users create \
        --username "${_AIRFLOW_WWW_USER_USERNAME:-admin}" \
        --firstname "${_AIRFLOW_WWW_USER_FIRSTNAME:-Airflow}" \
        --lastname "${_AIRFLOW_WWW_USER_LASTNAME:-Admin}" \
        --email "${_AIRFLOW_WWW_USER_EMAIL:-airflowadmin@example.com}" \
        --role "${_AIRFLOW_WWW_USER_ROLE:-Admin}" \
        --password "${password}" || say "WARNING: the user was not created."
}

refuse_runtime_installation
check_group
name_the_user

if ((CONNECTION_CHECK_MAX_COUNT > 0)); then wait_for_database; fi
if [[ -n "${_AIRFLOW_DB_MIGRATE:-}${_AIRFLOW_DB_UPGRADE:-}" ]]; then migrate_database; fi
if [[ -n "${_AIRFLOW_WWW_USER_CREATE:-}" ]]; then create_user; fi

case "${1:-}" in
    bash)
        shift
        exec /bin/bash "$@"
        ;;
    python)
        shift
        exec python "$@"
        ;;
    airflow)
        shift
        ;;
    "")
        # A job that only migrates has nothing more to do.
        [[ "${_AIRFLOW_DB_MIGRATE:-}" != true ]] || exit 0
        ;;
esac

if ((CONNECTION_CHECK_MAX_COUNT > 0)) && [[ "${1:-}" == scheduler || "${1:-}" == celery ]]; then wait_for_broker; fi

exec airflow "$@"
