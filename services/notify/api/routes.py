"""The routes below ``/api``."""

from __future__ import annotations

from litestar import Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from services.notify.api.alerts import Alerts
from services.notify.api.patients import Patients
from services.notify.api.problems import HANDLERS
from services.notify.desk import Desk
from services.runtime.access import only_this_machine

OPENAPI = OpenAPIConfig(title="rxvigil", version="1", path="/api/schema", render_plugins=[JsonRenderPlugin()])


def api(desk: Desk) -> Router:
    return Router(
        "/api",
        route_handlers=[Alerts, Patients],
        dependencies=desk.dependencies(),
        guards=[only_this_machine],
        exception_handlers=HANDLERS,
        response_headers={"Cache-Control": "no-store"},
    )
