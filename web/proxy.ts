import { NextResponse, type NextRequest } from 'next/server'

/**
 * Content security policy, per request: a nonce for Next's own inline scripts,
 * and the API's origin when the browser talks to it directly (read here, at run
 * time, so that one build serves every environment).
 */
export function proxy(request: NextRequest) {
  const nonce = btoa(crypto.randomUUID())
  const development = process.env.NODE_ENV === 'development'

  const policy = [
    `default-src 'self'`,
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${development ? ` 'unsafe-eval'` : ''}`,
    // React and the calendar position things with style attributes, which no
    // nonce can allow.
    `style-src 'self' 'unsafe-inline'`,
    `img-src 'self' data:`,
    `font-src 'self'`,
    `connect-src 'self'${apiOrigins()}${development ? ' ws:' : ''}`,
    `object-src 'none'`,
    `base-uri 'self'`,
    `form-action 'self'`,
    `frame-ancestors 'none'`,
  ].join('; ')

  // Next finds its nonce in the request's policy header.
  const headers = new Headers(request.headers)
  headers.set('content-security-policy', policy)
  const response = NextResponse.next({ request: { headers } })
  response.headers.set('content-security-policy', policy)
  return response
}

function apiOrigins(): string {
  const configured = process.env.SUPABASE_BROWSER_URL
  if (!configured || !URL.canParse(configured)) return ''
  const { origin } = new URL(configured)
  return ` ${origin} ${origin.replace(/^http/, 'ws')}`
}

export const config = {
  // Pages only: files of the build carry no scripts of their own to guard, and
  // the forwarded API calls answer data.
  matcher: ['/((?!_next/static|_next/image|rest/v1/|auth/v1/|icon\\.svg).*)'],
}
