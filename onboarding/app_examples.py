"""Programs of some ten lines that hold a request through a realm, for the web frameworks that most people have.

Each answers `GET /hello` on port 3000 with a stream that is held here and pushed to. The frameworks that have a GRIP
library use it; the others set two headers, which is all there is to it.
"""

from onboarding.snippets import Snippet

PORT = 3000
PATH = "/hello"

_DJANGO = """\
# pip install django-grip; in settings.py:
GRIP_URL = os.environ["GRIP_URL"]
MIDDLEWARE = ["django_grip.GripMiddleware", *MIDDLEWARE]

# in urls.py: path("hello", hello)
from django.http import HttpResponse
from django_grip import set_hold_stream

def hello(request):
    set_hold_stream(request, "{channel}")
    return HttpResponse("Connected\\n", content_type="text/plain")
"""

_FLASK = """\
from flask import Flask

app = Flask(__name__)

@app.get("/hello")
def hello():
    headers = {{"Content-Type": "text/plain", "Grip-Hold": "stream", "Grip-Channel": "{channel}"}}
    return "Connected\\n", 200, headers

app.run(port=3000)
"""

_EXPRESS = """\
import express from "express"; // npm install express @fanoutio/serve-grip
import {{ ServeGrip }} from "@fanoutio/serve-grip";

const app = express();
app.use(new ServeGrip({{ grip: process.env.GRIP_URL }}));

app.get("/hello", (req, res) => {{
  res.grip.startInstruct().addChannel("{channel}").setHoldStream();
  res.type("text/plain").send("Connected\\n");
}});
app.listen(3000);
"""

_LARAVEL = """\
// in routes/web.php; run php artisan serve --port 3000
use Illuminate\\Support\\Facades\\Route;

Route::get('/hello', fn () => response("Connected\\n", 200, [
    'Content-Type' => 'text/plain',
    'Grip-Hold' => 'stream',
    'Grip-Channel' => '{channel}',
]));
"""

_RAILS = """\
# config/routes.rb: get "hello", to: "hello#show"; run rails server -p 3000
# app/controllers/hello_controller.rb:
class HelloController < ApplicationController
  def show
    response.headers["Grip-Hold"] = "stream"
    response.headers["Grip-Channel"] = "{channel}"
    render plain: "Connected\\n"
  end
end
"""


def build_app_examples(*, channel: str) -> list[Snippet]:
    """Return one program for each framework. None holds a secret: the key is in GRIP_URL."""
    texts = [
        ("django", "Django", "runserver 3000, with GRIP_URL in its environment", _DJANGO),
        ("flask", "Flask", "Save it as app.py and run python3 app.py", _FLASK),
        ("express", "Express", "Save it as app.mjs and run it with GRIP_URL in its environment", _EXPRESS),
        ("laravel", "Laravel", "Two headers are all there is to it", _LARAVEL),
        ("rails", "Rails", "Two headers are all there is to it", _RAILS),
    ]
    return [Snippet(slug, name, how, text.format(channel=channel)) for slug, name, how, text in texts]
