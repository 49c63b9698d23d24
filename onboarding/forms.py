"""Forms of the quick start."""

from django import forms


class OriginForm(forms.Form):
    """The server that a web application runs on."""

    origin = forms.CharField(
        max_length=500, error_messages={"required": "Write its address, such as https://app.example.com."}
    )


class KeepForm(forms.Form):
    """Whose a sandbox shall be."""

    email = forms.EmailField(
        max_length=254,
        error_messages={
            "required": "Write your e-mail address.",
            "invalid": "That is no e-mail address; write it as name@example.com.",
        },
    )


class SendForm(forms.Form):
    """The text that the page publishes for its reader."""

    text = forms.CharField(
        max_length=200,
        initial="Hello from this page",
        error_messages={
            "required": "Write something to send.",
            "max_length": "Use %(limit_value)d characters or fewer.",
        },
    )
