#!/bin/sh
# redis-server with the users of users.acl, which holds no passwords: that of `user worker` is WORKER_PASSWORD.
# Its comments are left out, which Redis does not know there. Arguments are further settings.
set -eu
umask 077
users="${TMPDIR:-/tmp}/users.acl"
awk '
    /^#/ || NF == 0 { next }
    $3 == "off" { print; next }
    {
        name = toupper($2) "_PASSWORD"
        if (ENVIRON[name] == "") { print "redis.sh: " name " is not set" > "/dev/stderr"; failed = 1; exit }
        if (ENVIRON[name] ~ /[[:space:]]/) { print "redis.sh: a space in " name > "/dev/stderr"; failed = 1; exit }
        print $0 " >" ENVIRON[name]
    }
    END { exit failed }
' "$(dirname "$0")/users.acl" > "$users"
unset PRODUCER_PASSWORD WORKER_PASSWORD MONITOR_PASSWORD OPERATOR_PASSWORD
exec redis-server --aclfile "$users" --appendonly yes --maxmemory-policy noeviction "$@"
