"""The version of this package, told to servers as `User-Agent` as well."""

VERSION = "0.1.0"
USER_AGENT = f"fanoutcloud-client/{VERSION}"
