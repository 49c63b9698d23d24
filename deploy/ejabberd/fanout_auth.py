"""ejabberd's questions about passwords, which are tokens of Fanout Cloud, passed on over HTTP.

ejabberd runs it (`extauth_program`). A question is a length of 2 bytes, and `auth:USER:HOST:PASSWORD` or another word
in front; its answer is two numbers of 2 bytes: 2, and 1 for yes or 0 for no. It needs nothing but Python.

Since ejabberd does not tell components what a session was signed in with, Fanout Cloud is asked to remember it.
FANOUT_AUTH_URL (http://127.0.0.1:8000/xmpp/auth) and XMPP_SECRET are read from the environment.

Whatever answers at that address, slowly, endlessly or not at all, a question is answered within TIMEOUT_S: with no,
since ejabberd knows nothing else. What is wrong is said once on stderr, and once when it is over.
"""

import http.client
import json
import os
import signal
import struct
import sys
from types import FrameType
from urllib.parse import urlsplit

TIMEOUT_S = 4.0
MAX_ANSWER_BYTES = 16_384
_YES, _NO = 200, (401, 403)


class NotTold(Exception):
    """Whether a password holds can't be told now; says why."""


class Asker:
    """Asks one service; remembers whether it answered."""

    def __init__(self, url: str, secret: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = urlsplit(url)
        self._secret = secret
        self._timeout_s = timeout_s
        self._is_well = True

    def holds(self, user: str, host: str, password: str) -> bool:
        """Ask whether a password holds; where that can't be told it does not."""
        try:
            answer = self._ask({"user": user, "host": host, "password": password, "is_remembered": True})
        except NotTold as error:
            if self._is_well:
                print(f"fanout_auth: {error}; sign-ins are refused until that is over", file=sys.stderr, flush=True)
            self._is_well = False
            return False
        if not self._is_well:
            print("fanout_auth: the service answers again", file=sys.stderr, flush=True)
        self._is_well = True
        return answer

    def _ask(self, question: dict[str, object]) -> bool:
        connect = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = connect(self._url.hostname or "", self._url.port, timeout=self._timeout_s)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._secret}"}
        former = signal.signal(signal.SIGALRM, _too_late)  # a server that sends a byte now and then is not silent
        signal.setitimer(signal.ITIMER_REAL, self._timeout_s)
        try:
            connection.request("POST", self._url.path or "/", json.dumps(question).encode(), headers)
            response = connection.getresponse()
            status, is_whole = response.status, len(response.read(MAX_ANSWER_BYTES + 1)) <= MAX_ANSWER_BYTES
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotTold(f"{self._url.netloc} does not answer: {str(error) or type(error).__name__}") from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, former)
            connection.close()
        if not is_whole:
            raise NotTold(f"{self._url.netloc} answers without end")
        if status != _YES and status not in _NO:
            raise NotTold(f"{self._url.netloc} answers with {status}")
        return status == _YES


def _too_late(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("it takes too long")


def answer(asker: Asker, question: str) -> bool:
    """Answer one question. Any account may exist, and none can be made or changed here."""
    word, *rest = question.split(":", 3)
    if word == "auth" and len(rest) == 3:
        return asker.holds(*rest)
    return word == "isuser"


def main() -> None:
    """Answer until ejabberd closes the pipe."""
    url = os.environ.get("FANOUT_AUTH_URL", "http://127.0.0.1:8000/xmpp/auth")
    asker = Asker(url, os.environ.get("XMPP_SECRET", ""))
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := questions.read(2)) == 2:
        [length] = struct.unpack(">H", head)
        question = questions.read(length).decode(errors="replace")
        answers.write(struct.pack(">HH", 2, int(answer(asker, question))))
        answers.flush()


if __name__ == "__main__":
    main()
