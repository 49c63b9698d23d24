#!/bin/sh
# Install Debian packages without starting their services: apt_install.sh PACKAGE… (as root).
set -eu

policy=/usr/sbin/policy-rc.d
log=$(mktemp)
made_policy=''
tidy() {
    [ -z "$made_policy" ] || rm -f "$policy"
    rm -f "$log"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Debian starts a server as soon as it is installed, unless this file says no (Debian Policy §9.3.3.1).
if [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
for attempt in 1 2 3; do
    if apt-get -q update -o Acquire::Retries=3 >"$log" 2>&1 &&
        apt-get -qy -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 install --no-install-recommends "$@" >>"$log" 2>&1; then
        exit 0
    fi
    [ "$attempt" = 3 ] || sleep $((attempt * 3))
done
cat "$log" >&2
exit 1
