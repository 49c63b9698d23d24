"""The product's settings as a fresh checkout has them, with their data in a directory that ends with the tests."""

import atexit
import os
import shutil
import tempfile

#: Read by `fanoutcloud.settings`; whoever runs the tests may have a server configured in the same shell.
_VARIABLES = (
    "ALLOWED_HOSTS ALLOWED_TARGETS DATABASE_URL DEBUG DENIED_TARGETS EDGE_DOMAIN EGRESS_PROXY EMAIL_HOST EMAIL_FROM "
    "LOG_FORMAT TARGET_PORTS TARGET_SCHEMES "
    "LOG_LEVEL PORT PUBLIC_URL REDIS_URL ROLE SEALING_KEYS SECRET_KEY STREAMS_URL TRUSTED_PROXIES"
)
for _name in _VARIABLES.split():
    os.environ.pop(_name, None)
    os.environ.pop(f"{_name}_FILE", None)
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="fanout-tests-")
atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)

from fanoutcloud.settings import *  # noqa: E402, F403
from fanoutcloud.settings import STORAGES  # noqa: E402

# Names without a hash need no collectstatic. Password hashing is meant to be slow, and is not what most tests test.
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
