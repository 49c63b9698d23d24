"""Programs of a few lines that make a subscriber token, with nothing but what each language has by itself.

Each reads the realm's key from the environment and prints a token; tests/realms/test_token_snippets.py runs them.
"""

import json
import shlex
from dataclasses import dataclass
from string import Template


@dataclass(frozen=True, slots=True)
class TokenSnippet:
    """One program: its language, and how to run it. It holds no secret."""

    slug: str
    name: str
    how: str
    text: str


_PYTHON = Template("""\
import base64, hashlib, hmac, json, os, time

def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")

key = base64.b64decode(os.environ["FANOUT_KEY"])
header = {"alg": "HS256", "typ": "JWT", "kid": $kid}
claims = {
    "iss": $realm,
    "sub": "alice",
    "iat": int(time.time()),
    "exp": int(time.time()) + 3600,
    "channels": {"orders.*": ["subscribe"]},
}
signed = base64url(json.dumps(header).encode()) + b"." + base64url(json.dumps(claims).encode())
print((signed + b"." + base64url(hmac.digest(key, signed, hashlib.sha256))).decode())
""")

_JAVASCRIPT = Template("""\
const crypto = require("node:crypto");

const key = Buffer.from(process.env.FANOUT_KEY, "base64");
const now = Math.floor(Date.now() / 1000);
const header = { alg: "HS256", typ: "JWT", kid: $kid };
const claims = {
  iss: $realm,
  sub: "alice",
  iat: now,
  exp: now + 3600,
  channels: { "orders.*": ["subscribe"] },
};
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const signed = base64url(header) + "." + base64url(claims);
console.log(signed + "." + crypto.createHmac("sha256", key).update(signed).digest("base64url"));
""")

_PHP = Template("""\
<?php
function base64url($$data) {
    return rtrim(strtr(base64_encode($$data), '+/', '-_'), '=');
}

$$key = base64_decode(getenv('FANOUT_KEY'));
$$header = ['alg' => 'HS256', 'typ' => 'JWT', 'kid' => $kid];
$$claims = [
    'iss' => $realm,
    'sub' => 'alice',
    'iat' => time(),
    'exp' => time() + 3600,
    'channels' => ['orders.*' => ['subscribe']],
];
$$signed = base64url(json_encode($$header)) . '.' . base64url(json_encode($$claims));
echo $$signed . '.' . base64url(hash_hmac('sha256', $$signed, $$key, true)), "\\n";
""")

_RUBY = Template("""\
require "base64"
require "json"
require "openssl"

key = Base64.decode64(ENV.fetch("FANOUT_KEY"))
now = Time.now.to_i
header = { alg: "HS256", typ: "JWT", kid: $kid }
claims = {
  iss: $realm,
  sub: "alice",
  iat: now,
  exp: now + 3600,
  channels: { "orders.*" => ["subscribe"] }
}
signed = [header, claims].map { |part| Base64.urlsafe_encode64(part.to_json, padding: false) }.join(".")
puts signed + "." + Base64.urlsafe_encode64(OpenSSL::HMAC.digest("SHA256", key, signed), padding: false)
""")

_SHELL = Template("""\
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
now=$$(date +%s)
header=$$(printf '{"alg":"HS256","typ":"JWT","kid":"%s"}' $kid | base64url)
claims=$$(printf '{"iss":"%s","sub":"alice","iat":%d,"exp":%d,"channels":{"orders.*":["subscribe"]}}' \\
  $realm "$$now" "$$((now + 3600))" | base64url)
hex=$$(printf %s "$$FANOUT_KEY" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \\n')
signature=$$(printf %s "$$header.$$claims" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$$hex" -binary | base64url)
echo "$$header.$$claims.$$signature"
""")


def build_token_snippets(*, realm: str, key_id: str) -> list[TokenSnippet]:
    """Return the same token in each language. Values are quoted by each language's own rules."""
    given = {"realm": realm, "kid": key_id}
    quoted = {name: json.dumps(value) for name, value in given.items()}
    in_shell = {name: shlex.quote(value) for name, value in given.items()}
    how = "Save it as {0}; FANOUT_KEY=… {1} {0}"
    return [
        TokenSnippet("python", "Python", how.format("token.py", "python3"), _PYTHON.substitute(quoted)),
        TokenSnippet("javascript", "JavaScript", how.format("token.js", "node"), _JAVASCRIPT.substitute(quoted)),
        TokenSnippet("php", "PHP", how.format("token.php", "php"), _PHP.substitute(quoted)),
        TokenSnippet("ruby", "Ruby", how.format("token.rb", "ruby"), _RUBY.substitute(quoted)),
        TokenSnippet("shell", "Shell", how.format("token.sh", "sh"), _SHELL.substitute(in_shell)),
    ]
