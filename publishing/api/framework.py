"""How the frameworks under the management API are set up; read by the settings, so nothing is imported here."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "publishing.api.authentication.CredentialAuthentication",
        "publishing.api.authentication.DashboardAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["publishing.api.json_bodies.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["publishing.api.json_bodies.JsonParser"],
    "DEFAULT_SCHEMA_CLASS": "publishing.api.schema.OperationSchema",
    "EXCEPTION_HANDLER": "publishing.api.problems.answer_problem",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "Fanout Cloud management API",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "POSTPROCESSING_HOOKS": [],  # the one there is names enums; ours stand where they are used
}
