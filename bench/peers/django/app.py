"""Django's own sessions in one file, served by gunicorn with one worker.

SESSION_ENGINE (`db` or `cached_db`), DATABASE (PostgreSQL as `host:port:user:name`, or the path of
an SQLite file) and REDIS_URL come from the environment.
"""

import os

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path


def database():
    where = os.environ["DATABASE"]
    if where.startswith("/"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": where}
    host, port, user, name = where.split(":")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": host,
        "PORT": port,
        "USER": user,
        "NAME": name,
        "CONN_MAX_AGE": None,
    }


settings.configure(
    SECRET_KEY="a secret for measurements only",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    SESSION_ENGINE=f"django.contrib.sessions.backends.{os.environ['SESSION_ENGINE']}",
    DATABASES={"default": database()},
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["REDIS_URL"],
        }
    },
    USE_TZ=True,
)
django.setup()


def ready(request):
    return HttpResponse("ok")


def sign_in(request):
    request.session.cycle_key()
    request.session.update(
        {
            "user_id": "user-1",
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "ip": request.META["REMOTE_ADDR"],
            "device": "Firefox on Linux",
        }
    )
    return JsonResponse({"ok": True}, status=201)


def status(request):
    session = request.session
    if "user_id" not in session:
        return JsonResponse({"is_active": False}, status=401)
    return JsonResponse(
        {
            "is_active": True,
            "user_id": session["user_id"],
            "name": session["name"],
            "email": session["email"],
            "ip": session["ip"],
            "device": session["device"],
            "remaining_seconds": session.get_expiry_age(),
        }
    )


urlpatterns = [path("ready", ready), path("sign-in", sign_in), path("status", status)]
call_command("migrate", verbosity=0)
application = get_wsgi_application()
