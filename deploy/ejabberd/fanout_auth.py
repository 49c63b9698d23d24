"""ejabberd's questions about passwords, which are tokens of Fanout Cloud, passed on over HTTP.

ejabberd runs it (`extauth_program`). A question is a length of 2 bytes, and `auth:USER:HOST:PASSWORD` or another word
in front; its answer is two numbers of 2 bytes: 2, and 1 for yes or 0 for no. It needs nothing but Python.

Since ejabberd does not tell components what a session was signed in with, Fanout Cloud is asked to remember it.
FANOUT_AUTH_URL (http://127.0.0.1:8000/xmpp/auth) and XMPP_SECRET are read from the environment.
"""

import json
import os
import struct
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 5.0


def holds(user: str, host: str, password: str) -> bool:
    """Ask whether a password holds; a service that does not answer is a no."""
    question = {"user": user, "host": host, "password": password, "is_remembered": True}
    request = urllib.request.Request(  # noqa: S310 - whoever sets the address is whoever runs this
        os.environ.get("FANOUT_AUTH_URL", "http://127.0.0.1:8000/xmpp/auth"),
        json.dumps(question).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ.get('XMPP_SECRET', '')}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def answer(question: str) -> bool:
    """Answer one question. Any account may exist, and none can be made or changed here."""
    word, *rest = question.split(":", 3)
    if word == "auth" and len(rest) == 3:
        return holds(*rest)
    return word == "isuser"


def main() -> None:
    """Answer until ejabberd closes the pipe."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := questions.read(2)) == 2:
        [length] = struct.unpack(">H", head)
        question = questions.read(length).decode(errors="replace")
        answers.write(struct.pack(">HH", 2, int(answer(question))))
        answers.flush()


if __name__ == "__main__":
    main()
