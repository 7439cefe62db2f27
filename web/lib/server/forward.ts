import 'server-only'
import { readApiUrl } from './config'

/**
 * Forwards a browser's API call to Supabase on the page's own origin: the local
 * API sends no CORS headers on /auth/v1, so a browser could not call it directly.
 * A handler rather than a rewrite, because a failing rewrite logs the whole
 * address, and query strings name people (`email=eq.…`).
 */

// Allow-lists: the page's cookies and whatever else a browser attaches stay here.
// The user agent goes along because the API uses it to refuse secret keys that
// were given to a browser.
const REQUEST_HEADERS = [
  'accept',
  'accept-profile',
  'apikey',
  'authorization',
  'content-profile',
  'content-type',
  'prefer',
  'range',
  'range-unit',
  'user-agent',
  'x-client-info',
  'x-supabase-api-version',
]
const RESPONSE_HEADERS = [
  'content-profile',
  'content-range',
  'content-type',
  'location',
  'preference-applied',
  'retry-after',
  'www-authenticate',
  'x-supabase-api-version',
]

const TIMEOUT_MS = 30_000

export async function forward(request: Request): Promise<Response> {
  const base = readApiUrl()
  if (!base) return failure(503, 'API_NOT_CONFIGURED', 'SUPABASE_URL is not set.')

  const { pathname, search } = new URL(request.url)
  const withBody = request.method !== 'GET' && request.method !== 'HEAD'

  try {
    const answer = await fetch(base + pathname + search, {
      method: request.method,
      headers: pick(request.headers, REQUEST_HEADERS),
      body: withBody ? await request.arrayBuffer() : undefined,
      redirect: 'manual',
      cache: 'no-store',
      // The first: a page that moved on stops the work it no longer needs.
      signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    const headers = pick(answer.headers, RESPONSE_HEADERS)
    headers.set('cache-control', 'no-store')
    return new Response(answer.body, { status: answer.status, headers })
  } catch (error) {
    if (request.signal.aborted) return new Response(null, { status: 499 })
    const timedOut = error instanceof DOMException && error.name === 'TimeoutError'
    // The reason's code only, never the address or the message.
    // eslint-disable-next-line no-console
    console.error(`web: Supabase API ${timedOut ? 'timed out' : `unreachable (${reason(error)})`}`)
    return timedOut
      ? failure(504, 'API_TIMED_OUT', 'The Supabase API did not answer in time.')
      : failure(502, 'API_UNREACHABLE', 'The Supabase API could not be reached.')
  }
}

function pick(from: Headers, names: readonly string[]): Headers {
  const headers = new Headers()
  for (const name of names) {
    const value = from.get(name)
    if (value !== null) headers.set(name, value)
  }
  return headers
}

function reason(error: unknown): string {
  const code = (error as { cause?: { code?: unknown } } | null)?.cause?.code
  return typeof code === 'string' ? code : 'unknown'
}

/** In PostgREST's shape, so that supabase-js reports it like any other error. */
function failure(status: number, code: string, message: string): Response {
  return Response.json({ code, message, details: null, hint: null }, { status, headers: { 'cache-control': 'no-store' } })
}
