#!/bin/sh
# Becomes the first Python found that is new enough, with the given arguments; else says in one sentence what is missing.
# PYTHON=/path/to/python3.12 in the environment decides it.
set -eu

oldest='3.11'
is_new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

seen=''
for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.14 python; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c "$is_new_enough" >/dev/null 2>&1; then
        exec "$candidate" "$@"
    fi
    version=$("$candidate" -c 'import sys; sys.stdout.write("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    seen=${seen:-"$version (as $candidate)"}
done

cure="install it (Debian and Ubuntu: apt-get install python3 python3-venv; or python3.11, python3.12, python3.13 beside the old one)"
echo "Fanout Cloud needs Python $oldest or newer, and the newest found here is ${seen:-none at all}: $cure, then run make again." >&2
exit 1
