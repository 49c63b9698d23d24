"""The programs of the quick start, one to a language.

`$url`, `$realm`, `$key`, `$channel` and `$text` stand for literals of that language, quotes included; `$body` for a
literal of the whole JSON text.

None needs a package: each uses what comes with its language, so that it runs where it is pasted.
"""

from string import Template

PYTHON = Template("""\
import base64
import json
import urllib.request

realm = $realm
key = $key

request = urllib.request.Request(
    $url,
    data=json.dumps({"items": [{"channel": $channel, "json-object": {"text": $text}}]}).encode(),
    headers={
        "Authorization": "Basic " + base64.b64encode(f"{realm}:{key}".encode()).decode(),
        "Content-Type": "application/json",
    },
)
print(urllib.request.urlopen(request).read().decode())
""")

JAVASCRIPT = Template("""\
const realm = $realm;
const key = $key;

fetch($url, {
  method: "POST",
  headers: {
    Authorization: "Basic " + btoa(realm + ":" + key),
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    items: [{ channel: $channel, "json-object": { text: $text } }],
  }),
}).then(async (answer) => console.log(answer.status, await answer.text()));
""")

NODE = Template("""\
const url = new URL($url);
const body = JSON.stringify({
  items: [{ channel: $channel, "json-object": { text: $text } }],
});

const request = require(url.protocol.slice(0, -1)).request(
  url,
  {
    method: "POST",
    auth: [$realm, $key].join(":"),
    headers: { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) },
  },
  (answer) => answer.pipe(process.stdout),
);
request.end(body);
""")

PHP = Template("""\
<?php
$$realm = $realm;
$$key = $key;
$$items = [['channel' => $channel, 'json-object' => ['text' => $text]]];

echo file_get_contents($url, false, stream_context_create(['http' => [
    'method' => 'POST',
    'header' => [
        'Authorization: Basic ' . base64_encode("$$realm:$$key"),
        'Content-Type: application/json',
    ],
    'content' => json_encode(['items' => $$items]),
    'ignore_errors' => true,
]]));
""")

RUBY = Template("""\
require 'json'
require 'net/http'

uri = URI($url)
request = Net::HTTP::Post.new(uri, 'Content-Type' => 'application/json')
request.basic_auth($realm, $key)
request.body = { items: [{ channel: $channel, 'json-object' => { text: $text } }] }.to_json

answer = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == 'https') { |http| http.request(request) }
puts answer.body
""")

GO = Template("""\
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	body := $body
	request, err := http.NewRequest("POST", $url, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.SetBasicAuth($realm, $key)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	io.Copy(os.Stdout, answer.Body)
}
""")

JAVA = Template("""\
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Base64;

public class Publish {
    public static void main(String[] arguments) throws Exception {
        String credential = $realm + ":" + $key;
        String body = $body;
        HttpRequest request = HttpRequest.newBuilder(URI.create($url))
            .header("Authorization", "Basic " + Base64.getEncoder().encodeToString(credential.getBytes()))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        System.out.println(client.send(request, BodyHandlers.ofString()).body());
    }
}
""")

#: What a page needs to listen. It holds no key: public channels need none.
LISTEN = Template("""\
<script>
  const events = new EventSource($url);
  events.onmessage = (event) => {
    const { data } = JSON.parse(event.data);
    console.log("received", data);
  };
</script>
""")
