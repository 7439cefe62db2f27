"""The door of the local API: forwards to `@supabase/lite` and puts right where it differs from hosted Supabase.

The place for such differences, so that neither the schema, the sidecar nor the pages know of them; lite_json.mjs has
the one that cannot be put right from outside.

- timestamps come as Postgres prints them (`2026-11-23 07:00:00+00`); hosted Supabase sends ISO 8601
  (`2026-11-23T07:00:00+00:00`), and supabase-py accepts nothing else;
- `/auth/v1` sends no CORS headers; hosted Supabase lets any origin ask, since every request carries its key;
- asked for one object, an insert or update that returns its row with an embed answers an array of one;
- a filter for a value that begins with `+` (a phone number) matches nothing unless the value is quoted, which hosted
  Supabase would take for a part of the value.

What remains: a `numeric` that a view works out comes as a string, where hosted Supabase sends a JSON number (it cannot
be told from a text here); the `details` of an error are null; a failed check is 500 `SUP`, not 400 `23514`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import aiohttp
import click
from aiohttp import web
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_POSTGRES_TIMESTAMP = re.compile(rb'(?<!\\)"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d)(?::?(\d\d))?"')
_PLUS_VALUE = re.compile(r"((?:=|\.)(?:eq|neq|gt|gte|lt|lte|like|ilike)\.|%28|%2C|\(|,)(%2B\d+)", re.IGNORECASE)
_ONE_OBJECT = "application/vnd.pgrst.object+json"
_HOP_BY_HOP = {"connection", "content-encoding", "content-length", "host", "keep-alive", "transfer-encoding"}
"""Belong to one connection, not to the message (RFC 9110, section 7.6.1); nor does the encoding, once decoded."""

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "authorization, x-client-info, apikey, content-type, prefer, range, "
    "x-supabase-api-version, accept-profile, content-profile",
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Expose-Headers": "content-range, x-supabase-api-version",
}

_UPSTREAM = web.AppKey("upstream", str)
_SESSION = web.AppKey("session", aiohttp.ClientSession)


def iso_timestamps(body: bytes) -> bytes:
    """JSON text with every timestamp value as hosted Supabase writes it."""
    return _POSTGRES_TIMESTAMP.sub(lambda m: b'"%sT%s%s:%s"' % (m[1], m[2], m[3], m[4] or b"00"), body)


def quoted_plus(path: str) -> str:
    """An encoded path and query with every filter value that begins with `+` in quotes."""
    return _PLUS_VALUE.sub(r"\1%22\2%22", path)


def one_object(body: bytes) -> bytes:
    """The only element of a JSON array; any other JSON text unchanged."""
    if not body.startswith(b"["):
        return body
    found = json.loads(body)
    return json.dumps(found[0]).encode() if len(found) == 1 else body


async def forward(request: web.Request) -> web.Response:
    """Pass a request on and its answer back."""
    if request.method == "OPTIONS":
        return web.Response(status=204, headers=_CORS)
    upstream = request.app[_UPSTREAM] + quoted_plus(request.raw_path)
    headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP_BY_HOP}
    try:
        async with request.app[_SESSION].request(
            request.method, URL(upstream, encoded=True), headers=headers, data=await request.read()
        ) as answer:
            body = await answer.read()
            if "json" in answer.headers.get("Content-Type", ""):
                body = iso_timestamps(body)
                if answer.ok and request.headers.get("Accept") == _ONE_OBJECT:
                    body = one_object(body)
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
            return web.Response(status=answer.status, body=body, headers=kept | _CORS)
    except aiohttp.ClientError:
        return web.json_response({"message": "The local API does not answer."}, status=502, headers=_CORS)


def create_app(upstream: str) -> web.Application:
    """The gateway to the API at `upstream`."""
    app = web.Application(client_max_size=10 * 1024**2)
    app[_UPSTREAM] = upstream
    app.router.add_route("*", "/{path:.*}", forward)

    async def session(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(auto_decompress=True) as app[_SESSION]:
            yield

    app.cleanup_ctx.append(session)
    return app


@click.command()
@click.option("--port", required=True, type=int)
@click.option("--upstream", required=True)
def main(port: int, upstream: str) -> None:
    """Serve on 127.0.0.1 until stopped."""
    web.run_app(create_app(upstream), host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main()
