"""The pages together with those of manifests, whether or not the application names them yet."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette

from batchsora.web.app import create_app
from batchsora.web.pages import manifests
from support.site import Folder, Site, serving


def _with_forms(*given: Any, **named: Any) -> Starlette:
    app = create_app(*given, **named)
    if all(getattr(route, "path", "") != "/manifests/new" for route in app.routes):
        app.router.routes[:0] = manifests.routes
    return app


@contextmanager
def serving_forms(folder: Folder) -> Iterator[Site]:
    """Serve the pages of a folder on a port of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("support.site.create_app", _with_forms)
        with serving(folder) as found:
            yield found
