"""Whether the database answers: asked by the health probe of processes that have pages."""

from channels.db import database_sync_to_async
from django.db import connection


def _ask() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


#: One trivial query, off the event loop, on a connection that is closed afterwards where Django would close it.
ask_database = database_sync_to_async(_ask, thread_sensitive=False)
