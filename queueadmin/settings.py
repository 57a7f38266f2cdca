"""Every setting, read from the environment once, at start.

A wrong value stops the start with a sentence that names it (`ImproperlyConfigured`); what the
settings mean together is checked by the system checks of `ingest.checks` and `console.checks`.
Settings of the contract keep the name of their environment variable.
"""

import os
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from queueadmin.environment import flag, names, number, text

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()

# --- the machine -----------------------------------------------------------------------------

PROD = flag("PROD", False)
DEBUG = flag("DEBUG", False)
HOST = text("HOST", "127.0.0.1")
PORT = number("PORT", 8000, least=0, most=65535)
WORKERS = number("WORKERS", 2, most=256)
ENVIRONMENT = text("ENVIRONMENT", "production" if PROD else "development")
PUBLIC_URL = text("PUBLIC_URL")
#: The path under which a proxy serves all of this, such as /queues; empty: a host of its own.
SCRIPT_NAME = text("SCRIPT_NAME").rstrip("/")
if not re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*", SCRIPT_NAME):
    raise ImproperlyConfigured(f"SCRIPT_NAME must look like /queues, not {SCRIPT_NAME!r}.")
TRUSTED_PROXIES = names("TRUSTED_PROXIES")
QUEUEADMIN_HOME = Path(text("QUEUEADMIN_HOME", str(BASE_DIR / "var"))).expanduser().resolve()
QUEUEADMIN_FAULTS = flag("QUEUEADMIN_FAULTS", False)
#: Three example task types, for `make demo`; there as failures on purpose are.
DEMO_TASKS = not PROD
if PROD and QUEUEADMIN_FAULTS:
    raise ImproperlyConfigured("QUEUEADMIN_FAULTS must be off when PROD is true.")


def _secret_key() -> str:
    """The environment's key, else the one in the home: made once, readable by its owner alone."""
    if "SECRET_KEY" in os.environ:
        if not os.environ["SECRET_KEY"]:
            raise ImproperlyConfigured("SECRET_KEY must not be empty.")
        return os.environ["SECRET_KEY"]
    if PROD:
        raise ImproperlyConfigured("SECRET_KEY must be set when PROD is true.")
    path = QUEUEADMIN_HOME / "secret_key"
    try:
        QUEUEADMIN_HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            # Written beside and linked: of two first starts one wins and both read the same key.
            draft = QUEUEADMIN_HOME / f".secret_key.{os.getpid()}"
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(50))
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"QUEUEADMIN_HOME {QUEUEADMIN_HOME} cannot be written: {error.strerror}.") from None


SECRET_KEY = _secret_key()

_LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = names("ALLOWED_HOSTS") or ([] if PROD else _LOOPBACK_HOSTS)
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must be set when PROD is true.")

# --- Redis -----------------------------------------------------------------------------------

REDIS = flag("REDIS", True)
REDIS_POOL_MAX_CONNECTIONS = number("REDIS_POOL_MAX_CONNECTIONS", 100, "REDIS_MAX_CONNECTIONS", least=1)
REDIS_SOCKET_TIMEOUT = number("REDIS_SOCKET_TIMEOUT", 5, "REDIS_TIMEOUT", least=1)
REDIS_SOCKET_CONNECT_TIMEOUT = number("REDIS_SOCKET_CONNECT_TIMEOUT", 5, least=1)
REDIS_MAXMEMORY = text("REDIS_MAXMEMORY")
if REDIS_MAXMEMORY and not re.fullmatch(r"[1-9]\d*([kmg]b?)?", REDIS_MAXMEMORY.lower()):
    raise ImproperlyConfigured(f"REDIS_MAXMEMORY must look like 512mb or 2gb, not {REDIS_MAXMEMORY!r}.")
RQ_KEY_PREFIX = text("RQ_KEY_PREFIX", "rq")
if not re.fullmatch(r"[A-Za-z0-9_.:{}-]+", RQ_KEY_PREFIX):  # RQ's own rule, which it tells by a traceback
    raise ImproperlyConfigured(f"RQ_KEY_PREFIX must be letters, digits and _ . : - {{ }}, not {RQ_KEY_PREFIX!r}.")


#: Whether `make run` starts a server of its own.
REDIS_EMBEDDED = REDIS and not PROD and not text("REDIS_URL") and not text("REDIS_HOST")


def _redis_url() -> str:
    """REDIS_URL, else the parts, else the embedded server of this home."""
    if url := text("REDIS_URL"):
        if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
            raise ImproperlyConfigured("REDIS_URL must start with redis://, rediss:// or unix://.")
        return url
    host = text("REDIS_HOST", "redis" if PROD else "")
    if not host:
        address = QUEUEADMIN_HOME / "redis.url"
        if address.exists():
            return address.read_text().strip()
        return f"unix://{QUEUEADMIN_HOME / 'sockets' / 'valkey.sock'}"
    password = text("REDIS_PASSWORD")
    login = f":{quote(password, safe='')}@" if password else ""
    port = number("REDIS_PORT", 6379, least=1, most=65535)
    scheme = "rediss" if flag("REDIS_USE_SSL", False) else "redis"
    return urlunsplit((scheme, f"{login}{host}:{port}", f"/{number('REDIS_DB', 0)}", "", ""))


REDIS_URL = _redis_url()

PRIORITIES = ("critical", "high", "medium", "low")
RQ_QUEUES = {
    name: {
        "URL": REDIS_URL,
        "SERIALIZER": "rq.serializers.JSONSerializer",
        "DEFAULT_TIMEOUT": 300,
        "REDIS_CLIENT_KWARGS": {
            "socket_timeout": REDIS_SOCKET_TIMEOUT,
            "socket_connect_timeout": REDIS_SOCKET_CONNECT_TIMEOUT,
            "health_check_interval": 30,
        },
    }
    for name in PRIORITIES
}
RQ = {
    "WORKER_CLASS": "ingest.worker.BatchWorker",
    # The default, on_db_commit, answers None inside a transaction; taking in writes no row.
    "COMMIT_MODE": "auto",
}
# It would mount its views under /django-admin/: they requeue in several steps, and nothing they do is audited.
RQ_SHOW_ADMIN_LINK = False

# --- the pipeline ----------------------------------------------------------------------------

LEASE_SECONDS = number("LEASE_SECONDS", 30, least=1)
#: Functions beside our own that a job of a stock RQ client may name, as dotted paths; all others run nothing.
ALLOWED_JOB_FUNCTIONS: tuple[str, ...] = ()
#: Functions that a job's callback may name, as dotted paths; others are refused, since a job is data in Redis.
CALLBACKS: tuple[str, ...] = ()
#: Whom callbacks may reach though they are not public: addresses or networks.
CALLBACK_ALLOW_NETWORKS = names("CALLBACK_ALLOW_NETWORKS")
#: whsec_<base64>, several while one replaces another; none: derived from SECRET_KEY.
CALLBACK_SECRET = names("CALLBACK_SECRET")
CLAIM_LIMIT = number("CLAIM_LIMIT", 200, least=1, most=5000)
INGEST_FAST_LANE = flag("INGEST_FAST_LANE", True)
INGEST_REQUIRE_KEY = flag("INGEST_REQUIRE_KEY", PROD)
if PROD and not INGEST_REQUIRE_KEY:
    raise ImproperlyConfigured("INGEST_REQUIRE_KEY must be true when PROD is true.")
#: Whether what the hook cloudwatch gets must be signed by SNS.
SNS_VERIFY = flag("SNS_VERIFY", PROD)
INGEST_DEDUP_SECONDS = number("INGEST_DEDUP_SECONDS", 3600, least=1)
#: The function that answers messages, as a dotted path: `ingest.kinds.messages` has the protocol.
MESSAGE_HANDLER = text("MESSAGE_HANDLER", "ingest.kinds.messages.echo")
#: Seconds for which a message without a message_id is told from its repetition.
MESSAGE_DEDUP_SECONDS = number("MESSAGE_DEDUP_SECONDS", 60, least=1, most=86_400)
#: Tries after the first, and seconds before the first of them; each further wait is twice as long.
MESSAGE_RETRIES = number("MESSAGE_RETRIES", 5, most=20)
MESSAGE_RETRY_SECONDS = number("MESSAGE_RETRY_SECONDS", 10, most=86_400)
#: Seconds that one execution may take, and messages that one worker answers at a time where the handler is async.
MESSAGE_TIMEOUT = number("MESSAGE_TIMEOUT", 300, least=1, most=86_400)
MESSAGE_CONCURRENCY = number("MESSAGE_CONCURRENCY", 10, least=1, most=100)
#: Seconds for which an answered message and its result stay in Redis, from the end of its processing.
MESSAGE_TTL_SECONDS = number("MESSAGE_TTL_SECONDS", 86_400, most=2_592_000)
#: Jobs that may wait in a queue before acceptance refuses more for it; 0: no limit.
QUEUE_LIMITS = {
    name: number(f"QUEUE_LIMIT_{name.upper()}", default)
    for name, default in zip(PRIORITIES, (0, 1_000_000, 1_000_000, 1_000_000), strict=True)
}
#: What the leader does beside its own rounds, about once a second: what it is called in the log, and the dotted path to
#: a class that is made with a Redis client and has a `step()`, which may raise whatever Redis and the database raise.
MAINTENANCE_STEPS = {
    "running replays": "queueadmin.console.replays.engine.Engine",
    "removing dead letters by policies": "queueadmin.console.policies.applying.Policies",
}
#: Kinds of other apps beside those that their AppConfigs register: dotted paths to a Kind or to several.
INGEST_HANDLERS = names("INGEST_HANDLERS")
#: Kind (with _ for -) → days for which its events are kept, where a setting says so: `ingest.maintenance.retention`.
RETENTION_DAYS = {
    name.removeprefix("RETENTION_DAYS_").lower(): number(name, 30, least=1, most=3650)
    for name in sorted(os.environ)
    if name.startswith("RETENTION_DAYS_")
}
WAIT_TARGETS = {
    name: number(f"WAIT_TARGET_{name.upper()}", default, least=1)
    for name, default in zip(PRIORITIES, (5, 15, 60, 600), strict=True)
}

# --- Django ----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "csp",
    "django_htmx",
    "ingest",  # before django_rq: it has a command of that name with more options
    "django_rq",
    "drf_spectacular",
    "lucide",
    "rest_framework",
    "queueadmin.console",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Pages are seven parts icons and repetition of eight. Against BREACH it pads each answer by a random length.
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    # Before the sessions, which are saved when the answer is made.
    "queueadmin.console.lock_wait.LockWait",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "queueadmin.console.visible.VisibleControls",
    "queueadmin.console.pages.not_allowed.NotAllowedPage",
]
ROOT_URLCONF = "queueadmin.urls"
ASGI_APPLICATION = "queueadmin.asgi.application"
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
                "queueadmin.console.pages.context.frame",
            ],
        },
    }
]


def _database() -> dict[str, Any]:
    """DATABASE_URL, else a file in the home."""
    if not text("DATABASE_URL"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(QUEUEADMIN_HOME / "queueadmin.sqlite3")}
    try:
        database: dict[str, Any] = env.db("DATABASE_URL")
    except (ValueError, environ.ImproperlyConfigured):
        database = {}
    engines = {"django.db.backends.postgresql", "django.db.backends.sqlite3"}
    if database.get("ENGINE") not in engines or not database.get("NAME"):
        # The value stays out of the sentence: it may hold a password.
        raise ImproperlyConfigured("DATABASE_URL must look like postgres://user:password@host/name or sqlite:////path.")
    if database["ENGINE"] == "django.db.backends.postgresql":
        database["ENGINE"] = "ingest.postgresql"  # the same, but the web server gives up where nothing answers
    return database


DATABASES = {"default": _database()}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # A transaction that will write takes the lock at its start: no upgrade deadlock.
        "transaction_mode": "IMMEDIATE",
        # For whoever nobody waits for; pages and the API: `console.lock_wait`, acceptance: `ingest.spool.writing`.
        "timeout": 20,
        # FULL: a committed row survives a power cut; NORMAL may lose the last commits.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    DATABASES["default"]["OPTIONS"] = {
        # A server that is cut off, without a word, is noticed within 30 s; libpq would wait for two hours.
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": 30_000,
        # What DATABASE_URL says itself.
        **DATABASES["default"].get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"{RQ_KEY_PREFIX}:qa:channels"},
    }
    if REDIS
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AXES_VERBOSE = False  # it greets at every start of every command
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
# What is tried while a lock lasts does not count and makes it no longer.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_HANDLER = "queueadmin.console.access.throttling.Handler"
AXES_LOCKOUT_TEMPLATE = "console/locked.html"
LOGIN_URL = "console:login"
LOGIN_REDIRECT_URL = "console:overview"
LOGOUT_REDIRECT_URL = "console:login"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PROD
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
FORCE_SCRIPT_NAME = SCRIPT_NAME or None
# What else the host serves gets no session of ours, and a second queueadmin there keeps its own.
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{SCRIPT_NAME}/"
# Behind a proxy that ends TLS requests arrive as http, while the browser names https as the form's origin.
CSRF_TRUSTED_ORIGINS = [urlunsplit((*urlsplit(PUBLIC_URL)[:2], "", "", ""))] if "://" in PUBLIC_URL else []
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

# Everything in the home is the owner's alone; the default would let others read.
FILE_UPLOAD_PERMISSIONS = 0o600
STATIC_URL = f"{SCRIPT_NAME}/static/"
STATIC_ROOT = QUEUEADMIN_HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "queueadmin.console.static_files.ModuleStorage"},
}
WHITENOISE_USE_FINDERS = False

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

REST_FRAMEWORK: dict[str, object] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "ingest.api.errors.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "queueadmin.console.openapi.schema.Described",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "queueadmin",
    "VERSION": "1",
    "DESCRIPTION": "Taking events in, looking up what became of them, and operating the queues.",
    "OAS_VERSION": "3.1.1",
    "POSTPROCESSING_HOOKS": ["queueadmin.console.openapi.schema.complete"],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # While Redis is away it logs a traceback a second; the console says it once.
    # urllib3's warning about an answer's headers holds the whole address, which may hold a secret.
    "loggers": {"channels_redis.pubsub": {"level": "CRITICAL"}, "urllib3.connection": {"level": "ERROR"}},
}
