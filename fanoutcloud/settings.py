"""Django settings, one file for every environment. A fresh checkout starts without any variable set.

docs/howto/configure.md lists the variables. Wrong combinations are found by `fanoutcloud.checks`.
"""

import secrets
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from cryptography.fernet import Fernet
from csp.constants import NONCE, NONE, SELF

from fanoutcloud.broker.redis_address import parse_broker_url
from fanoutcloud.env import BadSetting, Environment
from fanoutcloud.generated_secrets import read_or_create
from fanoutcloud.ops.logging import make_logging
from fanoutcloud.outbound_settings import read_outbound_settings
from fanoutcloud.xmpp_settings import read_xmpp_settings
from publishing.api import framework

env = Environment()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

# -- where this installation is reached ----------------

#: The address that servers listen on.
BIND = env.str("BIND", "127.0.0.1")
DEBUG = env.bool("DEBUG", default=False)
PORT = env.int("PORT", 8000, at_least=1, at_most=65535)
PUBLIC_URL = env.str("PUBLIC_URL", f"http://localhost:{PORT}").rstrip("/")
_public = urlsplit(PUBLIC_URL)
if _public.scheme not in ("http", "https") or not _public.hostname or _public.path or _public.query:
    raise BadSetting(f"PUBLIC_URL is {PUBLIC_URL!r}; expected an address such as https://fanout.example.com")
IS_HTTPS = _public.scheme == "https"
#: Realm sites are `{realm}.{EDGE_DOMAIN}`, with a port where it is not the scheme's own.
EDGE_DOMAIN = env.str("EDGE_DOMAIN", f"localhost:{PORT}").lower().lstrip(".")
_default_hosts = dict.fromkeys([_public.hostname, "localhost", "127.0.0.1", "[::1]"])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", tuple(_default_hosts))
#: Addresses or networks whose X-Forwarded-* headers are believed; the server reads this, Django does not.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES")
for _proxy in TRUSTED_PROXIES:
    try:
        ip_network(_proxy, strict=False)
    except ValueError:
        raise BadSetting(f"TRUSTED_PROXIES holds {_proxy!r}; expected an IP address or network") from None

# -- the way out to servers that tenants name ----------------

_outbound = read_outbound_settings(env, bind=BIND, public_host=_public.hostname)
#: Networks and names of origins, webhooks and the like that may be private, and those that are never called.
ALLOWED_TARGETS, DENIED_TARGETS = _outbound.allowed, _outbound.denied
IS_LOOPBACK_ALLOWED_BY_DEFAULT = _outbound.is_loopback_by_default
#: Name servers that are asked for the names of tenants' servers, with a port where it is not 53; none: the system's.
DNS_SERVERS = _outbound.name_servers
#: A PEM file of authorities that are trusted beside the system's.
EXTRA_AUTHORITIES = _outbound.extra_authorities
XMPP = read_xmpp_settings(env, bind=BIND, public_host=_public.hostname)
TARGET_SCHEMES, TARGET_PORTS = _outbound.schemes, _outbound.ports
#: A proxy that all these requests go through, and a PEM file with our key and certificate for it.
EGRESS_PROXY, EGRESS_CERTIFICATE = _outbound.egress_proxy, _outbound.egress_certificate
EGRESS_FORWARDS_PLAIN = _outbound.egress_forwards_plain

# -- which processes there are ----------------

REDIS_URL = env.secret("REDIS_URL")  # may hold a password
if REDIS_URL and urlsplit(REDIS_URL).scheme not in ("redis", "rediss", "unix"):
    raise BadSetting("REDIS_URL can't be used; expected an address that starts with redis://, rediss:// or unix://")
#: Where items are kept: one server as REDIS_URL is, or one behind Sentinels, or a Cluster.
STREAMS_URL = env.secret("STREAMS_URL") or REDIS_URL
try:
    parse_broker_url(STREAMS_URL or "redis://")
except ValueError as _problem:  # it says what was expected, and does not repeat the value
    raise BadSetting(f"STREAMS_URL can't be used: {_problem}") from None
if STREAMS_URL and not REDIS_URL:
    raise BadSetting("STREAMS_URL is set without REDIS_URL, which cache and task queue need")
DATABASE_URL = env.secret("DATABASE_URL")
#: `all` is everything in one process; the others are parts of an installation of many processes.
ROLE = env.choice("ROLE", "all", ("all", "web", "edge", "worker", "beat"))
#: Whether the web process serves realms' sites, too, so that no reverse proxy is needed to try things.
WEB_SERVES_SITES = env.bool("WEB_SERVES_SITES", default=True)
IS_EMBEDDED = not REDIS_URL and not DATABASE_URL

# -- secrets ----------------

IS_SECRET_KEY_GENERATED = not env.is_set("SECRET_KEY")
SECRET_KEY = (
    read_or_create(DATA_DIR / "secret_key", lambda: secrets.token_urlsafe(50))
    if IS_SECRET_KEY_GENERATED
    else env.secret("SECRET_KEY")
)
IS_SEALING_KEY_GENERATED = not env.is_set("SEALING_KEYS")
#: Fernet keys: the first seals, all of them open.
SEALING_KEYS = (
    [read_or_create(DATA_DIR / "sealing_key", lambda: Fernet.generate_key().decode())]
    if IS_SEALING_KEY_GENERATED
    else [key.strip() for key in env.secret("SEALING_KEYS").split(",") if key.strip()]
)
for _position, _key in enumerate(SEALING_KEYS, start=1):
    try:
        Fernet(_key)
    except ValueError:
        raise BadSetting(f"SEALING_KEYS, key {_position}; expected 32 bytes in URL-safe Base64 (44 letters)") from None

# -- application ----------------

INSTALLED_APPS = [
    "fanoutcloud",  # before staticfiles, whose `runserver` it replaces
    "channels",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "rest_framework",
    "accounts",
    "realms",
    "publishing",
    "onboarding",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "fanoutcloud.static_files.StaticFilesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "realms.middleware.note_who_asks",
    "django.contrib.messages.middleware.MessageMiddleware",
    "fanoutcloud.failure_pages.explain_forms_only",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "fanoutcloud.urls"
ASGI_APPLICATION = "fanoutcloud.asgi.application"
WSGI_APPLICATION = "fanoutcloud.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context_processors.mail_delivery",
            ],
        },
    }
]
LANGUAGE_CODE, TIME_ZONE = "en", "UTC"
USE_TZ = USE_I18N = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- management API ----------------

REST_FRAMEWORK, SPECTACULAR_SETTINGS = framework.REST_FRAMEWORK, framework.SPECTACULAR_SETTINGS
#: Of one API token, key or session; 0: no limit.
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", 1200)

# -- data ----------------

_SQLITE_OPTIONS: dict[str, Any] = {
    "transaction_mode": "IMMEDIATE",  # a transaction must not fail where its first write is
    "timeout": 10,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
}
try:
    _database: dict[str, Any] = dict(dj_database_url.parse(DATABASE_URL or f"sqlite:///{DATA_DIR / 'db.sqlite3'}"))
except (ValueError, KeyError):
    raise BadSetting("DATABASE_URL can't be read; expected postgres://USER:PASSWORD@HOST:PORT/NAME") from None
IS_SQLITE = _database["ENGINE"] == "django.db.backends.sqlite3"
if IS_SQLITE:
    _database["OPTIONS"] = _SQLITE_OPTIONS | _database.get("OPTIONS", {})
else:
    # Every wait has a deadline: a database that is gone must not hold a thread for minutes.
    _database["OPTIONS"] = {"connect_timeout": 5} | _database.get("OPTIONS", {})
DATABASES = {"default": _database}

if REDIS_URL:
    CACHES: dict[str, Any] = {
        "default": {
            "BACKEND": "fanoutcloud.degrading_cache.DegradingRedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "fanoutcloud",
            "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    }

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise looks here at every start, also before the first collectstatic
STATICFILES_DIRS = [BASE_DIR / "static"]
_FINDERS = "django.contrib.staticfiles.finders"
STATICFILES_FINDERS = [f"{_FINDERS}.{kind}" for kind in ("FileSystemFinder", "AppDirectoriesFinder")]
STATICFILES_FINDERS += ["fanoutcloud.static_bundles.BundleFinder"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # nothing is uploaded
    "staticfiles": {"BACKEND": "fanoutcloud.static_files.HashedStaticFilesStorage"},
}
WHITENOISE_ALLOW_ALL_ORIGINS = False

# -- sign-in ----------------

AUTH_USER_MODEL = "accounts.User"
# The e-mail address is unique, ignoring case, by a constraint that this check does not see.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
     "OPTIONS": {"user_attributes": ["email"]}},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]  # fmt: skip
PASSWORD_RESET_TIMEOUT = int(env.seconds("PASSWORD_RESET_TIMEOUT", 4 * 3600.0))
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "realms:list"
ACCOUNT_ADAPTER = "onboarding.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _public.scheme
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGIN_ON_PASSWORD_RESET = False
ACCOUNT_LOGIN_BY_CODE_ENABLED = True  # who kept a sandbox has no password
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 3
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/300s/key",
    "signup": "20/m/ip",
    "request_login_code": "10/m/ip,3/m/key,10/h/key",
    "reset_password": "10/m/ip,3/m/key",
    "reset_password_from_key": "20/m/ip",
    "change_password": "5/m/user",
    "device_code": "20/300s/user",
    "keep_sandbox": "20/h/ip,3/h/key",
}

# -- browser security ----------------

_ws = "wss" if IS_HTTPS else "ws"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF, NONCE],  # of the first page, which brings its sheets along; others have no nonce
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "manifest-src": [SELF],
        "connect-src": [
            SELF,
            f"{_ws}://{_public.netloc}",
            f"{_public.scheme}://*.{EDGE_DOMAIN}",
            f"{_ws}://*.{EDGE_DOMAIN}",
        ],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 365 * 86400 if IS_HTTPS else 0
X_FRAME_OPTIONS = "DENY"
# Cookies have no Domain, so they stay on the dashboard's host; `__Host-` makes the browser insist on that.
_cookie_prefix = "__Host-" if IS_HTTPS else ""
SESSION_COOKIE_NAME = f"{_cookie_prefix}sessionid"
SESSION_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 86400
CSRF_COOKIE_NAME = f"{_cookie_prefix}csrftoken"
CSRF_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_HTTPONLY = True  # pages send the token from the form or a header that the template fills
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# -- e-mail ----------------

EMAIL_BACKEND = "accounts.email.OutboxBackend"
EMAIL_HOST = env.str("EMAIL_HOST")
#: What the outbox hands its mails to: an SMTP server if one is named, else the console.
EMAIL_DELIVERY_BACKEND = "django.core.mail.backends." + ("smtp" if EMAIL_HOST else "console") + ".EmailBackend"
EMAIL_PORT = env.int("EMAIL_PORT", 587, at_least=1, at_most=65535)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_HOST_PASSWORD")
EMAIL_USE_SSL = env.bool("EMAIL_USE_SSL", default=False)
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=bool(EMAIL_HOST) and not EMAIL_USE_SSL)
if EMAIL_USE_SSL and EMAIL_USE_TLS:
    raise BadSetting("EMAIL_USE_SSL and EMAIL_USE_TLS are both true; choose the one that the mail server offers")
EMAIL_TIMEOUT = env.seconds("EMAIL_TIMEOUT", 15.0)
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", f"Fanout Cloud <no-reply@{_public.hostname}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# -- limits of the delivery plane ----------------

PUBLISH_BODY_BYTES = env.bytes("PUBLISH_BODY_BYTES", 1_000_000)
PUBLISH_ITEMS_PER_S = env.int("PUBLISH_ITEMS_PER_S", 20_000, at_least=1)
PUBLISH_ITEMS_BURST = env.int("PUBLISH_ITEMS_BURST", 40_000, at_least=1)
ITEM_BYTES = env.bytes("ITEM_BYTES", 1_000_000)  # 0 here and below: no limit
REALM_CONNECTIONS = env.int("REALM_CONNECTIONS", 200_000)
REALM_CHANNELS = env.int("REALM_CHANNELS", 200_000)
EGRESS_BYTES_PER_S = env.bytes("EGRESS_BYTES_PER_S", 100_000_000)
EGRESS_BYTES_BURST = env.bytes("EGRESS_BYTES_BURST", 1_000_000_000)
HISTORY_ITEMS = env.int("HISTORY_ITEMS", 100, at_least=0, at_most=10_000)
HISTORY_AGE_S = env.seconds("HISTORY_AGE_S", 300.0)
if not 0 <= HISTORY_AGE_S <= 7 * 86_400:
    raise BadSetting(f"HISTORY_AGE_S is {HISTORY_AGE_S:g} seconds; expected 0 to 604800 (7d)")
MAX_CHANNELS_PER_SUBSCRIBER = env.int("MAX_CHANNELS_PER_SUBSCRIBER", 200, at_least=1)
KEEP_ALIVE_S = env.seconds("KEEP_ALIVE_S", 25.0)
#: Items over 1 KiB are compressed for WebSocket clients that ask for it, once for all of them.
WEBSOCKET_COMPRESSION = env.bool("WEBSOCKET_COMPRESSION", default=False)

# -- sandboxes of visitors without an account ----------------

#: How many there are at most at once; 0: the first page offers none.
SANDBOXES = env.int("SANDBOXES", 2000, at_least=0)
#: How many one address, and one network (/24, /64), may open in an hour.
SANDBOXES_PER_ADDRESS = env.int("SANDBOXES_PER_ADDRESS", 60, at_least=1)
SANDBOXES_PER_NETWORK = env.int("SANDBOXES_PER_NETWORK", 240, at_least=1)

# -- webhooks ----------------

#: Deliveries that are over, and the log of their attempts, are kept for so long.
WEBHOOK_RETENTION_S = env.seconds("WEBHOOK_RETENTION", 7 * 86_400.0)
#: Every wait before another attempt is multiplied by this: less than 1 is for trying things out.
WEBHOOK_DELAY_FACTOR = env.seconds("WEBHOOK_DELAY_FACTOR", 1.0)

# -- status page ----------------

#: Whether an item is published and received every minute, for the status page.
PROBES = env.bool("PROBES", default=True)
#: Where probes reach the service: as customers do, unless the worker has to go another way.
PROBE_URL = env.str("PROBE_URL", PUBLIC_URL).rstrip("/")

# -- beginnings, ends and deploys of edges ----------------

#: A process that begins while Redis is away waits for it so long, then ends with a fault.
BROKER_START_S = env.seconds("BROKER_START_S", 30.0)
if not 0 <= BROKER_START_S <= 600:
    raise BadSetting(f"BROKER_START_S is {BROKER_START_S:g} seconds; expected 0 to 600")

#: Connections closed per second when a process ends: clients come back at about this pace, to other processes.
DRAIN_PER_S = env.int("DRAIN_PER_S", 2000, at_least=1)
#: Everybody has been told to leave by then, however many there are; the pace is raised for that.
DRAIN_LIMIT_S = env.seconds("DRAIN_LIMIT_S", 10.0)
#: Connections that have not moved to the next process by then are drained instead.
TAKEOVER_LIMIT_S = env.seconds("TAKEOVER_LIMIT_S", 60.0)
if not 0.1 <= DRAIN_LIMIT_S <= 600:
    raise BadSetting(f"DRAIN_LIMIT_S is {DRAIN_LIMIT_S:g} seconds; expected 0.1 to 600")
if not 1 <= TAKEOVER_LIMIT_S <= 600:
    raise BadSetting(f"TAKEOVER_LIMIT_S is {TAKEOVER_LIMIT_S:g} seconds; expected 1 to 600")

# -- for operators ----------------

#: Shows `/metrics` to whoever brings it; private addresses need none.
METRICS_TOKEN = env.secret("METRICS_TOKEN")

# -- logging ----------------

LOG_FORMAT = env.choice("LOG_FORMAT", "plain", ("plain", "json"))
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = make_logging(LOG_FORMAT, LOG_LEVEL)
