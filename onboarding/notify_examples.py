"""What scripts, timers and pipelines send to a team's channel, ready to paste.

tests/onboarding runs the shell of each. Whatever is in a message is quoted for JSON where it is sent: the examples that
take a text from outside use `jq`, or send none.
"""

import json
import shlex
from string import Template

from onboarding.snippets import Snippet, build_publish_command

_SHELL = Template("""\
# in ~/.bashrc: notify "Backup of $$(hostname) is done"
notify() {
  jq -cn --arg text "$$*" '{items: [{channel: $channel, "json-object": {text: $$text}}]}' |
    curl -sS -u $credential -d @- $url
}
""")

_CRON = Template("""\
# in crontab -e: says so when the nightly job fails, and nothing when it does not
15 3 * * *  /usr/local/bin/nightly || $command
""")

_GITHUB = Template("""\
# in .github/workflows/*.yml; FANOUT_AUTH is a secret of the repository: REALM:KEY
- name: Tell the team
  if: failure()
  env:
    FANOUT_AUTH: $${{ secrets.FANOUT_AUTH }}
  run: |
    jq -n --arg text "$$GITHUB_WORKFLOW of $$GITHUB_REPOSITORY failed" \\
      '{items: [{channel: $channel, "json-object": {text: $$text}}]}' |
      curl -sS --fail-with-body -u "$$FANOUT_AUTH" -d @- $url
""")

_GITLAB = Template("""\
# in .gitlab-ci.yml; FANOUT_AUTH is a masked variable of the project: REALM:KEY
tell the team:
  stage: .post
  when: on_failure
  script:
    - |
      jq -n --arg text "$$CI_PROJECT_PATH: $$CI_COMMIT_TITLE failed" \\
        '{items: [{channel: $channel, "json-object": {text: $$text}}]}' |
        curl -sS --fail-with-body -u "$$FANOUT_AUTH" -d @- $url
""")


def build_notify_examples(*, realm: str, key: str, url: str, channel: str) -> list[Snippet]:
    """Return one example for each place that messages come from. Those for pipelines hold no key."""
    command = build_publish_command(realm=realm, key=key, url=url, channel=channel, text="Hello from curl")
    nightly = build_publish_command(realm=realm, key=key, url=url, channel=channel, text="The nightly job failed")
    values = {
        "channel": json.dumps(channel),
        "url": shlex.quote(url),
        "credential": shlex.quote(f"{realm}:{key}"),
        "command": " ".join(nightly.replace("\\\n", " ").split()).replace("%", r"\%"),
    }
    return [
        Snippet("curl", "curl", "Paste it into a terminal", command),
        Snippet("shell", "Scripts", "A word for your shell; needs jq", _SHELL.substitute(values)),
        Snippet("cron", "cron", "One line of a crontab", _CRON.substitute(values)),
        Snippet("github", "GitHub Actions", "A step at the end of a job", _GITHUB.substitute(values)),
        Snippet("gitlab", "GitLab CI", "A job at the end of a pipeline", _GITLAB.substitute(values)),
    ]
